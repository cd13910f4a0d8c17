// S1 S2 S3 S7 over random graphs: what fails, hangs, ignores its signal or is heavy, with a shutdown in the middle or none, and with
// the process dying at any of its commits, several times. The outside sees it all: what begins when, and how often.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { openHost } from '../../src/index.ts'
import { memoryJournal } from '../../src/journal/index.ts'
import type { Journal } from '../../src/journal/port.ts'
import { type StartupReport, startup, startups, type TaskContext } from '../../src/machines/index.ts'
import { crashJournal, kept, settle, virtualClock } from '../../src/testing/index.ts'
import { quiet } from '../support/host.ts'
import { type AnyTask, testProcess } from './world.ts'

interface Spec {
  /** How far back each need is, in the list. */
  readonly needs: readonly number[]
  readonly does: 'ends' | 'fails' | 'fails once' | 'hangs' | 'is deaf'
  readonly ms: number
  readonly once: boolean
  readonly critical: boolean
  readonly heavy: boolean
  readonly stops: boolean
}

interface Death {
  readonly write: number
  readonly when: 'before' | 'after'
}

const spec: fc.Arbitrary<Spec> = fc.record({
  needs: fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 3 }),
  does: fc.oneof(
    { weight: 20, arbitrary: fc.constant('ends' as const) },
    { weight: 4, arbitrary: fc.constant('fails once' as const) },
    { weight: 1, arbitrary: fc.constantFrom('fails' as const, 'hangs' as const, 'is deaf' as const) },
  ),
  ms: fc.constantFrom(0, 0, 1, 10, 1000),
  once: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
  critical: fc.integer({ min: 0, max: 2 }).map((n) => n > 0),
  heavy: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
  stops: fc.boolean(),
})

/** The same, and nothing that it does keeps it from being done in the end. */
const calmed = (one: Spec): Spec => ({ ...one, does: one.does === 'fails once' ? one.does : 'ends' })

const deaths: fc.Arbitrary<Death[]> = fc.array(
  fc.record({ write: fc.integer({ min: 1, max: 60 }), when: fc.constantFrom('before' as const, 'after' as const) }),
  { maxLength: 3 },
)

/** What outlives a process. */
class Outside {
  /** Once tasks whose completion was seen to be on disk. */
  readonly durable = new Set<string>()
  readonly keys = new Map<string, string>()
  readonly rows = new Map<string, number>()
  readonly wrong: string[] = []
}

