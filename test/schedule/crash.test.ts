// T1 through a crash at any append: before it, and after it, with its answer lost.
import { expect, test } from 'vitest'
import { settle } from '../../src/testing/index.ts'
import { crashJournal } from '../support/journals.ts'
import { place } from '../support/schedule.ts'

test.each(['skip', 'queue', 'allow'] as const)(
  'T1 %s: wherever the process dies, each due time has one run',
  async (overlap) => {
    let crashes = 0
    for (const when of ['before', 'after'] as const)
      for (let nth = 1; ; nth++) {
        const { journal, clock, open, start } = place()
        const options = { every: '1m', overlap, catchUp: 'all', grace: '1h' } as const
        const dying = crashJournal(journal, nth, when)
        const host = await open(dying)
        void start(host, options).catch(() => {})
        await settle()
        await clock.advance(2 * 60_000 + 1000)
        if (!dying.crashed) break
        crashes++
        const second = await open()
        const s = await start(second, options)
        const drain = async () => {
          for (let i = 0; i < 4; i++) {
            for (const { id } of await second.list({ machine: 'job', status: 'active' }))
              await second.send(s.job, id, { type: 'END' })
            await settle()
          }
        }
        await drain()
        await clock.advance(60_000)
        await drain()
        const expected =
          overlap === 'skip'
            ? ['2026-01-01T00:01', '2026-01-01T00:03']
            : ['2026-01-01T00:01', '2026-01-01T00:02', '2026-01-01T00:03']
        // until the schedule itself was on record it did not count
        const times = await s.times()
        if (times[0] === '2026-01-01T00:01') expect(times, `${when} ${nth}`).toEqual(expected)
        else expect(times, `${when} ${nth}`).toEqual(['2026-01-01T00:03:01'].slice(0, times.length))
        await second.close()
      }
    expect(crashes).toBeGreaterThan(12)
  },
)
