// What of a journal's folder is to be copied: its segments up to where it is committed, pinned once.
//
// K7 Everything that was acknowledged before the call is in it.
// K3 The segments are looked at before the end is: so whatever gave up records of one of them (their trim) is before the end,
// too. A segment that was rewritten since has another inode or time; then all is looked at anew.
import { stat } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { DuramenError } from '../../../ports/errors.ts'
import { type CommittedEnd, EndFinder } from '../commit/committed-end.ts'
import { headerOf } from '../commit/recover.ts'
import { HEADER_BYTES } from '../segments/format.ts'
import { listSegments, segmentFile } from '../segments/segments.ts'
import { walk } from '../segments/walk.ts'

/** A segment that is to be copied. */
export interface PlannedSegment {
  readonly file: string
  readonly first: number
  /** Its last position. */
  readonly last: number
  /** Where it is committed to; undefined for all but the last: to the end of the file. */
  readonly end: number | undefined
  readonly size: number
  readonly inode: string
  readonly modified: string
}

export interface Plan {
  readonly position: number
  readonly salt: number | undefined
  readonly segments: readonly PlannedSegment[]
}

/** What changes when a segment is rewritten. */
export async function identityOf(file: string) {
  const { ino, mtimeNs, size } = await stat(file, { bigint: true })
  return { inode: String(ino), modified: String(mtimeNs), size: Number(size) }
}

/** `end`: says how far the journal in the folder is committed. */
export async function planOf(folder: string, end: () => Promise<CommittedEnd>): Promise<Plan> {
  for (;;) {
    const listed = await listSegments(folder)
    const found = await Promise.all(listed.map(async (one) => ({ ...one, ...(await identityOf(one.file)) })))
    const { position, segment, offset } = await end()
    if (segment === 0) return { position, salt: undefined, segments: [] }
    const those = found.filter(({ first }) => first <= segment)
    if (those.at(-1)?.first !== segment) {
      await stat(segmentFile(folder, segment)) // it was begun meanwhile, or is gone
      continue
    }
    const header = await headerOf(those[0]!.file)
    const segments = those.map((one, number) => {
      const next = those[number + 1]
      return {
        ...one,
        last: next === undefined ? position : next.first - 1,
        end: next === undefined ? offset : undefined,
      }
    })
    return { position, salt: typeof header === 'object' ? header.salt : undefined, segments }
  }
}

/** A writer of another process says with some delay how far it is; a whole group that is there longer is of one that hangs. */
const WAIT = 1000
const EVERY = 5

/**
 * Where the journal of another process is committed, with all that its writer has acknowledged before the call. Rejects with
 * IO where nobody can know: its writer can't say how far it is, as on a full disk, and has written more.
 */
export async function acknowledgedEnd(folder: string): Promise<CommittedEnd> {
  const finder = new EndFinder(folder)
  const known = await finder.find()
  const written = await writtenTo(folder, known)
  const until = performance.now() + WAIT
  let end = known
  while (end.position < written && performance.now() < until) {
    await sleep(EVERY)
    end = await finder.find()
  }
  if (end.position < written && finder.silent) throw silent(folder)
  return end
}

const silent = (folder: string) =>
  new DuramenError('IO', `${folder} can't be copied now: its writer does not say how far it is committed`, {
    where: { file: folder },
    hint: 'Is its disk full? Try again later; the process that has it open can copy it all the same: journal.backup(to).',
    retryable: true,
  })

/** The last position that is written, on disk or not. */
async function writtenTo(folder: string, { segment, position, offset }: CommittedEnd): Promise<number> {
  const last = (await listSegments(folder)).at(-1)
  const header = last && (await headerOf(last.file))
  if (last === undefined || typeof header !== 'object') return position
  const here = last.first === segment
  let written = here ? position : last.first - 1
  await walk(last.file, here ? offset : HEADER_BYTES, (await stat(last.file)).size, header.salt, (frame) => {
    written += frame.hole ? frame.seq : 1
  })
  return written
}
