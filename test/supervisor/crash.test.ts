// V1f through a crash of the supervisor at each of its writes: the count is kept, and there are never two programs.
import { expect, test } from 'vitest'
import { openHost } from '../../src/index.ts'
import { supervisor } from '../../src/machines/index.ts'
import { everyCrashPoint } from '../../src/testing/index.ts'
import { quiet, settle } from '../support/host.ts'
import { order, type System, system } from './world.ts'

const SECOND = 1000

test('V1f killed at each commit: the count goes on, nothing is started before what was left is ended', async () => {
  const tried = await everyCrashPoint<{ system: System | undefined; failures: number }>(
    async ({ journal, clock, outside }) => {
      outside.system ??= system(clock)
      const { system: here } = outside
      const host = await openHost({ journal, clock, logger: quiet, closeTimeout: 100 })
      const it = await supervisor(host, { id: 'server', runner: here.runner, order, window: '1h' })
      await settle(12)
      while (outside.failures < 4) {
        if (it.status().state === 'running' && it.status().pid !== null) {
          outside.failures++
          here.exit(1)
        }
        await clock.advance(3 * SECOND)
        await settle(12)
      }
      await it.stop()
      await host.close()
    },
    async ({ journal, clock, outside, point }) => {
      const here = outside.system!
      expect(here.most).toBe(1)
      expect(here.alive.size).toBe(0)
      here.log.forEach((line, at) => {
        if (line.startsWith('start')) expect(here.log[at - 1]).toMatch(/^clear/)
      })
      const host = await openHost({ journal, clock, logger: quiet })
      const it = await supervisor(host, { id: 'server', runner: here.runner, order, window: '1h' })
      await settle(12)
      // a failure that its supervisor did not live to record is one that was lost; one at whose record it died is both
      const { restarts, state } = it.status()
      expect(state, JSON.stringify(point)).toBe('running')
      expect(restarts).toBeGreaterThanOrEqual(4)
      expect(restarts).toBeLessThanOrEqual(5)
      await it.stop()
      await host.close()
    },
    { outside: () => ({ system: undefined, failures: 0 }) },
  )
  expect(tried).toBeGreaterThan(30)
})
