// S7 When the journal counts as failed, and when all is well although nothing was heard for long.
import { expect, test } from 'vitest'
import type { Clock } from '../../src/ports/clock.ts'
import { by, noUnhandledRejections, settle } from '../support/host.ts'
import { place } from './world.ts'

noUnhandledRejections()

/** A clock of an event loop that may be blocked: what fell due meanwhile is called in one turn, and counts on from then. */
function blockedClock(): Clock & { block(ms: number): Promise<void> } {
  let now = 1_000_000
  let calls: { due: number; fn: () => void }[] = []
  return {
    now: () => now,
    after(ms, fn) {
      const call = { due: now + Math.max(0, ms), fn }
      calls.push(call)
      return () => {
        calls = calls.filter((one) => one !== call)
      }
    },
    async block(ms) {
      now += ms
      for (const call of calls.filter(({ due }) => due <= now).toSorted((a, b) => a.due - b.due))
        if (calls.includes(call)) {
          calls = calls.filter((one) => one !== call)
          call.fn()
        }
      await settle(40)
    },
  }
}

test.each([
  ['while it starts', true],
  ['while it is up', false],
])('S7 an event loop that is blocked %s, over the wait of a retry and the slack, ends nothing', async (_, critical) => {
  const { open, start, task, log } = place()
  const clock = blockedClock()
  const app = await start(await open({ clock }), [
    task('a'),
    task('flaky', [], {
      critical,
      retry: { attempts: 2, backoff: { first: '1s' } },
      run: ({ attempt }) => {
        if (attempt === 1) throw new Error('not yet')
      },
      stop: () => {},
    }),
  ])
  expect(app.report().tasks[1]).toMatchObject({ state: 'retrying' })
  await clock.block(60_000)
  expect(app.report().tasks[1]).toMatchObject({ state: 'done' })
  expect(app.health()).toBe('healthy')
  for (let n = 0; n < 30; n++) await clock.block(1000)
  expect(app.health()).toBe('healthy')
  await app.shutdown()
  expect(log).toEqual(['a', 'stop a'])
})

test('S7 who is up stays up, whatever an operator pauses: what waits to be tried again waits until it is let go on', async () => {
  const { open, start, task, clock, log } = place()
  const host = await open()
  const app = await start(host, [
    task('a'),
    task('flaky', [], {
      critical: false,
      retry: { attempts: 2, backoff: { first: '1s' } },
      run: ({ attempt }) => {
        if (attempt === 1) throw new Error('not yet')
      },
      stop: () => {},
    }),
  ])
  await app.ready()
  await host.pause(app.machine, 'startup', by)
  await clock.advance('10m')
  expect(log).toEqual(['a'])
  expect(app.health()).toBe('healthy')
  await host.resume(app.machine, 'startup', by)
  await clock.advance('1m')
  expect(app.report().tasks[1]).toMatchObject({ state: 'done' })
  await app.shutdown()
  expect(log).toEqual(['a', 'stop a'])
})
