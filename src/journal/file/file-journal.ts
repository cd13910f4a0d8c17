// The embedded journal: a folder of append-only segment files, a lock, a folder with the index, and a file of snapshots. The
// segments are the truth (K3); index and snapshots are caches of them.
//
// K2 one process at a time: the lock. K10 close() waits for the appends under way and gives the lock back.
// K12 folders 0700, files 0600.
import { randomBytes } from 'node:crypto'
import { join, resolve } from 'node:path'
import { left, map, right } from 'fp-ts/lib/Either.js'
import { isDuramenError } from '../../ports/errors.ts'
import { assertNames, assertPath, badOption, optionsGiven } from '../../ports/given.ts'
import { type Logger, loggerOf, type PinoLogger } from '../../ports/logger.ts'
import { closed, refusal, snapshotRefusal, trimRefusal, within } from '../check.ts'
import type { FrameCodec } from '../frame-codec.ts'
import { asDuramen } from '../fs-error.ts'
import { acquireLock, type Lock } from '../lock.ts'
import type { BackedUp, Journal } from '../port.ts'
import { backUp, type CopyOptions } from './backup/backup.ts'
import { CommittedFile, type LastFrame, NO_FRAME } from './commit/committed.ts'
import { type CommittedEnd, NO_END } from './commit/committed-end.ts'
import { GroupCommit } from './commit/group-commit.ts'
import { type LogOptions, openLog } from './commit/open-log.ts'
import { survey, type TornTail } from './commit/recover.ts'
import type { Places } from './index/places.ts'
import { SNAPSHOT_PLACES } from './index/runs.ts'
import { Listings } from './reading/listings.ts'
import { readHead, readHeads, readLog, readStream, recordSum, type Source, segmentOf } from './reading/read.ts'
import type { Reclaimed } from './reclaim.ts'
import { archiveGiven, Reclaiming, type ReclaimingWay, type ReclaimOptions, reclaimGiven } from './reclaiming.ts'
import type { ChainHead } from './segments/chain.ts'
import { Coding, codecsGiven } from './segments/coding.ts'
import { removeCopies } from './segments/holes.ts'
import { createFolder, type Segment, SegmentReader } from './segments/segments.ts'
import { Snapshots } from './snapshots/snapshots.ts'

/** How a file journal is kept. */
export interface FileJournalOptions {
  /** A segment that would grow beyond so many bytes is followed by a new one; 1 KiB to 1 GiB. Default 128 MiB. */
  readonly segmentBytes?: number
  /**
   * So many records wait in memory until they go into the index, a folder beside the segments; 16 to 1,048,576. As many are
   * read when the journal is opened after a crash. Default 32,768.
   */
  readonly indexEvery?: number
  /**
   * Makes bytes of the texts of commits and snapshots, and texts of the bytes: `aesGcm({ keys })` encrypts them (K12). Of
   * several, the first writes and all of them read; what was written without one can be read all the same. Default: none.
   */
  readonly codec?: FrameCodec | readonly FrameCodec[]
  /**
   * Whether each group that is written carries the hash of the one before, so that whoever notes `chainHead()` elsewhere can
   * tell later whether anything before was changed. Once on, it stays on. Default false.
   */
  readonly chain?: boolean
  /**
   * Whether the space of what was trimmed is given back by itself (K9), in the background: each time that the log has grown by
   * as much as was kept of it, and by a segment at least. `false`: only by `journal.reclaim()`; `{ archive: DIR }`: each
   * segment goes there before it loses something, also where that is called without an archive. Default true.
   */
  readonly reclaim?: boolean | ReclaimOptions
  /**
   * Is told of a torn tail that was cut off, of caches that can't be used or written, and of space that can't be given back:
   * console- or pino-shaped. Default `console`.
   */
  readonly logger?: Logger | PinoLogger
}

