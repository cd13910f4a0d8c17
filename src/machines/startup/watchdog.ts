// S7 Of what is under way something comes, or the start-up does not wait for it any longer.
//
// The slack is counted in turns of the event loop: whatever blocks it, as a model that is loaded synchronously, makes timers late
// that fall due meanwhile, and all of them at once; it is one turn, after which what has waited for it still has its time.
import type { Clock } from '../../ports/clock.ts'

/** How long nothing may come of what is over by its own limits, ms; then the journal counts as failed. */
export const SLACK = 10_000
const TURNS = 10

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
