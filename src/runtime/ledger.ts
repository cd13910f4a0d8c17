// What is open after a commit, added up from what the commits say; no code of the machine is run for it.
import type { CommitHeader, CommitOutcome, EffectRecord, TimerRecord } from '../journal/records.ts'

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

  take(header: Pick<CommitHeader, 'at' | 'finished' | 'attempts'>, { timers, effects }: CommitOutcome): void {
    const { at, finished, attempts } = header
    for (const timer of timers?.set ?? []) this.timers.set(timer.key, { ...timer, at })
    for (const key of timers?.gone ?? []) this.timers.delete(key)
    for (const effect of effects?.started ?? []) this.effects.set(effect.key, { ...effect, attempt: 1 })
    for (const key of [...(effects?.ended ?? []), ...(finished ?? [])]) this.effects.delete(key)
    for (const [key, attempt] of Object.entries(attempts ?? {})) {
      const effect = this.effects.get(key)
      if (effect) this.effects.set(key, { ...effect, attempt })
    }
  }
}