/** A journal in a folder of this machine. What it has beside the port's calls answers with promises that reject. */
export interface FileJournal extends Journal {
  /** What a crash had left unfinished at the end and was cut off when the journal was opened (K7). */
  readonly torn: TornTail | undefined
  /** As `backupJournal`, and rejects with CLOSED. */
  backup(to: string, options?: CopyOptions): Promise<BackedUp>
  /** The end of a chained journal, to be noted elsewhere; undefined for one that is not chained, or holds nothing yet. */
  chainHead(): ChainHead | undefined
  /**
   * Gives back the space of what was trimmed at once, in all segments but the last: beside appends and reads, one call at a
   * time; a later one waits, also for one that has begun by itself. It reads the whole log, and writes each segment that loses
   * something anew. What was dropped for good is in no file of the journal then, unless it is in the last segment. A journal
   * whose groups are chained only gives up segments from its beginning of which nothing is left.
   * Rejects with BAD_OPTION, JOURNAL_DAMAGED, BACKUP_MISMATCH (the archive is of another history), NO_SPACE (a copy of one
   * segment must have room), NO_PERMISSION, READ_ONLY, IO, CLOSED; what was given up until then is, and the next call goes on.
   */
  reclaim(options?: ReclaimOptions): Promise<Reclaimed>
}

const NAMES: readonly string[] = [
  'segmentBytes',
  'indexEvery',
  'codec',
  'chain',
  'reclaim',
  'logger',
] satisfies (keyof FileJournalOptions)[]

const DEFAULT_SEGMENT_BYTES = 128 * 1024 * 1024
const DEFAULT_INDEX_EVERY = 1 << 15

/**
 * Opens the journal in a folder, for this process alone; creates what is missing. Reads and checks what the index does
 * not have yet; without an index, all of it.
 * Rejects with DuramenError: LOCKED (another process has it, `where` names its pid), JOURNAL_DAMAGED (`where` names
 * file and offset; nothing was changed), CODEC_MISSING, CODEC_FAILED or WRONG_KEY (what the index does not have can't be
 * decoded), BAD_OPTION, NO_PERMISSION, READ_ONLY, NO_SPACE, IO.
 */
export async function fileJournal(dir: string, options: FileJournalOptions = {}): Promise<FileJournal> {
  assertPath('fileJournal', dir)
  const given = optionsGiven('fileJournal', options, 'Leave it out, or give an object: { segmentBytes: 2 ** 27 }.')
  assertNames('fileJournal', given, NAMES)
  const { segmentBytes = DEFAULT_SEGMENT_BYTES, indexEvery = DEFAULT_INDEX_EVERY, chain = false } = given
  const logger = loggerOf(given.logger ?? console)
  assertBetween('segmentBytes', segmentBytes, 1024, 2 ** 30)
  assertBetween('indexEvery', indexEvery, 16, 2 ** 20)
  if (typeof chain !== 'boolean')
    throw badOption('chain', chain, 'is neither true nor false', 'Leave it out for false.')
  const coding = new Coding(codecsGiven(given.codec))
  let lock: Lock | undefined
  try {
    const reclaim = await reclaimGiven(dir, given.reclaim)
    await createFolder(resolve(dir))
    lock = await acquireLock(join(dir, 'lock'))
    return await openLocked(dir, { segmentBytes, indexEvery, chain }, reclaim, coding, logger, lock)
  } catch (error) {
    await lock?.release().catch(() => {})
    throw asDuramen(error, `open the journal in ${dir}`, { file: dir })
  }
}

function assertBetween(name: string, value: number, least: number, most: number): void {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return
  throw badOption(
    name,
    value,
    `is no integer between ${least} and ${most}`,
    'Leave it out for its default, or give one.',
  )
}

