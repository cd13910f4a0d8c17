// A commit, as users read it.
import type { StoredRecord } from '../journal/port.ts'
import { type CommitKind, type CommitOutcome, decodeCommit } from '../journal/records.ts'
import type { Operation } from './operators.ts'
import { ROOT } from './turn.ts'

/** One commit of an instance's history. */
export interface HistoryEntry extends Omit<CommitOutcome, 'status'> {
  readonly seq: number
  readonly position: number
  /** When it was decided, ms since the epoch. */
  readonly at: number
  readonly kind: CommitKind
  /** The event's id, where the sender gave one. */
  readonly id?: string
  /** Address of the actor that was reached; `@1` is the root. */
  readonly target: string
  readonly status: 'active' | 'done' | 'error' | 'stopped'
  /** The event, input or error; who and why. */
  readonly payload: unknown
}

/** Of a checkpoint, which holds all that the instance is. */
const wordsOf = ({ op, who, why }: Operation): Operation => ({ op, who, why })

/** The commit in a stored record. Throws JOURNAL_DAMAGED when it is none. */
export function entryOf(record: StoredRecord): HistoryEntry {
  const commit = decodeCommit(record)
  const { seq, position, at, kind, id, target = ROOT } = commit
  const { status = 'active', ...outcome } = commit.outcome()
  return {
    seq,
    position,
    at,
    kind,
    ...(id !== undefined && { id }),
    target,
    status,
    ...outcome,
    payload: kind === 'checkpoint' ? wordsOf(commit.payload() as Operation) : commit.payload(),
  }
}
