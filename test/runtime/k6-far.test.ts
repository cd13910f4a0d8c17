// K6 K9: timers that are far ahead cost a host nothing when it opens, and none of them is forgotten for that.
import { expect, it } from 'vitest'
import { setup } from 'xstate'
import { durable, openHost } from '../../src/index.ts'
import { type Journal, memoryJournal } from '../../src/journal/index.ts'
import { virtualClock } from '../../src/testing/index.ts'
import { engineOf, quiet } from '../support/host.ts'
import { kept } from '../support/journals.ts'

const COUNT = process.env.DURAMEN_SOAK ? 1_000_000 : 10_000
const HOUR = 3_600_000
/** All are due within so many ms, half a day later. */
const SPAN = 14 * HOUR

/** What the kernel keeps for itself. */
const isOwn = (stream: string) => stream.startsWith('$')

/** Counts what is read of instances. */
function counting(inner: Journal) {
  const read = { heads: 0, records: 0, due: 0 }
  async function* counted<T>(items: AsyncIterable<T>, what: keyof typeof read) {
    for await (const item of items) {
      read[what]++
      yield item
    }
  }
  const journal: Journal = {
    ...kept(inner),
    heads: (filter) => counted(inner.heads(filter), 'heads'),
    due: (before) => counted(inner.due(before), 'due'),
    read: (stream, range) =>
      isOwn(stream) ? inner.read(stream, range) : counted(inner.read(stream, range), 'records'),
    head: (stream) => {
      if (!isOwn(stream)) read.heads++
      return inner.head(stream)
    },
  }
  return { journal, read }
}

function bells(rang: { id: string; at: number }[], now: () => number) {
  const machine = setup({
    types: {} as { context: { ms: number }; input: { ms: number } },
    delays: { wait: ({ context }) => context.ms },
    actions: { ring: ({ self }) => void rang.push({ id: self.id, at: now() }) },
  }).createMachine({
    id: 'bell',
    context: ({ input }) => ({ ms: input.ms }),
    initial: 'waits',
    states: { waits: { after: { wait: { target: 'rung', actions: 'ring' } } }, rung: { type: 'final' } },
  })
  return durable(machine, { id: 'bell' })
}

it(`K6 K9: ${COUNT.toLocaleString('en')} timers far ahead: no head is read of them when a host opens, and each fires in its turn`, async () => {
  const clock = virtualClock()
  const rang: { id: string; at: number }[] = []
  const bell = bells(rang, clock.now)
  const inner = memoryJournal()
  const { journal, read } = counting(inner)
  const open = () => openHost({ journal, clock, logger: quiet, machines: [bell], maxActive: 100 })
  const start = clock.now()
  /** Those that follow each other are far from each other. */
  const dueOf = (i: number) => start + SPAN / 2 + (((i * 7919) % COUNT) * SPAN) / COUNT

  let host = await open()
  for (let i = 0; i < COUNT; i++) await host.actor(bell, `b${i}`, { input: { ms: dueOf(i) - start } })
  await host.close()
  await clock.advance(HOUR)

  Object.assign(read, { heads: 0, records: 0, due: 0 })
  host = await open()
  expect(read).toEqual({ heads: 0, records: 0, due: 0 })
  expect(engineOf(host).instances.live.size).toBe(0)
  expect(engineOf(host).timers.size).toBe(1) // the one at which the journal is asked again
  await clock.advance(2 * SPAN)
  expect(rang).toHaveLength(COUNT)
  const wanted = Array.from({ length: COUNT }, (_, i) => ({ id: `b${i}`, at: dueOf(i) }))
  wanted.sort((one, other) => one.at - other.at)
  for (const [nth, { id, at }] of wanted.entries()) {
    const heard = rang[nth]!
    if (heard.id !== id || heard.at < at || heard.at > at + 1) expect(heard).toEqual({ id, at })
  }
  await host.close()
}, 3_600_000)
