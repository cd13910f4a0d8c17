// A journal that another process may be writing, or nobody, opened for reading: without its lock, and without a change to
// anything in its folder.
//
// K1 K7 it shows what is committed: never what is not on disk, nor what its writer takes back (committed-end.ts).
// K3 what is not as it was written, or not there any more, is never an answer: files may become fewer while they are read,
// so it is asked again of the files as they are then; what is wrong still is an error.
import { type Either, left, right } from 'fp-ts/lib/Either.js'
import { DuramenError } from '../../../ports/errors.ts'
import { assertNames, assertPath, badOption, optionsGiven } from '../../../ports/given.ts'
import { type Logger, loggerOf, type PinoLogger } from '../../../ports/logger.ts'
import { closed, within } from '../../check.ts'
import type { FrameCodec } from '../../frame-codec.ts'
import { asDuramen, fsError } from '../../fs-error.ts'
import type { Journal, Range, StoredRecord } from '../../port.ts'
import { committedFile } from '../commit/committed.ts'
import { EndFinder } from '../commit/committed-end.ts'
import { IndexDamaged } from '../index/pages.ts'
import { Coding, codecsGiven } from '../segments/coding.ts'
import { Changes } from './changes.ts'
import { isReplaced, readHead, readHeads, readLog, readStream } from './read.ts'
import { View } from './view.ts'

/** How a journal is opened for reading. */
export interface ReaderOptions {
  /** Must be true: a journal that is to be written is opened with `fileJournal`. */
  readonly readOnly: true
  /** So often, in ms, it is looked whether there is more, where the file system does not tell; 1 to 60,000. Default 100. */
  readonly poll?: number
  /** What makes texts of bytes that were written with a codec, as for `fileJournal`. Default: none. */
  readonly codec?: FrameCodec | readonly FrameCodec[]
  /** Is told once that the index can't be used: console- or pino-shaped. Default `console`. */
  readonly logger?: Logger | PinoLogger
}

/** Which records are followed. */
export interface FollowOptions {
  /** The position of the first one. Default: the first that is kept. */
  readonly from?: number
  /** Ends it. Default: it ends when the reader is closed. */
  readonly signal?: AbortSignal
}

/** A journal to read, as it is at the moment of each call. */
export interface JournalReader extends Pick<Journal, 'read' | 'readAll' | 'heads' | 'head' | 'close'> {
  /** The position of the last committed record or trim; 0 for an empty journal. Rejects with DuramenError. */
  end(): Promise<number>
  /**
   * All records in order of position, from the first on and then as they are committed, each once; without those that were
   * trimmed before it came to them. Ends, without an error, when it is aborted or the reader is closed; reads no faster
   * than it is asked. To go on later, begin behind the position of the last one. Rejects with DuramenError.
   */
  follow(options?: FollowOptions): AsyncIterable<StoredRecord>
}

const DEFAULT_POLL = 100
/** So often what could not be read is asked anew; the last time without the index. */
const TRIES = 3

/**
 * Opens the journal in a folder for reading, beside the process that writes it or without one. Takes no lock and changes
 * nothing: the folder may be read-only.
 * Rejects with DuramenError: FOLDER_MISSING (no such folder, or no journal in it yet), JOURNAL_DAMAGED (`where` names
 * file and offset), CODEC_MISSING, CODEC_FAILED or WRONG_KEY (what the index does not have can't be decoded), BAD_OPTION,
 * NO_PERMISSION, IO.
 */
export async function openJournal(dir: string, options: ReaderOptions): Promise<JournalReader> {
  assertPath('openJournal', dir)
  const given = optionsGiven('openJournal', options, 'Give { readOnly: true }.')
  assertNames('openJournal', given, ['readOnly', 'poll', 'codec', 'logger'])
  if (given.readOnly !== true) {
    throw badOption('readOnly', given.readOnly, 'is not true', 'Open a journal that is to be written with fileJournal.')
  }
  const { poll = DEFAULT_POLL } = given
  if (!Number.isSafeInteger(poll) || poll < 1 || poll > 60_000) {
    throw badOption('poll', poll, 'is no number of milliseconds', 'Pass an integer between 1 and 60000.')
  }
  const reader = new FolderReader(dir, poll, new Coding(codecsGiven(given.codec)), loggerOf(given.logger ?? console))
  try {
    await reader.open()
  } catch (error) {
    throw unread(error, dir)
  }
  return {
    end: () => reader.end(),
    read: (stream, range) => reader.read(stream, range),
    readAll: (range) => reader.readAll(range),
    heads: (filter) => reader.heads(filter?.pending ?? false),
    head: (stream) => reader.head(stream),
    follow: (options) => reader.follow(options),
    close: () => () => reader.close(),
  }
}

