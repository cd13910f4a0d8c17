// One effect on its way: it waits (for its time, its slot, or its beginning to be on record), runs, or has a result that is
// not durable yet.
import type { EffectRecord } from '../journal/records.ts'
import type { Clock } from '../ports/clock.ts'
import type { RunningEffect } from './effects.ts'
import type { Policy } from './retry.ts'
import type { Wish } from './slots.ts'
import type { Attempt, Effect } from './turn.ts'

export type Action = Extract<Effect, { kind: 'action' }>
export type Start = Extract<Effect, { kind: 'start' }>

export const kindOf = (item: Action | Start): EffectRecord['kind'] => (item.kind === 'action' ? 'action' : item.logic)

/** A callback or observable may last for ever: it takes no slot, and being interrupted is its nature. */
export const lasts = (item: Action | Start) => kindOf(item) === 'callback' || kindOf(item) === 'observable'

/** `over`: nothing that still comes of it counts. */
type RunState = 'backoff' | 'queued' | 'recording' | 'running' | 'settled' | 'over'

const NONE: Wish['gates'] = []

export class Run implements Wish {
  readonly item: Action | Start
  readonly policy: Policy | undefined
  state: RunState = 'queued'
  effect: RunningEffect | undefined
  attempt: Attempt | undefined
  /** When it was last heard of, for the policy's `heartbeat`. */
  heardAt = 0
  /** An operator wants it now, also while nothing else begins. */
  urgent = false
  gates: Wish['gates'] = NONE
  passed = 0
  private readonly begins: (run: Run) => void
  private timers: (() => void)[] | undefined

  constructor(item: Action | Start, policy: Policy | undefined, begins: (run: Run) => void) {
    this.item = item
    this.policy = policy
    this.begins = begins
  }

  get key(): string {
    return this.item.key
  }

  begin(): void {
    this.begins(this)
  }

  /** To be called off with all else that was to happen to it. */
  until(cancel: () => void): void {
    this.timers ??= []
    this.timers.push(cancel)
  }

  /** Sees to it that it ends in time, and is heard of meanwhile; or says that it does not. */
  limitTime({ timeout, heartbeat }: Policy, clock: Clock, late: (what: string) => void): void {
    if (timeout !== undefined) this.until(clock.after(timeout, () => late(`did not end within ${timeout} ms`)))
    if (heartbeat === undefined) return
    this.heardAt = clock.now()
    let cancel = () => {}
    const listen = (wait: number) => {
      cancel = clock.after(wait, () => {
        const left = this.heardAt + heartbeat - clock.now()
        if (left > 0) listen(left)
        else late(`has not called heartbeat() for ${heartbeat} ms`)
      })
    }
    listen(heartbeat)
    this.until(() => cancel())
  }

  quiet(): void {
    if (this.timers) for (const cancel of this.timers.splice(0)) cancel()
  }
}
