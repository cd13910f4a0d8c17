// What a commit is, and how it becomes text. Three lines: the header (what happened), the outcome (what it made of the
// machine, understood without its code) and the payload (the event, the input, the result), decoded only where needed.
//
// K3: a replay computes the outcome again; its text must be the stored one, to the letter.
import type { StateValue } from 'xstate'
import { DuramenError } from '../ports/errors.ts'
import { decode, type Encoded } from './codec.ts'
import type { StoredRecord } from './port.ts'

/**
 * What a commit records:
 * - `start`: the instance was created; payload: its input
 * - `event`: an event reached the actor `target`; payload: the event
 * - `timer`: the delayed transition `key` was due
 * - `fail`: the invoked work at `target` could not be started; payload: the error
 * - `mark`: effects have finished; nothing else changed
 * - `operator`: somebody stepped in; payload: who, why and what it needs
 * - `checkpoint`: all that was before may be trimmed; payload: who, why, and the instance as it is after it
 * - `host`: a host was opened, runs, or was closed
 * - `definition`: payload: the statechart of a machine, as it is in force from here on
 */
export type CommitKind =
  | 'start'
  | 'event'
  | 'timer'
  | 'fail'
  | 'mark'
  | 'operator'
  | 'checkpoint'
  | 'host'
  | 'definition'

/** What an operator can do to an instance; `docs/OPERATING.md` says what each means. */
export type OperatorKind =
  | 'pause'
  | 'resume'
  | 'park'
  | 'stop'
  | 'purge'
  | 'retry'
  | 'skip'
  | 'cancel'
  | 'fork'
  | 'trim'

/** An error as a header keeps it. */
export type Problem = Pick<DuramenError, 'code' | 'message' | 'retryable' | 'where' | 'hint'>

/** A delayed transition that a commit added. */
export interface TimerRecord {
  /** Unique within the instance. */
  readonly key: string
  /** When it is due, ms since the epoch. */
  readonly due: number
  /** Address of the actor that gets the event; absent: the root. */
  readonly target?: string
  /** Type of the event. */
  readonly type: string
}

/** Work that a commit set going. */
export interface EffectRecord {
  /** `seq/index` for an action, the address for a promise, callback or observable. With the stream before it: the idempotency key. */
  readonly key: string
  readonly kind: 'action' | 'promise' | 'callback' | 'observable'
  /** Its name in the machine. */
  readonly src: string
  /** Address of the actor whose action it is; absent: the root. */
  readonly path?: string
}

/** An effect that has failed for good: nothing is done about it until an operator says so. */
export interface DeadLetterRecord {
  /** Its name in the machine. */
  readonly src: string
  readonly kind: EffectRecord['kind']
  /** How many attempts were begun. */
  readonly attempts: number
  readonly error: { readonly name: string; readonly message: string; readonly code?: string | number }
  /** When it was given up, ms since the epoch. */
  readonly at: number
}

/** By key of an effect. */
type ByEffect<T> = Readonly<Record<string, T>>

/** What happened. Absent means: none. */
export interface CommitHeader {
  readonly stream: string
  readonly seq: number
  /** When it was decided, ms since the epoch; never before its predecessor. */
  readonly at: number
  readonly kind: CommitKind
  /** The machine's version. */
  readonly version: number
  /** Who wrote it: a random name of the host, new at each opening (K2). */
  readonly host?: string
  /** The sender's id of the event (K4). */
  readonly id?: string
  /**
   * Who delivered it, the sender's count, and the count below which it will not deliver again (K4). A promise's deliveries
   * are counted by themselves: then `work` is its address, and `low` the record below which no promise delivers again.
   */
  readonly from?: readonly [sender: string, count: number, low: number, work?: string]
  /** Address of the actor that was reached; absent: the root. */
  readonly target?: string
  /** Key of the timer that fired, or of the effect or timer that an operator saw to. */
  readonly key?: string
  /** What an operator did. */
  readonly op?: OperatorKind
  /** The instance takes nothing but what operators do; on every commit for as long as that holds. */
  readonly held?: 'paused' | 'parked'
  /** Why it is parked; on every commit for as long as it is. */
  readonly problem?: Problem
  /** Of a fork, on its first record: the stream whose records these were; on the record of the fork: its own. */
  readonly origin?: string
  /** Keys of actions that have finished since the commit before. */
  readonly finished?: readonly string[]
  /** Number of actions that were started, this commit's included, and are not known to be finished. */
  readonly unfinished?: number
  /** How many of the promises that should run were handed over to the outside, this commit's included. */
  readonly handedOver?: number
  /** Which attempt begins, for effects that are done again. A dead letter is alive again. */
  readonly attempts?: ByEffect<number>
  /** How many attempts have failed. */
  readonly failures?: ByEffect<number>
  /** How many attempts were interrupted by the end of the process. */
  readonly crashes?: ByEffect<number>
  /** No attempt is under way; the next one begins then, ms since the epoch. */
  readonly retryAt?: ByEffect<number>
  /** The details of the last heartbeat, as text. */
  readonly beats?: ByEffect<string>
  /** The secret part of a token by which the effect can be completed from outside. */
  readonly tokens?: ByEffect<string>
  /** Effects that were handed over to the outside. */
  readonly outside?: readonly string[]
  /** Effects that have failed for good. */
  readonly dead?: ByEffect<DeadLetterRecord>
}

