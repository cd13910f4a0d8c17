// The embedded journal: a folder of append-only segment files, a lock, and a file of snapshots. The segments are the truth
// (K3); the index in memory and the snapshots are caches of them.
//
// K2 one process at a time: the lock. K10 close() waits for the appends under way and gives the lock back.
// K12 folders 0700, files 0600.
import { randomBytes } from 'node:crypto'
import { join, resolve } from 'node:path'
import { left, map, right } from 'fp-ts/lib/Either.js'
import { DuramenError } from '../../ports/errors.ts'
import { assertPath, optionsGiven, shown } from '../../ports/given.ts'
import { type Logger, loggerOf, type PinoLogger } from '../../ports/logger.ts'
import { closed, refusal, snapshotRefusal, trimRefusal, within } from '../check.ts'
import { fsError } from '../fs-error.ts'
import { acquireLock, type Lock } from '../lock.ts'
import type { Journal } from '../port.ts'
import { GroupCommit } from './group-commit.ts'
import { Log } from './log.ts'
import { lastSeq, Places } from './places.ts'
import { readRecords, recordSum, type Source } from './read.ts'
import { recover, type TornTail } from './recover.ts'
import { createFolder, SegmentReader } from './segments.ts'
import { Snapshots } from './snapshots.ts'

/** How a file journal is kept. */
export interface FileJournalOptions {
  /** A segment that would grow beyond so many bytes is followed by a new one; 1 KiB to 1 GiB. Default 128 MiB. */
  readonly segmentBytes?: number
  /** Is told of a torn tail that was cut off: console- or pino-shaped. Default `console`. */
  readonly logger?: Logger | PinoLogger
}

/** A journal in a folder of this machine. */
export interface FileJournal extends Journal {
  /** What a crash had left unfinished at the end and was cut off when the journal was opened (K7). */
  readonly torn: TornTail | undefined
}

const DEFAULT_SEGMENT_BYTES = 128 * 1024 * 1024

/**
 * Opens the journal in a folder, for this process alone; creates what is missing. Reads all of it once, to check it.
 * Rejects with DuramenError: LOCKED (another process has it, `where` names its pid), JOURNAL_DAMAGED (`where` names
 * file and offset; nothing was changed), BAD_OPTION, NO_PERMISSION, READ_ONLY, NO_SPACE, IO.
 */
export async function fileJournal(dir: string, options: FileJournalOptions = {}): Promise<FileJournal> {
  assertPath('fileJournal', dir)
  const { segmentBytes = DEFAULT_SEGMENT_BYTES, logger: given } = optionsGiven('fileJournal', options)
  const logger = loggerOf(given ?? console)
  if (!Number.isSafeInteger(segmentBytes) || segmentBytes < 1024 || segmentBytes > 2 ** 30) {
    throw new DuramenError('BAD_OPTION', `segmentBytes can't be ${shown(segmentBytes)}`, {
      hint: 'Pass an integer between 1024 and 1073741824.',
    })
  }
  let lock: Lock | undefined
  try {
    await createFolder(resolve(dir))
    lock = await acquireLock(join(dir, 'lock'))
    return await openLocked(dir, segmentBytes, logger, lock)
  } catch (error) {
    await lock?.release().catch(() => {})
    throw error instanceof DuramenError ? error : fsError(error, `open the journal in ${dir}`, { file: dir })
  }
}

async function openLocked(dir: string, segmentBytes: number, logger: Logger, lock: Lock): Promise<FileJournal> {
  const places = new Places()
  const { segments, torn, ...found } = await recover(dir, places)
  const salt = found.salt ?? randomBytes(4).readUInt32LE()
  const log = await Log.open(dir, segments, salt, segmentBytes)
  const commits = new GroupCommit(log, places)
  const reader = new SegmentReader()
  let closing: Promise<void> | undefined
  const check = () => {
    if (closing !== undefined) throw closed()
  }
  const source: Source = { places, segments, reader, salt, check }
  const sumOf = (stream: string, seq: number) => recordSum(source, stream, seq)
  const snapshots = new Snapshots(join(dir, 'snapshots'), salt, sumOf, logger)
  if (torn !== undefined) {
    logger.warn('An append that a crash had cut short was removed; nobody was told that it had happened', torn)
  }

  const close = async () => {
    await commits.settled()
    await snapshots.close()
    await Promise.all([log.close(), reader.close()])
    await lock.release()
  }

  return {
    torn,
    append: (append) => () => {
      if (closing !== undefined) return Promise.resolve(left(closed()))
      const refused = refusal(append)
      return refused === undefined ? commits.append(append) : Promise.resolve(left(refused))
    },
    read(stream, range = {}) {
      const found = places.find(stream)
      if (found === undefined) return readRecords(source, 0, () => undefined)
      const { positions, trimmed } = found
      const { from, count } = within(range, lastSeq(found), trimmed + 1)
      return readRecords(source, count, (index) => positions[from - 1 - trimmed + index])
    },
    readAll(range = {}) {
      const { from, count } = within(range, places.last)
      return readRecords(source, count, (index) => (places.kept(from + index) ? from + index : undefined))
    },
    heads() {
      const heads = places.heads()
      return readRecords(source, heads.length, (index) => heads[index])
    },
    async head(stream) {
      check()
      const last = places.find(stream)?.positions.at(-1)
      if (last === undefined) return undefined
      for await (const record of readRecords(source, 1, () => last)) return record
      return undefined
    },
    trim: (stream, before) => async () => {
      if (closing !== undefined) return left(closed())
      // Whether it is beyond the last record is known once the appends before it are through.
      const possible = Number.isSafeInteger(before) && before >= 1
      const refused = trimRefusal(stream, before, possible ? before : (places.find(stream)?.claimed ?? 0))
      return refused === undefined ? map(() => undefined)(await commits.trim(stream, before)) : left(refused)
    },
    saveSnapshot: (snapshot) => async () => {
      if (closing !== undefined) return left(closed())
      const refused = snapshotRefusal(snapshot)
      if (refused !== undefined) return left(refused)
      const { stream, seq, text } = snapshot
      const found = places.find(stream)
      if (found !== undefined && seq <= lastSeq(found)) snapshots.save({ stream, seq, text })
      return right(undefined)
    },
    async snapshot(stream) {
      check()
      const found = await snapshots.find(stream)
      check()
      return found
    },
    close: () => async () => {
      closing ??= close()
      try {
        return right(await closing)
      } catch (error) {
        return left(
          error instanceof DuramenError ? error : fsError(error, `close the journal in ${dir}`, { file: dir }),
        )
      }
    },
  }
}
