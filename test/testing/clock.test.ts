import { expect, test } from 'vitest'
import { assign, setup } from 'xstate'
import { durable, openHost } from '../../src/index.ts'
import { memoryJournal } from '../../src/journal/index.ts'
import { quietLogger, recordingLogger, settle, virtualClock } from '../../src/testing/index.ts'

/** Counts the seconds, and remembers when. */
const seconds = durable(
  setup({ types: {} as { context: { at: number[] } } }).createMachine({
    id: 'seconds',
    context: { at: [] },
    initial: 'on',
    states: {
      on: {
        after: {
          1000: {
            target: 'on',
            reenter: true,
            actions: assign({ at: ({ context }) => [...context.at, Date.now()] }),
          },
        },
      },
    },
  }),
)

test('K6 advance: timers that are set on the way fire at their own time', async () => {
  const clock = virtualClock(0)
  const host = await openHost({ journal: memoryJournal(), machines: [seconds], clock, logger: quietLogger })
  const actor = await host.actor(seconds, 's')
  await clock.advance('3s')
  expect(actor.getSnapshot().context.at).toEqual([1000, 2000, 3000])
  await clock.advance(999)
  expect(actor.getSnapshot().context.at).toHaveLength(3)
  expect(clock.now()).toBe(3999)
  await host.close()
})

test('tick: calls what waits now, in order of time, each at its own, and returns', async () => {
  const clock = virtualClock()
  const start = clock.now()
  const called: unknown[] = []
  const call = (name: string) => () => void called.push([name, clock.now() - start])
  clock.after(20, call('late'))
  clock.after(10, call('early'))
  clock.after(10, call('early, too'))
  const off = clock.after(15, call('never'))
  clock.after(31, call('after that'))
  off()
  expect(clock.waiting).toBe(4)
  clock.tick('30ms')
  expect(called).toEqual([
    ['early', 10],
    ['early, too', 10],
    ['late', 20],
  ])
  expect([clock.now() - start, clock.waiting]).toEqual([30, 1])
})

test('advance refuses what is no duration', async () => {
  await expect(virtualClock().advance('soon' as never)).rejects.toMatchObject({ code: 'BAD_OPTION' })
})

test('the logger remembers what the host says', async () => {
  const logger = recordingLogger()
  const machine = durable(
    setup({
      actions: {
        fail: () => {
          throw new Error('no mail today')
        },
      },
    }).createMachine({ id: 'failing', entry: 'fail' }),
  )
  const host = await openHost({ journal: memoryJournal(), machines: [machine], logger, clock: virtualClock() })
  await host.actor(machine, 'f')
  await settle()
  expect(logger.lines.join()).toContain('no mail today')
  await host.close()
})
