// The journal port: the one place where commits live. memoryJournal and fileJournal keep it; the contract suite in
// src/testing/journal holds each of them to it.
//
// K2 one history: an append names the seq it follows; one that comes too late is refused and changes nothing.
// K7 acknowledged is kept: an append's answer is `right` only once the commit would survive a power cut.
// K11 says what it does not know: an append that may or may not have happened answers OUTCOME_UNKNOWN.
import type { TaskEither } from 'fp-ts/lib/TaskEither.js'
import type { DuramenError } from '../ports/errors.ts'

/** A commit as a journal keeps it: text that only the codec (records.ts) reads. */
export interface StoredRecord {
  readonly stream: string
  /** 1, 2, 3 … within its stream, without gaps. */
  readonly seq: number
  /** 1, 2, 3 … over all streams, in the order of commit, without gaps. */
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
}

/** The answer to an append: the position of its first record; the others follow without a gap. */
export interface Appended {
  readonly position: number
}

/** Bounds of a read, both inclusive. */
export interface Range {
  /** Default 1. */
  readonly from?: number
  /** Default: the end as it is when the read begins. */
  readonly to?: number
}

export interface Journal {
  /**
   * Adds to a stream. Appends to the same stream keep the order of the calls; concurrent ones share a group commit.
   * Left: CONFLICT (another record has that seq), NO_SPACE, IO, OUTCOME_UNKNOWN, JOURNAL_FAILED (after an
   * OUTCOME_UNKNOWN, until it is opened again), CLOSED, BAD_ID, BAD_INPUT, NOT_SERIALIZABLE.
   */
  append(append: Append): TaskEither<DuramenError, Appended>
  /** The records of one stream in order; nothing for a stream that is not there. Rejects with DuramenError. */
  read(stream: string, range?: Range): AsyncIterable<StoredRecord>
  /** All records in order of position. */
  readAll(range?: Range): AsyncIterable<StoredRecord>
  /** The last record of every stream, in any order. */
  heads(): AsyncIterable<StoredRecord>
  /** Waits for appends under way, releases what it holds. May be called twice. */
  close(): TaskEither<DuramenError, void>
}
