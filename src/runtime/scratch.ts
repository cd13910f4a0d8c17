// Histories decided again beside the living: on actors of their own, which reach nobody and do nothing.
//
// K3: it is the same replay that loads an instance, from the first record, never from a snapshot.
import type { StoredRecord } from '../journal/port.ts'
import { streamOf } from '../journal/records.ts'
import type { DurableMachine } from './durable.ts'
import { Listeners } from './listeners.ts'
import type { TreeOwner } from './turn.ts'
import { ActorTree } from './xstate/tree.ts'

const silent = { debug() {}, info() {}, warn() {}, error() {} }

/** Actors of an instance of which nobody hears. */
export function scratchTree(machine: DurableMachine, id: string, maxRelays: number): ActorTree {
  const nobody: TreeOwner = {
    id,
    stream: streamOf(machine.id, id),
    maxRelays,
    listeners: new Listeners(silent, () => {}),
    shown: () => undefined,
    input() {},
    log() {},
  }
  return new ActorTree(nobody, machine.machine)
}

/** So many records are decided before others have their turn; about a millisecond. */
const AT_ONCE = 100

/** Records, read so that a long history doesn't hold up the process; ends early once `enough` says so. */
export async function* calmly(
  records: AsyncIterable<StoredRecord>,
  enough: () => boolean = () => false,
): AsyncGenerator<StoredRecord> {
  let n = 0
  for await (const record of records) {
    if (++n % AT_ONCE === 0) await new Promise<void>((resolve) => setImmediate(resolve))
    if (enough()) return
    yield record
    if (enough()) return
  }
}