/** One life of the process: ends well, or is killed. Answers whether it ended well. */
async function live(
  specs: readonly Spec[],
  inner: Journal,
  outside: Outside,
  death: Death | undefined,
  stopAt: number,
) {
  const journal = death ? crashJournal(inner, death.write, death.when) : kept(inner)
  const crashed = () => (journal as { crashed?: boolean }).crashed === true
  const clock = virtualClock()
  const die: (() => void)[] = []
  const sleep = (ms: number, signal?: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      const cancel = clock.after(ms, resolve)
      const end = () => {
        cancel()
        reject(new Error('called off'))
      }
      signal?.addEventListener('abort', end)
      die.push(end)
    })
  const done = new Set<string>()
  const running = new Set<string>()
  const heavy = new Set<string>()
  const stopped: string[] = []
  let began: ReadonlySet<string> = new Set()
  const say = (wrong: string) => void (crashed() || outside.wrong.push(wrong))

  const idOf = (n: number) => `t${n}`
  const tasks = specs.map((one, n): AnyTask => {
    const id = idOf(n)
    const needs = [...new Set(one.needs.map((back) => n - back).filter((need) => need >= 0))].map(idOf)
    const run = async ({ key, attempt, signal }: TaskContext) => {
      if (crashed()) throw new Error('dead')
      for (const need of needs) if (!done.has(need) && !began.has(need)) say(`${id} began before ${need} was done`)
      if (running.has(id)) say(`${id} ran twice at once`)
      if (one.heavy && heavy.size > 0) say(`${id} ran beside ${[...heavy]}`)
      if (one.once) {
        if (outside.durable.has(id)) say(`${id} ran again after its completion was on disk`)
        if ((outside.keys.get(id) ?? key) !== key) say(`${id} was asked with another key`)
        outside.keys.set(id, key)
        outside.rows.set(key, 1) // an upsert
      }
      running.add(id)
      if (one.heavy && one.does !== 'is deaf') heavy.add(id) // what is given up is not waited for
      try {
        if (one.does === 'is deaf') await sleep(1e9)
        await sleep(one.does === 'hangs' ? 1e9 : one.ms, signal)
        if (one.does === 'fails' || (one.does === 'fails once' && attempt === 1)) throw new Error(`${id} fails`)
        done.add(id)
      } finally {
        running.delete(id)
        heavy.delete(id)
      }
      return id
    }
    const common = { id, needs, critical: one.critical, heavy: one.heavy, timeout: '10s', stopTimeout: '5s' } as const
    const retry = { attempts: 2, backoff: { first: 100 } }
    if (one.once) return { ...common, retry, once: true, run }
    const stop = (value: unknown) => {
      if (value !== id) say(`${id} was stopped with the value of another`)
      if (!crashed()) stopped.push(id)
    }
    return { ...common, retry, run, ...(one.stops && { stop }) }
  })

  const host = await openHost({ journal, clock, logger: quiet, closeTimeout: 100, maxEffects: 2 }).catch(
    () => undefined,
  )
  if (!host) return false
  let report: StartupReport | undefined
  let over = false
  const life = (async () => {
    await host.register(startups(host))
    const actor = await host.actor(startups(host), 'startup', { input: { id: 'startup' } })
    began = new Set(actor.getSnapshot().context.done.map(({ task }) => task))
    for (const id of outside.durable) if (!began.has(id)) say(`${id} was forgotten`)
    for (const id of began) outside.durable.add(id)
    const app = await startup(host, tasks, { process: testProcess() })
    app.ready().catch(() => {})
    app.report$.subscribe((now) => {
      report = now
      for (const task of now.tasks) if (task.once && task.state === 'done') outside.durable.add(task.id)
    })
    const busy = () =>
      app.report().tasks.some(({ state }) => state === 'running' || state === 'retrying' || state === 'waiting')
    await reached(
      () => crashed() || clock.now() >= 1_000_000 + stopAt || (!busy() && app.report().state !== 'stopping'),
    )
    void app.shutdown().then(() => {
      over = true
    })
    await reached(() => crashed() || over)
  })()

  /** Time goes by until it is so; what can't come is a deadlock. */
  async function reached(so: () => boolean) {
    for (let turn = 0; !so(); turn++) {
      if (turn > 4000) throw new Error(`deadlock: ${JSON.stringify(report)}`)
      await settle(3)
      if (turn % 4 === 3) await clock.advance(turn % 16 === 15 ? 1000 : 10)
    }
  }

  const dead = (journal as { death?: Promise<void> }).death
  await Promise.race([life, ...(dead ? [dead] : [])])
  if (!crashed() && report) {
    const byId = new Map(specs.map((one, n) => [idOf(n), one]))
    const inOrder = report.order.filter((id) => byId.get(id)!.stops && !byId.get(id)!.once)
    if (stopped.join() !== inOrder.toReversed().join()) say(`stopped ${stopped}, done ${inOrder}`)
    if (new Set(report.order).size !== report.order.length) say(`done twice: ${report.order}`)
    for (const { id, state, once } of report.tasks) {
      const settled = ['done', 'skipped', 'failed', 'blocked', 'aborted', 'stopped'].includes(state)
      if (!settled) say(`${id} is ${state} at the end`)
      if (once && state === 'done' && !outside.durable.has(id)) say(`${id} is done and not on disk`)
    }
  }
  for (const end of die.splice(0)) end()
  await settle(12)
  if (!crashed()) await host.close()
  return !crashed()
}

const soak = process.env.DURAMEN_SOAK !== undefined

test('S1 S2 S3 S7 random graphs: the order holds, once is once, the way out is the way in reversed, nothing hangs', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(spec, { maxLength: 200, size: 'max' }),
      deaths,
      fc.constantFrom(1e9, 1e9, 0, 15, 1500),
      fc.boolean(),
      async (drawn, deaths, stopAt, calm) => {
        const specs = calm ? drawn.map(calmed) : drawn
        const inner = memoryJournal()
        const outside = new Outside()
        for (const death of deaths) await live(specs, inner, outside, death, 1e9)
        await live(specs, inner, outside, undefined, stopAt)
        await live(specs, inner, outside, undefined, 1e9)
        expect(outside.wrong).toEqual([])
        const once = specs.flatMap((one, n) => (one.once ? [`t${n}`] : []))
        if (calm) expect([...outside.durable].toSorted()).toEqual(once.toSorted())
      },
    ),
    { numRuns: soak ? 500 : 25, interruptAfterTimeLimit: soak ? 1_200_000 : 40_000, endOnFailure: !soak },
  )
}, 1_300_000)

test('S2 S7 a crash before and after each write of a start and its way out', async () => {
  const one = (more: Partial<Spec>): Spec => ({
    needs: [1],
    does: 'ends',
    ms: 1,
    once: false,
    critical: true,
    heavy: false,
    stops: true,
    ...more,
  })
  const specs = [
    one({}),
    one({ once: true }),
    one({ once: true, does: 'fails once' }),
    one({ critical: false, does: 'fails' }),
    one({ needs: [2] }),
    one({ needs: [], heavy: true }),
  ]
  let crashes = 0
  for (const when of ['before', 'after'] as const)
    for (let write = 1; ; write++) {
      const inner = memoryJournal()
      const outside = new Outside()
      const well = await live(specs, inner, outside, { write, when }, 1e9)
      if (!well) await live(specs, inner, outside, undefined, 1e9)
      expect(outside.wrong, `${when} ${write}`).toEqual([])
      expect([...outside.durable].toSorted()).toEqual(['t1', 't2'])
      if (well) break
      crashes++
    }
  expect(crashes).toBeGreaterThan(20)
})
