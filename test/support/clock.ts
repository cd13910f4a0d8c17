// For tests that advance in one step and settle by themselves.
import { type VirtualClock as Stepping, virtualClock as stepping } from '../../src/testing/index.ts'

export interface VirtualClock extends Omit<Stepping, 'advance'> {
  /** `tick` of the public clock. */
  advance(ms: number): void
}

export function virtualClock(start?: number): VirtualClock {
  const clock = stepping(start)
  return Object.defineProperty(clock as unknown as VirtualClock, 'advance', { value: clock.tick })
}