class FolderReader {
  readonly #dir: string
  readonly #poll: number
  readonly #coding: Coding
  readonly #logger: Logger
  readonly #ends: EndFinder
  readonly #closing = new AbortController()
  #view: View | undefined
  /** With those before it that are still used. */
  readonly #views = new Set<View>()
  /** Whoever changes the view does so after those before. */
  #changing: Promise<unknown> = Promise.resolve()
  /** A look that has not begun yet, for all who ask meanwhile. */
  #next: Promise<View> | undefined
  #warned = false

  constructor(dir: string, poll: number, coding: Coding, logger: Logger) {
    this.#coding = coding
    this.#dir = dir
    this.#poll = poll
    this.#logger = logger
    this.#ends = new EndFinder(dir)
  }

  async open(): Promise<void> {
    await this.#fresh()
  }

  async end(): Promise<number> {
    this.#check()
    try {
      return (await this.#fresh()).end.position
    } catch (error) {
      throw unread(error, this.#dir)
    }
  }

  read(stream: string, range: Range = {}): AsyncGenerator<StoredRecord> {
    let bounds: { from: number; to: number } | undefined
    return this.#reading(true, async function* ({ source, places }, last) {
      if (bounds === undefined) {
        const found = await places.look(stream)
        if (found === undefined || found.last === 0) return
        const { from, count } = within(range, found.last, found.trimmed + 1)
        bounds = { from, to: from + count - 1 }
      }
      yield* readStream(source, places, stream, last === undefined ? bounds.from : last.seq + 1, bounds.to)
    })
  }

