// What is open after a commit, added up from what the commits say; no code of the machine is run for it.
import type { Commit, CommitOutcome, EffectRecord, TimerRecord } from '../journal/records.ts'
import { type Kept, keptBy } from './kept.ts'
import { timerRecord } from './outcome.ts'

/** Work that was set going and is not at its end. */
export interface OpenEffect extends EffectRecord {
  readonly attempt: number
}

/** A delayed transition that waits, and when it was set, ms since the epoch. */
export interface OpenTimer extends TimerRecord {
  readonly at: number
}

export class Ledger {
  readonly timers = new Map<string, OpenTimer>()
  readonly effects = new Map<string, OpenEffect>()

  take(commit: Commit, { timers, effects }: CommitOutcome): void {
    const { at, finished, attempts } = commit
    if (commit.kind === 'checkpoint') return this.begin(keptBy(commit))
    for (const timer of timers?.set ?? []) this.timers.set(timer.key, { ...timer, at })
    for (const key of timers?.gone ?? []) this.timers.delete(key)
    for (const effect of effects?.started ?? []) this.effects.set(effect.key, { ...effect, attempt: 1 })
    for (const key of [...(effects?.ended ?? []), ...(finished ?? [])]) this.effects.delete(key)
    for (const [key, attempt] of Object.entries(attempts ?? {})) {
      const effect = this.effects.get(key)
      if (effect) this.effects.set(key, { ...effect, attempt })
    }
  }

  /** A checkpoint says all that is open. */
  private begin({ state, open }: Kept): void {
    this.timers.clear()
    this.effects.clear()
    for (const timer of state.timers) this.timers.set(timer.key, { ...timerRecord(timer), at: timer.at })
    for (const effect of open) this.effects.set(effect.key, effect)
  }
}
