// What a checkpoint holds: an instance as it is after that record, in place of all records before it.
//
// K3: it is in the log, not in a cache: any later version reads it.
// K4: ids and deliveries that are known stay known.
// K5: invoked work is part of it and is taken up as ever; with unfinished actions there is none, for those exist by replaying
//     their record alone.
import { type Encoded, encode } from '../journal/codec.ts'
import type { Commit } from '../journal/records.ts'
import { DuramenError } from '../ports/errors.ts'
import { textOf } from '../ports/thrown.ts'
import type { TreeState } from './checkpoint.ts'
import type { FactsState } from './effect-facts.ts'
import { notTrimmable, type Place } from './failures.ts'
import type { OpenEffect } from './ledger.ts'
import type { Operation } from './operators.ts'
import type { ReceiptsState } from './receipts.ts'
import type { Runner } from './runner.ts'
import type { ActorTree } from './xstate/tree.ts'

/** Of what a checkpoint holds: a later version has to read all that came before. */
const FORMAT = 1

/** The payload of a checkpoint: the instance as it is after this record. */
export interface Kept extends Operation {
  readonly format: number
  readonly state: TreeState
  readonly receipts: ReceiptsState
  readonly effects: FactsState
  /** Invoked work that is not at its end, for those who read it without the machine's code. */
  readonly open: readonly OpenEffect[]
  /** Of a fork. */
  readonly origin?: string
}

/** The payload of a checkpoint that is made now, when all before it is certain. Throws NOT_TRIMMABLE. */
export function keep(
  operation: Operation,
  where: Place,
  { tree, runner, receipts }: { tree: ActorTree; runner: Runner; receipts: ReceiptsState },
): Encoded {
  if (runner.unfinished.size > 0) {
    const failed = runner.failed.length > 0
    const keys = [...runner.unfinished.keys()].join(', ')
    throw notTrimmable(
      where,
      `actions are not finished: ${keys}`,
      failed ? 'Retry or skip those that have failed, then trim it.' : 'Trim it once they are finished.',
      !failed,
    )
  }
  const { stream } = tree.owner
  const { origin } = tree
  const state = tree.state()
  if (!state)
    throw notTrimmable(
      where,
      tree.replayOnly ?? 'an actor of it runs that nobody holds',
      'It has no state but by its whole history. Give the logic a name in setup(), and each actor an id.',
    )
  const open = runner.open.map(({ running: _, ...effect }) => effect)
  const effects = runner.facts.state
  const kept: Kept = {
    ...operation,
    ...{ format: FORMAT, state, receipts, effects, open },
    ...(origin !== stream && { origin }),
  }
  try {
    return encode(kept, { name: 'state', identity: true, maxBinary: Number.POSITIVE_INFINITY })
  } catch (error) {
    throw notTrimmable(
      where,
      `its state can't be kept: ${textOf(error)}`,
      'It has no state but by its whole history. Keep plain data in the context.',
    )
  }
}

/** What a checkpoint holds. Throws JOURNAL_DAMAGED for one of a later version. */
export function keptBy(commit: Commit): Kept {
  const kept = commit.payload() as Kept
  if (kept.format === FORMAT) return kept
  const { stream, seq, position } = commit
  throw new DuramenError('JOURNAL_DAMAGED', `checkpoint ${seq} of ${stream} has the format ${kept.format}`, {
    where: { stream, seq, position },
    hint: 'It was written by a newer version: upgrade.',
  })
}
