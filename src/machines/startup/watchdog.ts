// S7 Of what is under way something comes, or the start-up does not wait for it any longer.
//
// The slack is counted in turns of the event loop: whatever blocks it, as a model that is loaded synchronously, makes timers late
// that fall due meanwhile, and all of them at once; it is one turn, after which what has waited for it still has its time.
import type { Clock } from '../../ports/clock.ts'
import { DuramenError } from '../../ports/errors.ts'
import type { Host } from '../../runtime/host.ts'
import type { Task } from './types.ts'

/** How long nothing may come of what is over by its own limits, ms; then the journal counts as failed. */
export const SLACK = 10_000
const TURNS = 10
/** Within this the kernel sees that the clock was put on, ms: a retry may wait so long although it is due. */
const LOOKED_AT = 30_000

export class Watchdog {
  readonly #clock: Clock
  readonly #bark: () => void
  #cancel = () => {}

  constructor(clock: Clock, bark: () => void) {
    this.#clock = clock
    this.#bark = bark
  }

  /** Barks when it is not called again within `ms` and the slack. */
  watch(ms: number): void {
    this.rest()
    this.#cancel = this.#clock.after(ms, () => this.#count(TURNS))
  }

  rest(): void {
    this.#cancel()
  }

  #count(turns: number): void {
    if (turns === 0) return this.#bark()
    this.#cancel = this.#clock.after(SLACK / TURNS, () => this.#count(turns - 1))
  }
}

/** In how many ms something comes of all that is under way. `left`: of what runs; `now`: ms since the epoch. */
export function limitOf(tasks: readonly Task[], left: number | undefined, now: number): number {
  let most = left ?? 0
  for (const { retryAt } of tasks) if (retryAt !== null) most = Math.max(most, Math.max(0, retryAt - now) + LOOKED_AT)
  return most
}

/** Why nothing comes of what is over by its own limits. */
export function stalled(host: Host, { machine, id }: { readonly machine: string; readonly id: string }): DuramenError {
  const { journal, paused } = host.health()
  const { failing, lastError } = journal
  if (failing && lastError) return new DuramenError(lastError.code, lastError.message)
  if (paused.first.some((one) => one.machine === machine && one.id === id))
    return new DuramenError('PAUSED', `an operator has paused ${machine}/${id}`, { retryable: true })
  return new DuramenError('TIMEOUT', 'nothing has come of what was under way', {
    hint: 'See whether the journal hangs.',
  })
}
