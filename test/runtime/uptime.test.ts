// K6 as plain values: when a timer is due, by the policy of its machine.
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type Down, effectiveDue, withDown } from '../../src/runtime/uptime.ts'

const life = (opened: number, ...downs: Down[]) => ({ opened, downs })

it.each([
  ['nothing was down', { at: 0, due: 10 }, life(0), 10],
  ['down before it was set', { at: 50, due: 60 }, life(40, [20, 40]), 60],
  ['down while it waited', { at: 10, due: 60 }, life(40, [20, 40]), 80],
  ['down beyond its time', { at: 10, due: 30 }, life(100, [20, 100]), 110],
  ['down twice', { at: 10, due: 60 }, life(90, [20, 40], [70, 90]), 100],
  ['down again after it was due', { at: 10, due: 60 }, life(200, [20, 40], [80, 200]), 80],
  ['set after the last sign of life', { at: 30, due: 60 }, life(40, [20, 40]), 70],
])('K6 resume: %s', (_, timer, known, expected) => {
  expect(effectiveDue('resume', timer, known)).toBe(expected)
})

it('K6 restart: the delay begins anew with the opening, unless it was set since', () => {
  expect(effectiveDue('restart', { at: 10, due: 60 }, life(1000))).toBe(1050)
  expect(effectiveDue('restart', { at: 1000, due: 1050 }, life(1000))).toBe(1050)
})

it('K6 absolute: nothing puts it off', () => {
  expect(effectiveDue('absolute', { at: 10, due: 60 }, life(1000, [20, 1000]))).toBe(60)
})

const spans = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 50 })), { maxLength: 8 })
  .map((lengths) => {
    let now = 0
    let downs: readonly Down[] = []
    for (const [up, down] of lengths) {
      downs = withDown(downs, [now + up, now + up + down])
      now += up + down
    }
    return life(now, ...downs)
  })
const policies = fc.constantFrom('resume', 'restart', 'absolute')

it('K6 never before it was due at first; set later or due sooner never means due later', () => {
  fc.assert(
    fc.property(
      policies,
      spans,
      fc.nat(300),
      fc.nat(300),
      fc.nat(100),
      fc.nat(100),
      (policy, known, at, delay, a, b) => {
        const due = at + delay
        const effective = effectiveDue(policy, { at, due }, known)
        expect(effective).toBeGreaterThanOrEqual(due)
        expect(effectiveDue(policy, { at: at + a, due: due - b }, known)).toBeLessThanOrEqual(effective)
      },
    ),
  )
})

it('K6 resume counts the time in which a host ran, to the millisecond', () => {
  fc.assert(
    fc.property(spans, fc.nat(300), fc.nat(300), (known, at, delay) => {
      const isDown = (ms: number) => known.downs.some(([from, to]) => ms >= from && ms < to)
      let ran = 0
      let now = at
      while (ran < delay) if (!isDown(now++)) ran++
      expect(effectiveDue('resume', { at, due: at + delay }, known)).toBe(now)
    }),
  )
})

it('K9 of many spans the oldest become one, and nothing is put off less', () => {
  let downs: readonly Down[] = []
  for (let i = 0; i < 1200; i++) downs = withDown(downs, [i * 100 + 60, (i + 1) * 100])
  expect(downs).toHaveLength(1000)
  const due = 1e9
  expect(effectiveDue('resume', { at: 0, due }, life(0, ...downs))).toBe(due + 1200 * 40)
  for (const at of [0, 50, 5_000, 10_050, 20_000, 119_000]) {
    const exact = [...Array(1200).keys()].filter((i) => i * 100 + 60 >= at).length * 40
    expect(effectiveDue('resume', { at, due }, life(0, ...downs))).toBeGreaterThanOrEqual(due + exact)
  }
})

it('K6 a clock that was put back makes no span', () => {
  expect(withDown([[10, 20]], [30, 25])).toEqual([[10, 20]])
  expect(withDown([[10, 20]], [5, 15])).toEqual([[10, 20]])
  expect(withDown([[10, 20]], [15, 30])).toEqual([
    [10, 20],
    [20, 30],
  ])
})
