// K3: the only way from records to a state. Every record is decided again and must come out as it is recorded.
import type { StoredRecord } from '../journal/port.ts'
import { type Commit, decodeCommit } from '../journal/records.ts'
import { DuramenError } from '../ports/errors.ts'
import type { DurableMachine } from './durable.ts'
import { turnInput } from './inputs.ts'
import { keptBy } from './kept.ts'
import { outcomeText } from './outcome.ts'
import { newTurn, type Turn } from './turn.ts'
import type { ActorTree } from './xstate/tree.ts'

/**
 * Decides the records of an instance again, in order, on actors that have decided nothing, and tells of each. No effect is
 * done. `differs` hears of every record that comes out otherwise than recorded.
 * After a purge all begins anew, and with a checkpoint where there is nothing before it. `after`: the record that the actors
 * are at. Throws REPLAY_DIVERGED at the first record that does not come out as recorded.
 */
export async function replay(
  tree: ActorTree,
  machine: DurableMachine,
  records: AsyncIterable<StoredRecord>,
  taken: (commit: Commit, turn: Turn | undefined, record: StoredRecord) => void,
  differs?: (commit: Commit, outcome: string) => void,
  after = 0,
): Promise<void> {
  let last = after
  const { id: instance, stream } = tree.owner
  const diverged = (commit: Commit, what: string, cause?: unknown) =>
    new DuramenError('REPLAY_DIVERGED', `replaying record ${commit.seq} of ${stream}: ${what}`, {
      cause,
      where: { machine: machine.id, instance, stream, seq: commit.seq },
      hint:
        commit.kind === 'checkpoint'
          ? 'What was before is trimmed, so that the machine must take this state as it is: give it back the states and actors that it names.'
          : 'The machine is another than the one that wrote the record, or asks for something outside. Restore it; or raise its version: then its whole history is decided anew, unchecked.',
    })
  const begin = (commit: Commit): Turn => {
    const kept = keptBy(commit)
    tree.reset()
    if (kept.origin !== undefined) tree.origin = kept.origin
    try {
      const effects = tree.restore(kept.state, commit.seq, commit.at)
      return { ...newTurn(commit.seq, commit.at, true), effects, kept }
    } catch (error) {
      throw diverged(commit, String(error), error)
    }
  }
  const again = (commit: Commit): Turn | undefined => {
    if (commit.kind === 'definition') throw diverged(commit, 'a definition is no part of an instance')
    const begins = commit.kind === 'checkpoint' && (!tree.alive || commit.seq > last + 1)
    const begun = begins ? begin(commit) : undefined
    if (commit.kind !== 'start' && !tree.alive) throw diverged(commit, 'it comes before the start')
    if (commit.kind === 'start' && commit.origin !== undefined) {
      tree.origin = commit.origin
      tree.chance = commit.origin
    }
    const empty = commit.kind === 'timer' || commit.kind === 'mark' || commit.kind === 'checkpoint'
    const input = turnInput(commit.kind, commit, empty ? undefined : commit.payload(), tree)
    const turn = input && tree.run(commit.seq, commit.at, commit.host, input)
    if (turn?.fault) throw diverged(commit, String(turn.fault.error), turn.fault.error)
    if (turn?.ignored) throw diverged(commit, `it finds no ${commit.target ?? commit.key}`)
    const outcome = outcomeText(machine, commit, tree, turn)
    if (outcome !== commit.outcomeText) {
      differs?.(commit, outcome)
      if (commit.version === machine.version)
        throw diverged(commit, `it gives ${outcome}, recorded is ${commit.outcomeText}`)
    }
    if (commit.op === 'fork' && commit.origin !== undefined) tree.chance = commit.origin
    if (turn) tree.show(turn)
    return begun ?? turn
  }
  let failure: { error: unknown } | undefined
  for await (const record of records) {
    try {
      const commit = decodeCommit(record)
      let turn: Turn | undefined
      if (commit.op === 'purge') {
        tree.reset() // what was before counts no more, also where it can't be decided again
        failure = undefined
      } else if (!failure) turn = again(commit)
      last = commit.seq
      if (!failure) taken(commit, turn, record)
    } catch (error) {
      failure ??= { error }
    }
  }
  if (failure) throw failure.error
}