async function openLocked(
  dir: string,
  options: LogOptions,
  reclaim: ReclaimingWay,
  coding: Coding,
  logger: Logger,
  lock: Lock,
): Promise<FileJournal> {
  await removeCopies(dir)
  const found = await survey(dir)
  const salt = found.salt ?? randomBytes(4).readUInt32LE()
  const segments: Segment[] = []
  const reader = new SegmentReader(salt)
  let closing: Promise<void> | undefined
  const check = () => {
    if (closing !== undefined) throw closed()
  }
  const source = { segments, reader, salt, coding, listings: new Listings(), check } satisfies Source
  const { places, torn, sum, log } = await openLog(dir, found.files, source, options, logger)
  const lastFrame = (sum: number): LastFrame => {
    const { position, offset, length } = places.end
    if (position === 0) return NO_FRAME
    return { position, segment: segmentOf(segments, position).first, start: offset, end: offset + length, sum }
  }
  const committed = new CommittedFile(dir, salt, lock.id, sum, lastFrame, logger)
  await committed.write()
  const commits = new GroupCommit(log, places, coding, committed)
  const sumOf = (stream: string, seq: number) => recordSum(source, places, stream, seq)
  const snapshots = new Snapshots(
    join(dir, 'snapshots'),
    join(dir, 'index', SNAPSHOT_PLACES),
    salt,
    coding,
    sumOf,
    logger,
  )
  if (torn !== undefined) {
    logger.warn('An append that a crash had cut short was removed; nobody was told that it had happened', torn)
  }

  const reclaiming = new Reclaiming(dir, { source, places, committed, snapshots, logger }, reclaim)
  log.onSegment = () => reclaiming.begin()
  await reclaiming.open()
  const isErased = (error: unknown) => isDuramenError(error) && error.code === 'ERASED'

  const close = async () => {
    await commits.settled()
    await reclaiming.settled()
    const failed: unknown[] = []
    for (const part of [committed, snapshots, places, log, reader]) {
      await part.close().catch((error) => failed.push(error))
    }
    if (failed.length > 0) throw failed[0]
  }

  return {
    torn,
    chainHead: () => log.chain?.head,
    append: (append) => () => {
      if (closing !== undefined) return Promise.resolve(left(closed()))
      const refused = refusal(append)
      return refused === undefined ? commits.append(append) : Promise.resolve(left(refused))
    },
    async *read(stream, range = {}) {
      check()
      const found = await places.look(stream)
      if (found === undefined || found.last === 0) return
      const { from, count } = within(range, found.last, found.trimmed + 1)
      yield* readStream(source, places, stream, from, from + count - 1)
    },
    readAll(range = {}) {
      const { from, count } = within(range, places.last)
      return readLog(source, places, from, from + count - 1)
    },
    async *heads({ pending = false } = {}) {
      check()
      yield* readHeads(source, places, pending)
    },
    head: (stream) => readHead(source, places, stream),
    async *due(before) {
      check()
      for (const one of await places.due(before)) {
        // what is wrong with one is for who reads it to find out; it must not hide the others
        const gone =
          coding.codec !== undefined && (await readHead(source, places, one.stream).then(() => false, isErased))
        if (gone) continue
        check()
        yield one
      }
    },
    trim: (stream, before) => async () => {
      if (closing !== undefined) return left(closed())
      // Whether it is beyond the last record is known once the appends before it are through.
      const possible = Number.isSafeInteger(before) && before >= 1
      const refused = trimRefusal(
        stream,
        before,
        possible ? before : ((await places.look(stream).catch(() => undefined))?.claimed ?? 0),
      )
      return refused === undefined ? map(() => undefined)(await commits.trim(stream, before)) : left(refused)
    },
    saveSnapshot: (snapshot) => async () => {
      if (closing !== undefined) return left(closed())
      const refused = snapshotRefusal(snapshot)
      if (refused !== undefined) return left(refused)
      const { stream, seq, text } = snapshot
      const last = (await places.look(stream).catch(() => undefined))?.last ?? 0
      if (seq <= last) snapshots.save({ stream, seq, text })
      return right(undefined)
    },
    async snapshot(stream) {
      check()
      const found = await snapshots.find(stream)
      check()
      return found
    },
    async backup(to, options) {
      check()
      return backUp(dir, to, async () => committedHere(places.end, segments), options)
    },
    async reclaim(options) {
      check()
      try {
        return await reclaiming.run(await archiveGiven(dir, options))
      } catch (error) {
        throw asDuramen(error, `reclaim space in ${dir}`, { file: dir })
      }
    },
    close: () => async () => {
      closing ??= close()
      try {
        await closing.finally(lock.release)
        return right(undefined)
      } catch (error) {
        return left(asDuramen(error, `close the journal in ${dir}`, { file: dir }))
      }
    },
  }
}

function committedHere({ position, offset, length }: Places['end'], segments: readonly Segment[]): CommittedEnd {
  return position === 0 ? NO_END : { position, segment: segmentOf(segments, position).first, offset: offset + length }
}
