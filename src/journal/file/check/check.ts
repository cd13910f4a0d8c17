// Checks a whole journal: all that is not as it was written, and what it holds. Reads only, also beside the process that
// writes it.
//
// K7 what a bad disk did is named place by place, with what it has cost; repair.ts sees to it.
import { readdir, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { isDuramenError } from '../../../ports/errors.ts'
import { assertFunction, assertNames, assertPath, badOption, optionsGiven } from '../../../ports/given.ts'
import { asDuramen } from '../../fs-error.ts'
import { holderOf } from '../../lock.ts'
import { decodeCommit } from '../../records.ts'
import { committedEnd } from '../commit/committed-end.ts'
import type { TornTail } from '../commit/recover.ts'
import { type ChainHead, type ChainReport, ChainVerifier } from '../segments/chain.ts'
import { listSegments } from '../segments/segments.ts'
import { judge, type Order } from './check-order.ts'
import type { Found } from './check-walk.ts'
import { examine } from './examine.ts'
import type { Damage, Examination } from './findings.ts'

/** How a journal is checked. */
export interface CheckOptions {
  /** Is told how many bytes of how many are read, now and then; what it throws ends the check. Default: nobody is. */
  readonly onProgress?: (done: number, total: number) => void
  /** What `chainHead()` of a chained journal said earlier: whether it still leads there. Default: nothing is expected. */
  readonly expect?: ChainHead
}

/** Records of a stream that are lost. */
export interface LostRecords {
  readonly stream: string
  /** The seq of the first one. What is behind is not to be used any more, for it needs the lost ones. */
  readonly from: number
}

/** What a check has found. */
export interface JournalReport {
  /** Nothing of it is damaged: it can be opened, and nothing is missing. */
  readonly sound: boolean
  /** All damages, in the order of the files. */
  readonly damages: readonly Damage[]
  /** What they have cost, by stream. */
  readonly lost: readonly LostRecords[]
  /**
   * `false`: the index does not go as far as the damages do. Then streams whose last records are lost are not among `lost`,
   * because nothing is left that names them.
   */
  readonly lostIsAll: boolean
  /** What a crash has left at the end. It does no harm, and is cut off when the journal is opened. */
  readonly torn: TornTail | undefined
  /** Records that are as they were written and are no commits of a host: how many, and the first one. */
  readonly notCommits: { readonly count: number; readonly stream?: string; readonly seq?: number }
  /** The position up to which the index goes; what is behind is read when the journal is opened. */
  readonly indexedTo: number
  /** Files in the folder that are none of the journal's. */
  readonly leftovers: readonly string[]
  /** The process that has the journal open, or had when it died (`alive`: `false`, which does no harm); absent for none. */
  readonly writer?: { readonly pid: number; readonly host: string; readonly since: string; readonly alive: boolean }
  /** Of a journal that is chained, or of which a chain's end was expected; absent while anything is damaged. */
  readonly chain?: ChainReport
  readonly usage: JournalUsage
}

/** What a journal holds. */
export interface JournalUsage {
  readonly segments: number
  /** Of all segments. */
  readonly bytes: number
  /** The position of the last record. */
  readonly last: number
  /** That can be read. */
  readonly records: number
  readonly streams: number
  /** Bytes of records that are trimmed, and could be given back; about. */
  readonly trimmedBytes: number
}

const OWN = /^(lock(\.[0-9a-f]{8}\.sock)?|index|snapshots|committed|next|backup\.json|\d{16}\.log|quarantine-.*)$/

/** So often it is read while its writer gives up bytes. */
const TRIES = 5

/**
 * Reads all of the journal in a folder, frame by frame, and says what is not as it was written. Changes nothing.
 * Rejects with DuramenError: FOLDER_MISSING, NO_PERMISSION, IO, BAD_OPTION.
 */
export async function checkJournal(dir: string, options: CheckOptions = {}): Promise<JournalReport> {
  assertPath('checkJournal', dir)
  const given = optionsGiven('checkJournal', options, 'Leave it out, or give an object: { onProgress: … }.')
  assertNames('checkJournal', given, ['onProgress', 'expect'])
  const { onProgress = () => {}, expect } = given
  assertFunction('onProgress', onProgress, 'Give a function that is called with two numbers.')
  if (expect !== undefined) assertHead(expect)
  const folder = resolve(dir)
  try {
    return await report(folder, onProgress, expect)
  } catch (error) {
    throw asDuramen(error, `check the journal in ${dir}`, { file: dir })
  }
}

function assertHead(expect: ChainHead): void {
  const { position, hash } = Object(expect) as Partial<ChainHead>
  if (Number.isSafeInteger(position) && position! > 0 && typeof hash === 'string' && /^[0-9a-f]{64}$/.test(hash)) return
  throw badOption('expect', expect, 'is no end of a chain', 'Give what chainHead() has said: { position, hash }.')
}

async function report(
  folder: string,
  onProgress: (done: number, total: number) => void,
  expect: ChainHead | undefined,
): Promise<JournalReport> {
  const names = await readdir(folder)
  const writer = await holderOf(join(folder, 'lock'))
  const { found, commits, verifier } = await examined(folder, writer?.alive ?? false, onProgress, expect)
  try {
    const { damages, order, index, torn, last, bytes, parts } = found
    const chain = damages.length === 0 ? verifier.end() : undefined
    const { lost, lostIsAll } = damages.length === 0 ? { lost: [], lostIsAll: true } : await lostOf(found)
    return {
      sound: damages.length === 0,
      damages,
      lost,
      lostIsAll,
      torn,
      notCommits: commits.found,
      indexedTo: index.last,
      leftovers: names.filter((name) => !OWN.test(name)).map((name) => join(folder, name)),
      ...(writer && { writer: { pid: writer.pid, host: writer.host, since: writer.since, alive: writer.alive } }),
      ...(chain !== undefined && (expect ?? chain.from) !== undefined && { chain }),
      usage: {
        segments: parts.filter(({ kind }) => kind === 'segment').length,
        bytes,
        last,
        records: order.records,
        streams: order.streams.size,
        trimmedBytes: trimmedBytes(order),
      },
    }
  } finally {
    await found.index.close()
  }
}

/** All of it; again where its writer has given up bytes meanwhile, which looks like damage. */
async function examined(
  folder: string,
  written: boolean,
  onProgress: (done: number, total: number) => void,
  expect: ChainHead | undefined,
) {
  for (let tries = 1; ; tries++) {
    const until = written ? await committedEnd(folder).catch(ifDamaged) : undefined
    const commits = new Commits()
    const verifier = new ChainVerifier(expect)
    const before = await filesIn(folder)
    const found = await examine(folder, {
      until,
      onProgress,
      onRecord: (record) => commits.look(record),
      chain: verifier,
    })
    if (found.damages.length === 0 || tries === TRIES) return { found, commits, verifier }
    const after = await filesIn(folder)
    if (before.every((file, number) => file === after[number])) return { found, commits, verifier }
    await found.index.close()
  }
}

/** Which files the segments are: a reclaim puts others in their place. */
async function filesIn(folder: string): Promise<bigint[]> {
  const segments = await listSegments(folder)
  return Promise.all(segments.map(async ({ file }) => (await stat(file, { bigint: true })).ino))
}

/** Then all of it is looked at. */
function ifDamaged(error: unknown): undefined {
  if (isDuramenError(error) && error.code === 'JOURNAL_DAMAGED') return undefined
  throw error
}

/** What damages have cost, as far as the log and its index tell. */
async function lostOf({ order, index, damages }: Examination) {
  const { cuts } = await judge(order, (stream) => index.trimmedBefore(stream))
  await index.lasts((stream, seq) => {
    const last = order.streams.get(stream)?.last ?? 0
    if (seq > last && !cuts.has(stream)) cuts.set(stream, last + 1)
  })
  const lost = Array.from(cuts, ([stream, from]): LostRecords => ({ stream, from }))
  const behind = Math.max(0, ...damages.map(({ to = 0 }) => to))
  return { lost, lostIsAll: index.last >= behind }
}

/** A trim keeps the last record in most cases; where it keeps more, their size is taken to be the common one. */
function trimmedBytes(order: Order): number {
  let sum = 0
  for (const { first, last, before, bytes, lastBytes } of order.streams.values()) {
    if (before <= first || first === 0) continue
    const others = last - first
    const dropped = Math.min(before, last) - first
    if (others > 0) sum += Math.round(((bytes - lastBytes) * dropped) / others)
  }
  return sum
}

/** Which records a host could not read. */
class Commits {
  found: JournalReport['notCommits'] = { count: 0 }

  look({ frame, buffer, until }: Found): void {
    const { stream, seq, codec, textAt } = frame
    if (codec !== 0) return
    const { count } = this.found
    try {
      decodeCommit({ stream, seq, position: 0, text: buffer.toString('utf8', textAt, until) })
    } catch {
      this.found = count === 0 ? { count: 1, stream, seq } : { ...this.found, count: count + 1 }
    }
  }
}
