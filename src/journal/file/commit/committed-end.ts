// How far the journal in a folder is committed, as a process sees it that has not its lock. Changes nothing in the folder.
//
// K1 K7 never beyond what is on disk, nor beyond what a writer may take back:
// - While somebody has the lock: up to where that writer says (committed.ts). Where its word is missing or does not fit,
//   up to the last group: a group is written only after all before it are on disk (group-commit.ts).
// - While nobody has it: up to the last whole append, as a writer would find it (recover.ts), once that is on disk. Where
//   it can't be put there from here, or a writer has said that nobody knows what is there, up to where that one said.
//   A writer that begins meanwhile changes the lock and the folder: then all of this is asked anew.
import { type FileHandle, open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { heldBy } from '../../lock.ts'
import { damaged } from '../segments/damaged.ts'
import { FRAME_BYTES, frameEnd, HEADER_BYTES } from '../segments/format.ts'
import { listSegments, readFrom } from '../segments/segments.ts'
import { tornBytes } from '../segments/tail.ts'
import { walk } from '../segments/walk.ts'
import { type Committed, readCommitted } from './committed.ts'
import { headerOf } from './recover.ts'

/** Where the committed part of a journal ends. */
export interface CommittedEnd {
  /** Of its last frame; 0 for none. */
  readonly position: number
  /** The first position of the segment that it ends in, as in the file's name; 0 where there is no segment. */
  readonly segment: number
  /** Where it ends in that file. */
  readonly offset: number
}

export const NO_END: CommittedEnd = { position: 0, segment: 0, offset: 0 }

/** Where the journal in a folder ends. Rejects with JOURNAL_DAMAGED, or with what the file system says. */
export const committedEnd = (folder: string): Promise<CommittedEnd> => new EndFinder(folder).find()

/** The last segment of a folder. */
interface LastSegment {
  readonly file: string
  readonly first: number
  readonly salt: number
}

/** Finds the end of one folder's journal, again and again. */
export class EndFinder {
  /** Somebody has the lock and did not say how far it is committed: the last group may have been acknowledged as well. */
  silent = false
  readonly #folder: string
  /** The last one that was found. */
  #known = NO_END
  /** What the writer said when it was looked at last, and it fitted. */
  #word: Committed | undefined
  /** What the folder was like when nobody had its lock and the end was found there. */
  #seen = ''

  constructor(folder: string) {
    this.#folder = folder
  }

  async find(known = NO_END): Promise<CommittedEnd> {
    this.#known = latest(this.#known, known)
    this.#known = latest(this.#known, await this.#find())
    return this.#known
  }

  async #find(): Promise<CommittedEnd> {
    for (;;) {
      this.silent = false
      const holder = await this.#holder()
      const noted = await readCommitted(this.#folder)
      if (holder !== undefined && noted?.lock === holder && isDeepStrictEqual(noted, this.#word)) return endOf(noted)
      const last = await lastSegment(this.#folder)
      if (last === undefined) return NO_END
      const named = noted !== undefined && (await fits(this.#folder, noted, last.salt)) ? noted : undefined
      this.#word = named
      if (holder !== undefined) {
        this.silent = named?.lock !== holder
        return this.silent ? this.#beforeLastGroup(last) : endOf(named!)
      }
      if (named?.failed) return endOf(named)
      if (named !== undefined) this.#known = latest(this.#known, endOf(named))
      const state = await this.#state(last)
      if (state === this.#seen) return this.#known
      const end = await this.#whole(last)
      if (state !== (await this.#state(last)) || (await this.#holder()) !== undefined) continue
      this.#seen = state
      return end ?? (named === undefined ? this.#beforeLastGroup(last) : endOf(named))
    }
  }

  #holder(): Promise<string | undefined> {
    return heldBy(join(this.#folder, 'lock'))
  }

  /** Changes whenever a writer takes or gives back the lock, or writes. */
  async #state({ file }: LastSegment): Promise<string> {
    const folder = await stat(this.#folder, { bigint: true })
    const { mtimeNs, size } = await stat(file, { bigint: true })
    return [folder.mtimeNs, file, mtimeNs, size].join(' ')
  }

  /** Up to the last whole append; undefined where that can't be put on disk from here. */
  async #whole({ file, first, salt }: LastSegment): Promise<CommittedEnd | undefined> {
    const { size } = await stat(file)
    let end = this.#startIn(file, first, size)
    let { position } = end
    await walk(file, end.offset, size, salt, (frame, _, offset) => {
      position += frame.hole ? frame.seq : 1
      if (!frame.more) end = { position, segment: first, offset }
    })
    await tornBytes(file, end.offset, size, salt)
    return (await isOnDisk(file)) ? end : undefined
  }

  async #beforeLastGroup({ file, first, salt }: LastSegment): Promise<CommittedEnd> {
    const { size } = await stat(file)
    let end = this.#startIn(file, first, size)
    let { position } = end
    await walk(file, end.offset, size, salt, (frame, offset) => {
      if (frame.first) end = { position, segment: first, offset }
      position += frame.hole ? frame.seq : 1
    })
    return end
  }

  /** What is known of the last segment already; all of those before is committed. */
  #startIn(file: string, first: number, size: number): CommittedEnd {
    const known = this.#known
    if (known.segment !== first) return { position: first - 1, segment: first, offset: HEADER_BYTES }
    if (size < known.offset) throw damaged(file, size, 'records were committed there that are gone')
    return known
  }
}

/** Without one that a crash has left without its header. Rejects with JOURNAL_DAMAGED. */
async function lastSegment(folder: string): Promise<LastSegment | undefined> {
  const segments = await listSegments(folder)
  for (let last = segments.pop(); last !== undefined; last = segments.pop()) {
    const header = await headerOf(last.file)
    if (typeof header === 'object') return { ...last, salt: header.salt }
    if ((await stat(last.file)).size > HEADER_BYTES) throw damaged(last.file, 0, header)
  }
  return undefined
}

/** Whether the frame that is named is there. */
async function fits(folder: string, { salt, segment, start, end, sum }: Committed, own: number): Promise<boolean> {
  if (salt !== own) return false
  if (segment === 0) return true
  const named = (await listSegments(folder)).find(({ first }) => first === segment)
  if (named === undefined) return false
  return reading(named.file, async (handle) => {
    const bytes = await readFrom(handle, start, start + FRAME_BYTES)
    if (bytes.length < FRAME_BYTES || (await handle.stat()).size < end) return false
    return start + frameEnd(bytes, 0)! === end && bytes.readUInt32LE(4) === sum
  })
}

/** Puts on disk what a process that was killed has written and not synced. */
const isOnDisk = (file: string): Promise<boolean> =>
  reading(file, async (handle) => {
    await handle.datasync()
    return true
  }).catch(() => false)

async function reading<T>(file: string, read: (handle: FileHandle) => Promise<T>): Promise<T> {
  const handle = await open(file, 'r')
  try {
    return await read(handle)
  } finally {
    await handle.close()
  }
}

const endOf = ({ position, segment, end }: Committed): CommittedEnd => ({ position, segment, offset: end })

const latest = (one: CommittedEnd, other: CommittedEnd) => (other.position > one.position ? other : one)
