// Who may begin, of the effects of a host.
//
// K9: at most so many run at once on a host, and of those with a policy so many for each key, and so many within a time. The
//     others wait in the order in which they came; who waits at one gate holds up nobody at another.
import type { Clock } from '../ports/clock.ts'
import type { Policy } from './retry.ts'

/** Somebody who wants to begin. */
export interface Wish {
  /** What has to be passed, in order. */
  readonly gates: readonly Gate[]
  /** How many were passed; -1: it does not want to begin any more. */
  passed: number
  /** All were passed after a wait; it may have been called off meanwhile. */
  begin(): void
}

/** One limit. */
interface Gate {
  readonly queue: Set<Wish>
  /** Lets one pass, if there is room. */
  take(): boolean
  /** One that has passed is at its end, or has given up. */
  release(): void
  /** One that waited has gone. */
  left(): void
}

export class Slots {
  /** The way of an effect without a policy. */
  readonly open: readonly Gate[]
  private readonly lines = new Map<string, Line>()
  private readonly rates = new Map<string, Rate>()
  private readonly clock: Clock

  constructor(clock: Clock, limit: number) {
    this.clock = clock
    this.open = [new Line(limit, (wish) => this.next(wish))]
  }

  /** The gates of an effect with a policy. `name`: of the effect on this host; `input`: of its promise or action. */
  gatesOf(name: string, { concurrency, rate }: Policy, input: unknown): readonly Gate[] {
    if (!concurrency && !rate) return this.open
    const gates: Gate[] = []
    if (concurrency) {
      const key = concurrency.key ? `${name}\n${concurrency.key(input)}` : name
      gates.push(this.line(key, concurrency.limit))
    }
    if (rate) gates.push(this.rate(name, rate))
    return [...gates, ...this.open]
  }

  /** Whether it may begin at once; else `begin` is called later. */
  enter(wish: Wish): boolean {
    const { gates } = wish
    for (; wish.passed < gates.length; wish.passed++) {
      const gate = gates[wish.passed]!
      if (gate.queue.size === 0 && gate.take()) continue
      gate.queue.add(wish)
      return false
    }
    return true
  }

  /** It has ended, or wants to begin no more. May be called twice. */
  leave(wish: Wish): void {
    const { gates, passed } = wish
    if (passed < 0) return
    wish.passed = -1
    const at = gates[passed]
    if (at?.queue.delete(wish)) at.left()
    for (let i = 0; i < passed; i++) gates[i]!.release()
  }

  /** The first that waited has passed one gate. */
  private next(wish: Wish): void {
    wish.passed++
    // not at once: a long row of short effects would go deeper and deeper
    if (this.enter(wish)) queueMicrotask(() => wish.begin())
  }

  private line(key: string, limit: number): Line {
    let line = this.lines.get(key)
    if (!line)
      this.lines.set(
        key,
        (line = new Line(
          limit,
          (wish) => this.next(wish),
          () => this.lines.delete(key),
        )),
      )
    return line
  }

  private rate(key: string, { limit, per }: NonNullable<Policy['rate']>): Rate {
    let rate = this.rates.get(key)
    if (!rate) this.rates.set(key, (rate = new Rate(this.clock, limit, per, (wish) => this.next(wish))))
    return rate
  }
}

/** At most so many at once. */
class Line implements Gate {
  readonly queue = new Set<Wish>()
  private used = 0
  private readonly limit: number
  private readonly passes: (wish: Wish) => void
  private readonly empty: (() => void) | undefined

  constructor(limit: number, passes: (wish: Wish) => void, empty?: () => void) {
    this.limit = limit
    this.passes = passes
    this.empty = empty
  }

  take(): boolean {
    if (this.used >= this.limit) return false
    this.used++
    return true
  }

  release(): void {
    this.used--
    for (const wish of this.queue) {
      if (!this.take()) return
      this.queue.delete(wish)
      this.passes(wish)
    }
    this.left()
  }

  left(): void {
    if (this.used === 0 && this.queue.size === 0) this.empty?.()
  }
}

/** At most so many within any stretch of time. */
class Rate implements Gate {
  readonly queue = new Set<Wish>()
  /** When the last ones began. */
  private readonly begun: number[] = []
  private readonly clock: Clock
  private readonly limit: number
  private readonly per: number
  private readonly passes: (wish: Wish) => void
  private cancel: (() => void) | undefined

  constructor(clock: Clock, limit: number, per: number, passes: (wish: Wish) => void) {
    this.clock = clock
    this.limit = limit
    this.per = per
    this.passes = passes
  }

  take(): boolean {
    const now = this.clock.now()
    while (this.begun.length && this.begun[0]! + this.per <= now) this.begun.shift()
    if (this.begun.length >= this.limit) {
      this.cancel ??= this.clock.after(this.begun[0]! + this.per - now, () => this.go())
      return false
    }
    this.begun.push(now)
    return true
  }

  release(): void {}

  left(): void {
    if (this.queue.size > 0) return
    this.cancel?.()
    this.cancel = undefined
  }

  private go(): void {
    this.cancel = undefined
    for (const wish of this.queue) {
      if (!this.take()) return
      this.queue.delete(wish)
      this.passes(wish)
    }
  }
}
