// What the kernel tells whoever traces it. `telemetry.ts` is the one that listens, and the only file that knows its package.
import type { EffectOutcome, Tally } from './counts.ts'
import type { CurrentEffect } from './effects.ts'
import type { Place } from './failures.ts'
import type { HostStats } from './health.ts'
import type { Input } from './inputs.ts'
import type { Effect } from './turn.ts'

/** An effect that has a span. */
export interface EffectSpan {
  /** Calls a function inside the span, so that spans begun in there are its children. */
  run<T>(fn: () => T): T
  end(outcome: EffectOutcome, error: unknown): void
}

/** What can be read of a host at any time. */
export interface Watched {
  readonly tally: Tally
  stats(): HostStats
}

export interface Telemetry {
  /** Somebody waits for the answer: begins a span that ends with it. Gives the input that goes on. */
  asked(where: Place, input: Input): Input
  /** What an input from inside comes from, as its `trace`. */
  here(): unknown
  /** The durable turn that wants these effects was made by an input with this `trace`. */
  caused(effects: readonly Effect[], trace: unknown): void
  /** An attempt at an effect begins. */
  effect(where: Place, effect: Extract<Effect, { src: string }>, attempt: CurrentEffect): EffectSpan
  /** Reads this host's figures from now on. */
  watch(host: Watched): void
  /** The host is closed: its figures stay as they are. */
  unwatch(host: Watched): void
}
