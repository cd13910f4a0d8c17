import { afterEach, expect, it, vi } from 'vitest'
import { systemClock } from '../../src/runtime/clock.ts'

afterEach(() => void vi.useRealTimers())

it('K6: a wait that is longer than a timer of Node can be is not cut short, and can be called off', () => {
  vi.useFakeTimers()
  const day = 86_400_000
  const fired: string[] = []
  systemClock.after(60 * day, () => fired.push('after 60 days'))
  const cancel = systemClock.after(60 * day, () => fired.push('called off'))
  systemClock.after(Number.POSITIVE_INFINITY, () => fired.push('never'))
  vi.advanceTimersByTime(59 * day)
  expect(fired).toEqual([])
  cancel()
  vi.advanceTimersByTime(day)
  expect(fired).toEqual(['after 60 days'])
  vi.advanceTimersByTime(1000 * day)
  expect(fired).toEqual(['after 60 days'])
  expect(vi.getTimerCount()).toBe(1)
})
