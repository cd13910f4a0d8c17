// The index on disk: files that follow one another (run.ts), from the first position on, without a gap. A new one is
// written behind the others; FAN of about the same size become one, so that there are few of them.
//
// K3 it is a cache: any of its files may be missing, damaged or of another journal; then all behind count for nothing.
// K7 those that count for nothing may be all that tells of records that were lost: they stay until the log is known to be whole.
// K12 files 0600, folder 0700.
import type { Dirent } from 'node:fs'
import { readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolders } from '../../make-folders.ts'
import type { Entry } from './entry.ts'
import { byStream, OldRun, type Part, type RunSource, trimmedIn } from './merge.ts'
import { hashOf } from './names.ts'
import { IndexDamaged } from './pages.ts'
import { placeIn, Run, type RunHead } from './run.ts'
import { type RunRange, writeRun } from './run-writer.ts'

const FAN = 8
const MANY = 64
/** The table of the snapshots' places, which is in the same folder and removed with it. */
export const SNAPSHOT_PLACES = 'snapshots'
const NAME = /^(\d{16})-(\d{16})\.run$/
/** What the last reclaim has kept (reclaiming.ts). */
export const RECLAIMED = 'reclaimed'
const OURS = /^(\d{16}-\d{16}\.run|gone-\d+|snapshots|reclaimed)(\.new)?$/
/** So many blocks are looked through at once. */
const BLOCKS = 12

/** What the index holds of a stream. */
export interface Indexed {
  /** The seq of its last record there. */
  readonly last: number
  readonly trimmed: number
  /** What the last record asks for. */
  readonly newest: Entry
}

export class Runs {
  readonly #folder: string
  readonly #runs: Run[]
  /** A file of so many positions is a small one. */
  readonly #small: number
  #removedUpTo = 0

  private constructor(folder: string, runs: Run[], small: number) {
    this.#folder = folder
    this.#runs = runs
    this.#small = small
  }

  /** Takes what is there of a journal with that salt, as long as `holds` says that the log has what a file names. */
  static async open(
    folder: string,
    salt: number,
    small: number,
    holds: (head: RunHead) => Promise<boolean>,
  ): Promise<Runs> {
    return new Runs(folder, await usable(folder, await namesIn(folder), salt, holds), small)
  }

  /** An index that knows nothing yet. */
  static none(folder: string, small: number): Runs {
    return new Runs(folder, [], small)
  }

  /** The last of its files; undefined for none. */
  get newest(): RunHead | undefined {
    return this.#runs.at(-1)?.head
  }

  /** The position up to which it goes. */
  get last(): number {
    return this.newest?.last ?? this.#removedUpTo
  }

  /** It knows nothing any more: every question is answered by IndexDamaged. */
  get removed(): boolean {
    return this.#removedUpTo > 0
  }

  /** What each of its files says of itself. */
  get names(): readonly RunHead[] {
    return this.#runs.map(({ head }) => head)
  }

  /** Positions and offsets of some records, ascending. */
  *anchors(): Generator<[position: number, offset: number]> {
    for (const { tables } of this.#runs) {
      const { anchors } = tables
      for (let at = 0; at < anchors.length; at += 2) yield [anchors[at]!, anchors[at + 1]!]
    }
  }

  mayHave(name: string): boolean {
    if (this.#runs.length === 0) return this.removed
    const hash = hashOf(name)
    for (const run of this.#runs) if (run.mayHave(hash)) return true
    return false
  }

  /** Rejects with IndexDamaged. */
  async find(name: string): Promise<Indexed | undefined> {
    return this.#using(async (runs) => indexed(await partsOf(runs, name)))
  }

  /** Position, offset and length of each record that is kept of a stream, one after the other. */
  places(name: string, from: number, to: number): Promise<number[]> {
    return this.#using(async (runs) => {
      const found: number[] = []
      for (const { run, entry } of await partsOf(runs, name)) {
        const first = Math.max(from, entry.first)
        const count = Math.min(to, entry.first + entry.count - 1) - first + 1
        if (entry.count === 0 || count <= 0) continue
        const bytes = await run.places(entry.at + first - entry.first, count)
        for (let index = 0; index < count; index++) {
          const { position, offset, length } = placeIn(bytes, index)
          found.push(position, offset, length)
        }
      }
      return found
    })
  }