/** What it made of the machine. Absent means: none; follows from the records alone, so a replay is checked against it. */
export interface CommitOutcome {
  /** The root machine's state value. */
  readonly value?: StateValue
  /** Absent: active. */
  readonly status?: 'done' | 'error' | 'stopped'
  readonly tags?: readonly string[]
  /** Whether a transition took the event; absent: yes. */
  readonly handled?: false
  /** Delayed transitions that were added, and keys of those that fired or were called off. */
  readonly timers?: { readonly set?: readonly TimerRecord[]; readonly gone?: readonly string[] }
  /** Work that was set going, and addresses of invoked work that ended. */
  readonly effects?: { readonly started?: readonly EffectRecord[]; readonly ended?: readonly string[] }
  /** When the first of the delayed transitions that wait is due, ms since the epoch. */
  readonly due?: number
  /** How many promises, callbacks and observables should run. */
  readonly running?: number
  /** What the machine's `attributes` option gave, for `list`. */
  readonly attributes?: Readonly<Record<string, unknown>>
}

/** A commit as it was read from a journal. */
export interface Commit extends CommitHeader {
  readonly position: number
  /** The text of the outcome, for comparison. */
  readonly outcomeText: string
  outcome(): CommitOutcome
  /** The event, input, error or statechart, decoded anew at each call. */
  payload(): unknown
}

/** A commit as one text for `Journal.append`. */
export function encodeCommit(header: CommitHeader, outcome: string, payload: Pick<Encoded, 'format' | 'text'>): string {
  return `${JSON.stringify(header)}\n${outcome}\n${payload.format === 'json' ? 'j' : 'd'}${payload.text}`
}

/** The same commit with another header. */
export function headed(text: string, change: (header: CommitHeader) => CommitHeader): string {
  const end = text.indexOf('\n')
  return JSON.stringify(change(JSON.parse(text.slice(0, end)) as CommitHeader)) + text.slice(end)
}

/** The commit in a stored record. Throws JOURNAL_DAMAGED when the text is no commit. */
export function decodeCommit(record: StoredRecord): Commit {
  const { text, position } = record
  try {
    const first = text.indexOf('\n')
    const second = text.indexOf('\n', first + 1)
    if (second < 0) throw new SyntaxError('three lines are expected')
    const header = JSON.parse(text.slice(0, first)) as CommitHeader
    const outcomeText = text.slice(first + 1, second)
    return Object.assign(header, {
      position,
      outcomeText,
      outcome: () => JSON.parse(outcomeText) as CommitOutcome,
      payload: () => decode({ format: text[second + 1] === 'j' ? 'json' : 'devalue', text: text.slice(second + 2) }),
    })
  } catch (cause) {
    throw new DuramenError('JOURNAL_DAMAGED', `record ${record.seq} of ${record.stream} is not a duramen commit`, {
      cause,
      where: { stream: record.stream, seq: record.seq, position },
      hint: 'The journal was written by another program or a newer version; restore a backup or upgrade.',
    })
  }
}

/** What the last record of an instance asks of a host that has not loaded it. */
export interface Urgency {
  /** When its first delayed transition is due, ms since the epoch; infinite for none, or while it is held or at its end. */
  readonly due: number
  /** It must be loaded when a host opens: something is unfinished or should run, or it is parked. */
  readonly pending: boolean
  /** It was purged, or has a checkpoint: what is before must be trimmed. */
  readonly purged: boolean
}

export const NOT_URGENT: Urgency = { due: Number.POSITIVE_INFINITY, pending: false, purged: false }

const URGENT_HEADER = /"(?:unfinished|held|op)":/
const HANDED_OVER = /"handedOver":/
const URGENT_OUTCOME = /"(?:due|running)":/

/** Of any text: what is no commit asks for nothing. A line with none of the words that count is not parsed. */
export function urgencyOf(stream: string, text: string): Urgency {
  if (text.charCodeAt(0) !== 123 || !isInstance(stream)) return NOT_URGENT
  const first = text.indexOf('\n')
  const second = text.indexOf('\n', first + 1)
  if (first < 0 || second < 0) return NOT_URGENT
  const header = text.slice(0, first)
  const outcome = text.slice(first + 1, second)
  const inHeader = URGENT_HEADER.test(header)
  const inOutcome = URGENT_OUTCOME.test(outcome)
  if (!inHeader && !inOutcome) return NOT_URGENT
  try {
    return urgencyIn(
      inHeader || HANDED_OVER.test(header) ? (JSON.parse(header) as CommitHeader) : {},
      inOutcome ? (JSON.parse(outcome) as CommitOutcome) : {},
    )
  } catch {
    return NOT_URGENT
  }
}

type UrgentHeader = Pick<CommitHeader, 'op' | 'held' | 'unfinished' | 'handedOver'>

function urgencyIn({ op, held, unfinished, handedOver = 0 }: UrgentHeader, outcome: CommitOutcome): Urgency {
  const { status, running = 0, due } = outcome
  const gone = op === 'purge'
  const active = status === undefined && !gone
  return {
    due: active && held === undefined && due !== undefined ? due : Number.POSITIVE_INFINITY,
    pending:
      held !== 'paused' && !gone && (Boolean(unfinished) || held === 'parked' || (active && running > handedOver)),
    purged: gone || op === 'trim',
  }
}

/** The stream in which hosts say that they run. */
export const HOST_STREAM = '$host'

const separator = '/'

/** The stream of an instance: machine id, slash, instance id. */
export const streamOf = (machine: string, instance: string) => machine + separator + instance

/** Machine and instance of a stream; undefined for streams that belong to no instance (`$…`). */
export function instanceOf(stream: string): { machine: string; instance: string } | undefined {
  if (!isInstance(stream)) return undefined
  const at = stream.indexOf(separator)
  return { machine: stream.slice(0, at), instance: stream.slice(at + 1) }
}

const isInstance = (stream: string) => stream.indexOf(separator) > 0 && !stream.startsWith('$')

/** The stream with the statecharts of a machine. */
export const definitionStream = (machine: string) => `$machine${separator}${machine}`
