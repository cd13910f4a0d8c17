// What there is to know of one instance, as plain data.
//
// K1: only what is durable is told of.
import type { StateValue } from 'xstate'
import { type CommitOutcome, decodeCommit } from '../journal/records.ts'
import type { DuramenError } from '../ports/errors.ts'
import { closed } from './failures.ts'
import type { Instance, Phase } from './instance.ts'
import { Ledger, type OpenEffect, type OpenTimer } from './ledger.ts'
import { timerRecord } from './outcome.ts'
import { calmly } from './scratch.ts'

/** What there is to know of an instance. */
export interface InstanceInfo {
  readonly machine: string
  readonly id: string
  /**
   * `live`, `paused`, `parked` (see `problem`), `resting`: not in memory until it is needed, `loading`, `waiting`: the journal is in
   * trouble and will be asked again, `broken`: it can't be rebuilt, see `problem`.
   */
  readonly phase: Exclude<Phase, 'closed' | 'purged'> | 'paused' | 'parked'
  readonly state: StateValue | undefined
  readonly status: 'active' | 'done' | 'error' | 'stopped'
  /** Its last commit: number, place in the journal, time in ms since the epoch, version of the machine that wrote it. */
  readonly seq: number
  readonly position: number
  readonly at: number
  readonly version: number
  /** Why there are no snapshots of it, so that it is always loaded from its first commit; absent where there may be. */
  readonly replayOnly?: string
  /** The commit of its newest snapshot. */
  readonly snapshot?: number
  /** Events, timers and results that wait to be decided. */
  readonly mailbox: number
  /** Delayed transitions that wait: when each was set, and when it is due here, by the machine's policy. */
  readonly timers: readonly OpenTimer[]
  /** Work that is not at its end; what does not run waits to be taken up. */
  readonly effects: readonly (OpenEffect & { readonly running: boolean })[]
  readonly problem?: DuramenError
}

/** Rejects with CLOSED, UNKNOWN_INSTANCE when it was purged, and what the journal answers. */
export async function infoOf(instance: Instance): Promise<InstanceInfo> {
  const { machine, id, stream, host, phase, problem, last, open, queued, replayOnly, snapshotSeq } = instance
  if (phase === 'purged') throw problem
  if (phase === 'closed' || !last) throw closed(instance.where)
  const { value, status = 'active' } = JSON.parse(last.outcome) as CommitOutcome
  const { seq, at, version, held } = last.header
  const { timers: waiting, effects } = open
    ? { timers: open.timers.map((timer) => ({ ...timerRecord(timer), at: timer.at })), effects: open.effects }
    : await openOnRecord(instance, seq)
  const snapshot = snapshotSeq ?? (await host.journal.snapshot(stream).catch(() => undefined))?.seq
  return {
    machine: machine.id,
    id,
    phase: phase === 'live' ? (held ?? (problem ? 'parked' : phase)) : phase,
    state: value,
    status,
    seq,
    position: last.position,
    at,
    version,
    ...(replayOnly !== undefined && { replayOnly }),
    ...(snapshot !== undefined && { snapshot }),
    mailbox: queued,
    timers: waiting.map((timer) => ({ ...timer, due: host.dueOf(machine, timer) })),
    effects,
    ...(problem && { problem }),
  }
}

/** What is not in memory is on record. */
async function openOnRecord({ host, stream }: Instance, to: number): Promise<Pick<InstanceInfo, 'timers' | 'effects'>> {
  const ledger = new Ledger()
  for await (const record of calmly(host.journal.read(stream, { to }))) {
    const commit = decodeCommit(record)
    ledger.take(commit, commit.outcome())
  }
  const effects = [...ledger.effects.values()].map((effect) => ({ ...effect, running: false }))
  return { timers: [...ledger.timers.values()], effects }
}
