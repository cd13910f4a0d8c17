// What an instance is given to decide, and what it answers.
import type { AnyEventObject } from 'xstate'
import { decode, type Encoded } from '../journal/codec.ts'
import type { CommitKind, OperatorKind } from '../journal/records.ts'
import type { DuramenError } from '../ports/errors.ts'
import type { Hold } from './hold.ts'
import { meaningOf, type Operation } from './operators.ts'
import { ROOT, type TurnInput } from './turn.ts'
import type { ActorTree } from './xstate/tree.ts'

/** The answer to an event once it is durable. */
export interface Receipt {
  /** The commit's number within the instance. */
  readonly seq: number
  /** The commit's number in the whole journal. */
  readonly position: number
  /** This event id was recorded before; nothing was done now, and this is its first receipt. */
  readonly duplicate: boolean
  /** A transition took the event. */
  readonly handled: boolean
}

/**
 * Who delivers: `count` is never used again by this sender; all below `low` have arrived or never will. `work`: the address
 * of a promise, which counts by itself; `low` is then the record below which no promise of that sender delivers again.
 */
export type Sender = readonly [sender: string, count: number, low: number, work?: string]

/** An input on its way through an instance. */
export interface Input {
  readonly kind: 'start' | 'event' | 'timer' | 'fail' | 'mark' | 'operator'
  readonly payload: Encoded
  readonly id?: string | undefined
  readonly from?: Sender | undefined
  readonly target?: string | undefined
  readonly key?: string | undefined
  /** What an operator does, and what that comes to. */
  readonly op?: OperatorKind
  readonly ruling?: Ruling
  /** Nobody can send it again: after a failed append it is decided anew until it is durable. */
  readonly keep?: true
  /** An append of it had an unknown outcome, and reading the stream did not find it. */
  readonly doubted?: true
  /** What it comes from, where that is traced; only `telemetry.ts` looks into it. */
  readonly trace?: unknown
  /** Who waits for the answer. */
  readonly caller?: Asker
}

/** Is told what becomes of an input. */
export interface Asker {
  resolve(receipt: Receipt): void
  reject(error: DuramenError): void
}

/** What becomes of an operator's input, besides what it means to the actors. */
export interface Ruling {
  /** What holds the instance from then on. */
  readonly hold: Hold | undefined
  /** Keys of actions that count as finished. */
  readonly finished?: readonly string[]
  /** Attempts that begin. */
  readonly attempts?: Readonly<Record<string, number>>
}

/** The payload of a timer and a mark. */
export const NOTHING: Encoded = { format: 'json', text: '', value: undefined }

/** The same input with an event of its own: a machine may have written into the one before. */
export const afresh = (input: Input): Input => ({
  ...input,
  payload: { ...input.payload, value: decode(input.payload) },
})

/** What an input means to the actors; nothing for a mark, and for most of what operators do. */
export function turnInput(
  kind: CommitKind,
  at: { target?: string | undefined; key?: string | undefined; op?: OperatorKind },
  value: unknown,
  tree: ActorTree,
): TurnInput | undefined {
  const target = at.target ?? ROOT
  switch (kind) {
    case 'start':
      return { kind, input: value }
    case 'event':
      return { kind, target, event: value as AnyEventObject }
    case 'timer':
      return { kind, key: at.key! }
    case 'fail':
      return { kind, target, error: value }
    case 'operator':
      return meaningOf(at.op!, value as Operation, tree)
    default:
      return undefined
  }
}