  /** The place of the last record of every stream for which `wanted` holds, and the hash of the stream's name. */
  heads(wanted: (entry: Entry) => boolean): Promise<number[]> {
    return this.#using(async (runs) => {
      const found: number[] = []
      const note = (bytes: Buffer, hash: number) => {
        const { position, offset, length } = placeIn(bytes, 0)
        found.push(position, offset, length, hash)
      }
      await byStream(
        runs.map((run) => new OldRun(run)),
        (parts) => {
          const part = lastPart(parts)
          if (part === undefined || !wanted(part.entry)) return undefined
          const { at, count, hash } = part.entry
          const bytes = part.source.take(at + count - 1, 1)
          if (!Buffer.isBuffer(bytes)) return bytes.then((read) => note(read, hash))
          note(bytes, hash)
          return undefined
        },
      )
      return found
    })
  }

  /** The streams whose last record, as far as the index goes, is urgent. */
  urgent(
    inBlock: (run: Run, block: number) => boolean,
    wanted: (entry: Entry, trimmed: number) => boolean,
  ): Promise<Entry[]> {
    return this.#using(async (runs) => {
      const found: Entry[] = []
      for (const [number, run] of runs.entries()) {
        const { blocks } = run.head
        for (let block = 0; block < blocks; block++) {
          if (!inBlock(run, block)) continue
          let until = block + 1
          while (until < blocks && until - block < BLOCKS && inBlock(run, until)) until++
          for (const entry of await run.entries(block, until)) {
            if (entry.count === 0 || !wanted(entry, entry.trimmed)) continue
            const newer = runs.slice(number + 1).some((one) => one.mayHave(entry.hash))
            const all = newer ? indexed(await partsOf(runs, entry.name)) : undefined
            if (all === undefined || (all.newest.first === entry.first && wanted(entry, all.trimmed))) found.push(entry)
          }
          block = until - 1
        }
      }
      return found
    })
  }

  /** Writes what comes next. Rejects with what the file system says; then nothing has changed. */
  async add(source: RunSource, range: RunRange, stopped: () => boolean): Promise<void> {
    await makeFolders(this.#folder)
    this.#runs.push(await this.#write([source], range, stopped))
  }

  /** Whether files are to be made one. */
  get crowded(): boolean {
    return this.#crowd > 1
  }

  /** There are so many that a close waits for them to become fewer: a process may always be too short for it. */
  get overdue(): boolean {
    return this.#runs.length > MANY
  }

  /** Makes one file of the newest of about the same size. Rejects with IndexDamaged as well. */
  async merge(stopped: () => boolean): Promise<void> {
    await this.#merge(this.#runs.slice(-this.#crowd), stopped)
  }

  /** Makes one file of all of them. Rejects with IndexDamaged as well. */
  async mergeAll(stopped: () => boolean): Promise<void> {
    if (this.#runs.length > 1) await this.#merge(this.#runs.slice(), stopped)
  }

  async #merge(old: readonly Run[], stopped: () => boolean): Promise<void> {
    const newest = old.at(-1)!.head
    const anchors = old.flatMap(({ tables }) => Array.from(tables.anchors))
    const range = { ...newest, first: old[0]!.head.first, anchors, seed: randomSeed() }
    const run = await this.#write(
      old.map((one) => new OldRun(one)),
      range,
      stopped,
    )
    this.#runs.splice(-old.length, old.length, run)
    await removeAll(old)
  }

  async close(): Promise<void> {
    for (const run of this.#runs.splice(0)) await run.retire()
  }

  /** Removes what is no part of it, as far as that can be; `gone` is. While nothing is written into it. */
  async removeOthers(gone: string): Promise<void> {
    const beside = [SNAPSHOT_PLACES, RECLAIMED].map((name) => join(this.#folder, name))
    const kept = new Set([...this.#runs.map(({ path }) => path), gone, ...beside])
    for (const name of await namesIn(this.#folder)) {
      const path = join(this.#folder, name)
      if (OURS.test(name) && !kept.has(path)) await rm(path, { force: true }).catch(() => {})
    }
  }

  /** Removes all of it. */
  async remove(): Promise<void> {
    this.#removedUpTo = this.last
    await removeAll(this.#runs.splice(0))
  }

  async #write(sources: readonly RunSource[], range: RunRange, stopped: () => boolean): Promise<Run> {
    const numbers = [range.first, range.last].map((position) => String(position).padStart(16, '0'))
    const path = join(this.#folder, `${numbers.join('-')}.run`)
    await writeRun(`${path}.new`, range, sources, stopped)
    await rename(`${path}.new`, path)
    const run = await Run.open(path, range.salt)
    if (run === undefined) throw new IndexDamaged(`${path} is not as it was written`)
    return run
  }

  /** How many of the newest are to become one; 0 or 1 for none. */
  get #crowd(): number {
    const sizes = this.#runs.map(({ head }) => this.#sizeOf(head))
    const size = sizes.at(-1) ?? 0
    let count = 0
    while (count < sizes.length && sizes[sizes.length - 1 - count]! <= size) count++
    return count < FAN ? 0 : count
  }

  #sizeOf({ first, last }: RunHead): number {
    return Math.floor(Math.log(Math.max((last - first + 1) / this.#small, 1)) / Math.log(FAN) + 0.01)
  }

  async #using<T>(read: (runs: readonly Run[]) => Promise<T>): Promise<T> {
    if (this.removed) throw new IndexDamaged('it was removed')
    const runs = this.#runs.slice()
    for (const run of runs) run.use()
    try {
      return await read(runs)
    } finally {
      for (const run of runs) await run.unuse()
    }
  }
}

/** Whether it is a file that an index has; no other is ever removed. */
export const isOfIndex = (entry: Dirent) => entry.isFile() && OURS.test(entry.name)

/** The position up to which the names of files in a folder say that the index goes. */
export async function indexedUpTo(folder: string): Promise<number> {
  return Math.max(0, ...filesAmong(folder, await namesIn(folder)).map(({ last }) => last))
}

/** A position behind another one up to which the index of a journal with that salt, or with any, goes; undefined for none. */
export async function knownBehind(
  folder: string,
  salt: number | undefined,
  position: number,
): Promise<number | undefined> {
  for (const { path, last } of filesAmong(folder, await namesIn(folder))) {
    if (last <= position) continue
    const run = await Run.open(path, salt).catch(unlessTooMany)
    await run?.retire()
    if (run?.head.last === last) return last
  }
  return undefined
}

/** None where there is no such folder. */
const namesIn = (folder: string): Promise<string[]> => readdir(folder).catch((error) => unlessTooMany(error) ?? [])

/** By first position, the longest first. */
function filesAmong(folder: string, names: readonly string[]) {
  const found = names.flatMap((name) => {
    const match = NAME.exec(name)
    return match ? [{ path: join(folder, name), first: Number(match[1]), last: Number(match[2]) }] : []
  })
  return found.sort((one, other) => one.first - other.first || other.last - one.last)
}

/** The files that follow one another from the first position on and are those of the log. */
async function usable(
  folder: string,
  names: readonly string[],
  salt: number,
  holds: (head: RunHead) => Promise<boolean>,
): Promise<Run[]> {
  const runs: Run[] = []
  try {
    for (const { path, first, last } of filesAmong(folder, names)) {
      if (first !== (runs.at(-1)?.head.last ?? 0) + 1) continue
      const run = await Run.open(path, salt).catch(unlessTooMany)
      if (run === undefined) continue
      runs.push(run)
      if (run.head.first === first && run.head.last === last && (await holds(run.head))) continue
      await runs.pop()!.retire()
    }
  } catch (error) {
    for (const run of runs) await run.retire()
    throw error
  }
  return runs
}

/** The seed of a file's checksums. */
export const randomSeed = () => Math.floor(Math.random() * 2 ** 32)

/** What can't be opened is of no use; but it may be, once this process has fewer files open. */
function unlessTooMany(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'EMFILE' || error.code === 'ENFILE') throw error
}

async function removeAll(runs: readonly Run[]): Promise<void> {
  for (const run of runs) {
    await run.retire()
    await rm(run.path, { force: true }).catch(() => {})
  }
}

async function partsOf(runs: readonly Run[], name: string): Promise<{ run: Run; entry: Entry }[]> {
  const hash = hashOf(name)
  const found: { run: Run; entry: Entry }[] = []
  for (const run of runs) {
    const entry = await run.find(name, hash)
    if (entry !== undefined) found.push({ run, entry })
  }
  trimmedIn(found)
  return found
}

function indexed(parts: readonly { entry: Entry }[]): Indexed | undefined {
  const newest = parts.findLast(({ entry }) => entry.count > 0)?.entry
  if (newest === undefined) return undefined
  return { last: newest.first + newest.count - 1, trimmed: trimmedIn(parts), newest }
}

function lastPart(parts: readonly Part[]): Part | undefined {
  return parts.findLast(({ entry }) => entry.count > 0)
}