  readAll(range: Range = {}): AsyncGenerator<StoredRecord> {
    let bounds: { from: number; to: number } | undefined
    return this.#reading(true, ({ source, places }, last) => {
      if (bounds === undefined) {
        const { from, count } = within(range, places.last)
        bounds = { from, to: from + count - 1 }
      }
      return readLog(source, places, last === undefined ? bounds.from : last.position + 1, bounds.to)
    })
  }

  /** Where one has given way to a newer one and is not there any more, its stream is asked again. */
  async *heads(pending: boolean): AsyncGenerator<StoredRecord> {
    let asked: ReadonlySet<number> | undefined
    for (let tries = 1; ; tries++) {
      const lost = new Set<number>()
      const among = (hash: number) => asked?.has(hash) ?? true
      const missed = tries < TRIES ? (hash: number) => lost.add(hash) : undefined
      yield* this.#reading(false, ({ source, places }) => readHeads(source, places, pending, { among, missed }))
      if (lost.size === 0) return
      if (asked !== undefined && lost.size < asked.size) tries = 1
      asked = lost
    }
  }

  async head(stream: string): Promise<StoredRecord | undefined> {
    const reading = this.#reading(true, async function* ({ source, places }) {
      const head = await readHead(source, places, stream)
      if (head !== undefined) yield head
    })
    for await (const head of reading) return head
    return undefined
  }

  async *follow(options?: FollowOptions): AsyncGenerator<StoredRecord> {
    this.#check()
    const given = optionsGiven('follow', options, 'Give { from, signal }.')
    assertNames('follow', given, ['from', 'signal'])
    const { from = 1, signal } = given
    if (!Number.isSafeInteger(from) || from < 0) {
      throw badOption('from', from, 'is no position', 'Give that of the first record that you want.')
    }
    if (signal !== undefined && typeof (signal as Partial<AbortSignal> | null)?.addEventListener !== 'function') {
      throw badOption('signal', signal, 'is no AbortSignal', 'Give the signal of an AbortController.')
    }
    const closing = this.#closing.signal
    const stopped = signal === undefined ? closing : AbortSignal.any([closing, signal])
    const changes = new Changes(committedFile(this.#dir), this.#poll)
    try {
      for (let next = from; !stopped.aborted; await changes.next(stopped)) {
        changes.begin()
        const to = await this.end()
        for await (const record of this.readAll({ from: next, to })) {
          if (stopped.aborted) return
          yield record
          if (stopped.aborted) return
        }
        next = Math.max(next, to + 1)
      }
    } catch (error) {
      if (!closing.aborted) throw error
    } finally {
      changes.close()
    }
  }

  async close(): Promise<Either<DuramenError, void>> {
    this.#closing.abort()
    try {
      await this.#changing
      await Promise.all(Array.from(this.#views, (view) => view.close()))
      this.#views.clear()
      return right(undefined)
    } catch (error) {
      return left(fsError(error, `close the journal in ${this.#dir}`, { file: this.#dir }))
    }
  }

  #check = (): void => {
    if (this.#closing.signal.aborted) throw closed()
  }

  /**
   * What `read` gives of the journal as it is now; where files were replaced meanwhile, from the record behind the last one
   * on, if it can go on from there.
   */
  async *#reading(
    goesOn: boolean,
    read: (view: View, last: StoredRecord | undefined) => AsyncGenerator<StoredRecord>,
  ): AsyncGenerator<StoredRecord> {
    let last: StoredRecord | undefined
    for (let tries = 1; ; tries++) {
      this.#check()
      try {
        const view = await this.#use(tries === 1 ? this.#fresh() : this.#change(() => this.#anew(tries < TRIES)))
        try {
          for await (const record of read(view, last)) {
            tries = 1
            last = record
            yield record
          }
        } finally {
          await view.unuse()
        }
        this.#check()
        return
      } catch (error) {
        this.#check()
        if (!isChanged(error) || tries === TRIES || (last !== undefined && !goesOn)) throw unread(error, this.#dir)
      }
    }
  }

  /** The journal as it is now, or a moment later. */
  #fresh(): Promise<View> {
    this.#next ??= this.#change(() => {
      this.#next = undefined
      return this.#look()
    })
    return this.#next
  }

  #change<T>(change: () => Promise<T>): Promise<T> {
    const changed = this.#changing.then(change)
    this.#changing = changed.catch(() => {})
    return changed
  }

  /** Before the next change of the view can begin. */
  #use(view: Promise<View>): Promise<View> {
    return view.then((view) => {
      view.use()
      return view
    })
  }

  async #look(): Promise<View> {
    this.#check()
    const view = this.#view
    if (view === undefined) return this.#anew(true)
    const end = await this.#ends.find(view.end)
    try {
      if (end.position > view.end.position) await view.grow(end)
      if (!(await view.outgrown())) return view
    } catch (error) {
      if (!isChanged(error)) throw error
    }
    return this.#anew(true)
  }

  /** Opens the files as they are now; without the index where that can't be used. */
  async #anew(indexed: boolean): Promise<View> {
    this.#check()
    const before = this.#view
    const view = await View.open(this.#dir, await this.#ends.find(before?.end), this.#coding, indexed, this.#check)
    if (before !== undefined && !view.continues(before)) {
      await view.close()
      throw otherJournal(this.#dir)
    }
    if (!view.indexed) this.#warn()
    this.#view = view
    this.#views.add(view)
    await before?.retire()
    for (const one of this.#views) if (one.closed) this.#views.delete(one)
    return view
  }

  #warn(): void {
    if (this.#warned) return
    this.#warned = true
    this.#logger.warn(`The index of the journal in ${this.#dir} can't be used: all places are read from its segments`)
  }
}

function otherJournal(dir: string): DuramenError {
  return new DuramenError('JOURNAL_DAMAGED', `Another journal is in ${dir} now, or an older one`, {
    where: { file: dir },
    hint: 'Close this reader and open the journal again, if what is there now is what you want to read.',
  })
}

const isChanged = (error: unknown) => error instanceof IndexDamaged || isReplaced(error)

const unread = (error: unknown, dir: string): DuramenError =>
  asDuramen(error, `read the journal in ${dir}`, { file: dir })
