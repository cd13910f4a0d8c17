// The journal port: the one place where commits live. memoryJournal and fileJournal keep it; the contract suite in
// src/testing/journal holds each of them to it.
//
// K2 one history: an append names the seq it follows; one that comes too late is refused and changes nothing.
// K3 snapshots are a cache: never an answer to what the records say, and lost at any time without harm.
// K7 acknowledged is kept: an append's answer is `right` only once the commit would survive a power cut.
// K11 says what it does not know: an append that may or may not have happened answers OUTCOME_UNKNOWN.
import type { TaskEither } from 'fp-ts/lib/TaskEither.js'
import type { DuramenError } from '../ports/errors.ts'

/** A commit as a journal keeps it: text that only the codec (records.ts) reads. */
export interface StoredRecord {
  readonly stream: string
  /** 1, 2, 3 … within its stream, without gaps. */
  readonly seq: number
  /**
   * Ascends over all streams, in the order of commit, from 1 on. Without gaps as long as nothing is trimmed: `trim` leaves
   * gaps where the dropped records were, and may take a position of its own.
   */
  readonly position: number
  readonly text: string
}

/** Records to add to one stream: all of them or none. */
export interface Append {
  readonly stream: string
  /** The seq of the stream's last record, 0 for a new stream. */
  readonly expected: number
  /** At least one. */
  readonly texts: readonly string[]
  /**
   * The stream is not there yet, and begins with the record after `expected`: those before were dropped elsewhere, as of a
   * trimmed stream that is imported. Default: a new stream begins with 1.
   */
  readonly adopt?: true
}

/** The answer to an append: the position of its first record; the others follow without a gap. */
export interface Appended {
  readonly position: number
}

/** What a reader made of the records of a stream up to `seq`: a cache of them (K3), which only its writer reads. */
export interface StoredSnapshot {
  readonly stream: string
  /** The seq of the last record that it covers. */
  readonly seq: number
  readonly text: string
}

/** Bounds of a read, both inclusive. */
export interface Range {
  /** The first one to read. Default: the first that is kept. */
  readonly from?: number
  /** The last one to read. Default: the end as it is when the read begins. */
  readonly to?: number
}

/** What a backup has done. */
export interface BackedUp {
  /** The last position that the folder holds now. */
  readonly position: number
  /** How many bytes were new. */
  readonly bytes: number
}

/** An instance whose delayed transition is due. */
export interface DueStream {
  readonly stream: string
  /** ms since the epoch. */
  readonly due: number
}

/** Where commits are kept: what a host needs of it, and what the contract in `duramen/testing` tries. */
export interface Journal {
  /**
   * Adds to a stream. Appends to the same stream keep the order of the calls; concurrent ones share a group commit.
   * Left: CONFLICT (another record has that seq), NO_SPACE, NO_PERMISSION, READ_ONLY, FOLDER_MISSING (nothing was kept), IO,
   * OUTCOME_UNKNOWN, JOURNAL_FAILED (after an OUTCOME_UNKNOWN, until it is opened again), CLOSED, BAD_ID, BAD_INPUT,
   * NOT_SERIALIZABLE; of an encrypted journal ERASED, WRONG_KEY, CODEC_FAILED; JOURNAL_DAMAGED where the stream's last record
   * can't be found.
   */
  append(append: Append): TaskEither<DuramenError, Appended>
  /**
   * The records of one stream in order, from the first that is not trimmed on; nothing for a stream that is not there.
   * Rejects with DuramenError.
   */
  read(stream: string, range?: Range): AsyncIterable<StoredRecord>
  /** All records in order of position, without the trimmed ones and those of streams whose key is gone. */
  readAll(range?: Range): AsyncIterable<StoredRecord>
  /**
   * The last record of every stream, in any order. `pending`: only of instances that a host must look at when it opens:
   * something is unfinished or should run, they are parked, or were purged (or replaced by a checkpoint) and not trimmed.
   */
  heads(filter?: { readonly pending?: boolean }): AsyncIterable<StoredRecord>
  /**
   * The instances whose first delayed transition is due at `before` (ms since the epoch) or earlier, in any order, as their
   * last records tell when it is called; not those that are held, or at their end. Costs nothing for those due later.
   */
  due(before: number): AsyncIterable<DueStream>
  /** The last record of one stream; undefined for a stream that is not there. Rejects with DuramenError. */
  head(stream: string): Promise<StoredRecord | undefined>
  /**
   * Drops the records of a stream with a seq below `before`: they are read no more, also after opening it again. Seqs and
   * positions of all others stay as they are, and the last record always stays, so that the stream goes on counting.
   * What is dropped already counts as done. A read that has begun may still yield them.
   * Left: BAD_OPTION (`before` is not the seq of a record: beyond the last one, or no such stream), BAD_ID, NO_SPACE, NO_PERMISSION,
   * READ_ONLY, FOLDER_MISSING, IO, JOURNAL_DAMAGED, OUTCOME_UNKNOWN, JOURNAL_FAILED, CLOSED.
   */
  trim(stream: string, before: number): TaskEither<DuramenError, void>
  /**
   * Keeps a snapshot, in the background, beside the records; the newest of each stream counts, by its seq. It may be
   * lost at any time, a crash or a full disk included, and none of that is an error.
   * Left: BAD_ID, BAD_INPUT, NOT_SERIALIZABLE, CLOSED.
   */
  saveSnapshot(snapshot: StoredSnapshot): TaskEither<DuramenError, void>
  /**
   * The newest snapshot that is kept of a stream. None counts that is damaged, or was taken after a record that is not
   * there or is trimmed. Rejects only with CLOSED.
   */
  snapshot(stream: string): Promise<StoredSnapshot | undefined>
  /**
   * Copies the journal into a folder, while it goes on: all that is answered when it is called. Left out by journals that are
   * backed up by other means. Rejects with DuramenError.
   */
  backup?(to: string): Promise<BackedUp>
  /** Waits for appends under way, releases what it holds. May be called again, also where it could not release all. */
  close(): TaskEither<DuramenError, void>
}
