// Random outcomes of effects, crashes, faults, operators and steps of the clock, on few slots and little memory. The world
// outside takes each success once, by its key. All the while: a key never changes, attempts never go back, what is on record
// as ended is not begun again, no more run than the policy allows. At the end: nothing is lost, all slots are free.
// DURAMEN_SOAK=1 takes other seeds and more of them.
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { assign, fromPromise, setup } from 'xstate'
import { currentEffect, durable, type Host, openHost } from '../../src/index.ts'
import { type Journal, memoryJournal } from '../../src/journal/index.ts'
import { decodeCommit } from '../../src/journal/records.ts'
import { type VirtualClock, virtualClock } from '../support/clock.ts'
import { by, engineOf, noUnhandledRejections, quiet, settle } from '../support/host.ts'
import { crashJournal, type Fault, type FaultyJournal, faultyJournal } from '../support/journals.ts'

noUnhandledRejections()

const soak = process.env.DURAMEN_SOAK !== undefined
const LIMIT = 2
const TIMEOUT = 10_000
const IDS = ['a', 'b', 'c', 'd'] as const

const kinds = ['JOB', 'BARE', 'HAND', 'ACT', 'LEAVE'] as const
const operators = ['pause', 'park', 'resume', 'resume', 'retry', 'skip', 'cancel'] as const
const faults: Fault[] = [
  { when: 'before', code: 'IO', retryable: true },
  { when: 'before', code: 'CONFLICT' },
  { when: 'before', code: 'OUTCOME_UNKNOWN' },
  { when: 'after', code: 'OUTCOME_UNKNOWN' },
]

type Step =
  | { do: 'send'; events: { to: number; type: (typeof kinds)[number]; again: boolean }[] }
  | { do: 'finish'; nth: number; how: 'ok' | 'fail' | 'beat' }
  | { do: 'complete'; nth: number; how: 'ok' | 'fail'; twice: boolean }
  | { do: 'advance'; ms: number }
  | { do: 'operate'; op: (typeof operators)[number]; to: number; nth: number }
  | { do: 'fault'; fault: Fault; after: number }
  | { do: 'crash' | 'slow' }
  | { do: 'reopen'; closeTimeout: number }

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('send' as const),
      events: fc.array(fc.record({ to: fc.nat(3), type: fc.constantFrom(...kinds), again: fc.boolean() }), {
        minLength: 1,
        maxLength: 5,
      }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('finish' as const),
      nth: fc.nat(),
      how: fc.constantFrom('ok', 'ok', 'fail', 'fail', 'beat'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('complete' as const),
      nth: fc.nat(),
      how: fc.constantFrom('ok', 'fail'),
      twice: fc.boolean(),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: 25_000 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('operate' as const),
      op: fc.constantFrom(...operators),
      to: fc.nat(3),
      nth: fc.nat(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('fault' as const), fault: fc.constantFrom(...faults), after: fc.nat(3) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('crash', 'slow') }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('reopen' as const), closeTimeout: fc.constantFrom(0, 1, 60_000) }),
  },
) as fc.Arbitrary<Step>

/** One attempt, as the world outside sees it. */
interface Attempt {
  readonly life: number
  readonly label: string
  readonly key: string
  readonly attempt: number
  readonly at: number
  resolve(value: unknown): void
  reject(error: unknown): void
  beat(): void
  over: boolean
}

class Outside {
  life = 0
  clock: VirtualClock = virtualClock()
  attempts: Attempt[] = []
  /** By key: successes count once. */
  readonly succeeded = new Set<string>()
  readonly keyOf = new Map<string, string>()
  readonly lastAttempt = new Map<string, number>()
  readonly tokens = new Map<string, string>()
  /** Keys that the journal has as ended. */
  recorded = new Set<string>()
  calm = false
  private readonly wrong: unknown[] = []

  /** What is looked at where a failure would be taken for an effect's. */
  check(look: () => void): void {
    try {
      look()
    } catch (error) {
      this.wrong.push(error)
    }
  }

  /** Throws the first thing that was wrong. */
  assertWell(): void {
    if (this.wrong.length) throw this.wrong[0]
  }

  /** An attempt begins; the test decides how it ends. */
  run(label: string): Promise<unknown> {
    const effect = currentEffect()
    const { key, attempt, signal } = effect
    this.known(label, key, attempt)
    return new Promise((resolve, reject) => {
      const one: Attempt = {
        life: this.life,
        label,
        key,
        attempt,
        at: this.clock.now(),
        over: false,
        resolve: (value) => {
          one.over = true
          this.succeeded.add(key)
          resolve(value)
        },
        reject: (error) => {
          one.over = true
          reject(error)
        },
        beat: () => effect.heartbeat({ at: this.clock.now() }),
      }
      this.attempts.push(one)
      // half of them see their signal, the others ignore it
      if (key.length % 2) signal.addEventListener('abort', () => one.reject(new Error('aborted')))
      if (this.calm) one.resolve('at last')
    })
  }

  hand(label: string): Promise<never> {
    const effect = currentEffect()
    this.known(label, effect.key, effect.attempt)
    return effect.handOver(async (token) => {
      this.check(() => expect(this.tokens.get(effect.key) ?? token, `${label} has one token`).toBe(token))
      this.tokens.set(effect.key, token)
      if (effect.attempt === 1 && Number(label.slice(1)) % 3 === 0) throw new Error('the mail did not go out')
    })
  }

  private known(label: string, key: string, attempt: number): void {
    this.check(() => {
      expect(this.keyOf.get(label) ?? key, `the key of ${label}`).toBe(key)
      expect(this.recorded.has(key), `${label} (${key}) begins although its end is on record`).toBe(false)
      expect(attempt, `the attempt of ${label}`).toBeGreaterThanOrEqual(this.lastAttempt.get(key) ?? 1)
    })
    this.keyOf.set(label, key)
    this.lastAttempt.set(key, attempt)
  }

  open(): Attempt[] {
    return this.attempts.filter(({ over, life }) => !over && life === this.life)
  }
}

const machineOf = (outside: Outside) =>
  durable(
    setup({
      types: {} as {
        context: { now: string; asked: string[]; done: string[]; failed: string[]; left: string[]; acts: string[] }
        events: { type: (typeof kinds)[number]; label: string }
      },
      actors: {
        job: fromPromise<unknown, string>(({ input }) => outside.run(input)),
        hand: fromPromise<unknown, string>(({ input }) => outside.hand(input)),
      },
      actions: {
        act: (_, label: string): any => outside.run(label),
        ask: assign({
          now: ({ event }) => event.label,
          asked: ({ context, event }) => [...context.asked, event.label],
        }),
        done: assign({ done: ({ context }) => [...context.done, context.now] }),
        failed: assign({ failed: ({ context }) => [...context.failed, context.now] }),
        left: assign({ left: ({ context }) => [...context.left, context.now] }),
      },
    }).createMachine({
      id: 'fx',
      context: { now: '', asked: [], done: [], failed: [], left: [], acts: [] },
      on: {
        ACT: {
          actions: [
            assign({ acts: ({ context, event }) => [...context.acts, event.label] }),
            { type: 'act', params: ({ event }) => event.label },
          ],
        },
      },
      initial: 'idle',
      states: {
        idle: {
          on: {
            JOB: { target: 'job', actions: 'ask' },
            BARE: { target: 'bare', actions: 'ask' },
            HAND: { target: 'hand', actions: 'ask' },
          },
        },
        job: {
          invoke: {
            src: 'job',
            id: 'job',
            input: ({ context }) => context.now,
            onDone: { target: 'idle', actions: 'done' },
            onError: { target: 'idle', actions: 'failed' },
          },
          // left and entered again at once: a new incarnation of the same invoke
          on: {
            LEAVE: { target: 'idle', actions: 'left' },
            JOB: { target: 'job', reenter: true, actions: ['left', 'ask'] },
          },
        },
        bare: {
          invoke: {
            src: 'job',
            id: 'job',
            input: ({ context }) => context.now,
            onDone: { target: 'idle', actions: 'done' },
          },
          on: { LEAVE: { target: 'idle', actions: 'left' } },
        },
        hand: {
          invoke: {
            src: 'hand',
            id: 'hand',
            input: ({ context }) => context.now,
            onDone: { target: 'idle', actions: 'done' },
            onError: { target: 'idle', actions: 'failed' },
          },
          on: { LEAVE: { target: 'idle', actions: 'left' } },
        },
      },
    }),
    {
      retry: {
        job: { attempts: 3, timeout: TIMEOUT, heartbeat: '8s', backoff: { jitter: 0 }, concurrency: { limit: LIMIT } },
        hand: { attempts: 2, backoff: { jitter: 0 } },
        act: { attempts: 2, timeout: TIMEOUT, backoff: { jitter: 0 }, concurrency: { limit: LIMIT } },
      },
    },
  )

/** Keys of which the journal knows that they have ended. */
async function ended(journal: Journal): Promise<Set<string>> {
  const keys = new Set<string>()
  for (const id of IDS)
    for await (const record of journal.read(`fx/${id}`)) {
      const commit = decodeCommit(record)
      for (const key of commit.finished ?? []) keys.add(`fx/${id}/${key}`)
      for (const key of commit.outcome().effects?.ended ?? []) keys.add(`fx/${id}${key}`)
    }
  return keys
}

/** `rests`: all that follows from a step has come to rest before the next one. */
async function run(steps: { todo: Step; rests: boolean }[]) {
  const journal = memoryJournal()
  let clock = virtualClock()
  const outside = new Outside()
  const acknowledged = new Map<string, { type: string; to: string }>()
  const completed = new Map<string, number>()
  const dropped = new Set<string>()
  let dying: ReturnType<typeof crashJournal>
  let faulty: FaultyJournal
  let host: Host
  let machine = machineOf(outside)
  const sent: { label: string; type: (typeof kinds)[number]; id: string }[] = []

  const start = async (closeTimeout = 0) => {
    outside.recorded = await ended(journal)
    outside.life++
    clock = virtualClock(clock.now()) // that of a process that was killed stands still
    outside.clock = clock
    machine = machineOf(outside)
    dying = crashJournal(journal)
    faulty = faultyJournal(dying)
    host = await openHost({
      journal: faulty,
      clock,
      logger: quiet,
      machines: [machine],
      maxActive: 2,
      closeTimeout,
      snapshotEvery: 3,
    })
    for (const id of IDS) await host.actor(machine, id)
    await settle()
  }
  const calm = async () => {
    await settle()
    for (let i = 0; i < 2; i++) {
      clock.advance(1000)
      await settle()
    }
    outside.recorded = await ended(journal)
  }
  const known = /^(UNKNOWN_EFFECT|MACHINE_THREW|IO|CONFLICT|OUTCOME_UNKNOWN|PARKED|PAUSED|CLOSED)$/

  await start()
  for (const [index, { todo, rests }] of steps.entries()) {
    switch (todo.do) {
      case 'send':
        for (const { to, type: wanted, again } of todo.events) {
          const last = again && sent.at(-1)
          const { label, type, id } = last || { label: `n${sent.length}`, type: wanted, id: IDS[to]! }
          if (!last) sent.push({ label, type, id })
          host!.send(machine, id, { type, label }, { id: label }).then(
            ({ handled }) => handled && !acknowledged.has(label) && acknowledged.set(label, { type, to: id }),
            (error) => outside.check(() => expect(error.code, error.message).toMatch(known)),
          )
        }
        break
      case 'finish': {
        const open = outside.open()
        const one = open[todo.nth % open.length]
        if (todo.how === 'ok') one?.resolve(index)
        else if (todo.how === 'fail') one?.reject(new RangeError(`step ${index}`))
        else one?.beat()
        break
      }
      case 'complete': {
        const tokens = [...outside.tokens.values()]
        const token = tokens[todo.nth % tokens.length]
        if (token === undefined) break
        for (let n = todo.twice ? 2 : 1; n > 0; n--)
          (todo.how === 'ok' ? host!.complete(token, index) : host!.fail(token, new Error('no'))).then(
            ({ seq }) => {
              outside.check(() => expect(completed.get(token) ?? seq, 'the receipt of a completion').toBe(seq))
              completed.set(token, seq)
            },
            (error) => {
              outside.check(() => expect(error.code, error.message).toMatch(known))
              if (error.code === 'UNKNOWN_EFFECT')
                outside.check(() => expect(completed.has(token), 'completed before').toBe(false))
            },
          )
        break
      }
      case 'advance':
        clock.advance(todo.ms)
        break
      case 'operate': {
        const id = IDS[todo.to]!
        const keys = [...outside.keyOf].filter(([, key]) => key.startsWith(`fx/${id}`))
        const [label, key] = keys[todo.nth % keys.length] ?? ['', '1/0']
        const { op } = todo
        const answer =
          op === 'skip' || op === 'cancel' || op === 'retry'
            ? host![op](machine, id, key, by)
            : host![op](machine, id, by)
        answer.then(
          ({ handled }) => {
            if (handled && (op === 'skip' || op === 'cancel')) dropped.add(label)
          },
          (error) => {
            outside.check(() => expect(error.code, error.message).toMatch(known))
            if (error.code === 'OUTCOME_UNKNOWN') dropped.add(label) // it may have been
          },
        )
        break
      }
      case 'fault': {
        let left = todo.after
        faulty!.plan = () => (left-- === 0 ? todo.fault : undefined)
        continue
      }
      case 'slow':
        faulty!.hold()
        clock.advance(11_000)
        await settle()
        faulty!.release()
        break
      case 'crash':
        dying!.crash()
        await start()
        break
      case 'reopen': {
        const { closeTimeout } = todo
        await calm()
        const closed = host!.close()
        await settle()
        clock.advance(closeTimeout + 10_000)
        await settle()
        clock.advance(10_000)
        await closed
        await start(closeTimeout)
        break
      }
    }
    if (!rests) {
      await settle(todo.do === 'advance' ? 0 : 1)
      continue
    }
    await calm()
    outside.assertWell()
    // an attempt that was told to stop may run on beside the next one, at most as long again as its timeout
    const now = clock.now()
    for (const name of ['job', 'act'])
      expect(
        outside.open().filter((a) => a.at + TIMEOUT > now && (name === 'act') === /\/\d+\/\d+$/.test(a.key)).length,
        `step ${index}: ${name} at once`,
      ).toBeLessThanOrEqual(LIMIT)
  }

  // from here on all goes well
  faulty!.plan = () => undefined
  outside.calm = true
  for (let round = 0; round < 12; round++) {
    for (const one of outside.open()) one.resolve('at last')
    await settle()
    clock.advance(61_000)
    await calm()
    const listed = await host!.list()
    for (const letter of await host!.deadLetters())
      expect(listed.find(({ id }) => id === letter.instance)?.status, 'has a dead letter').toMatch(/^pa(rk|us)ed$/)
    for (const { id, status } of listed) if (/^pa/.test(status)) await host!.resume(machine, id, by)
    for (const token of outside.tokens.values()) await host!.complete(token, 'at last').catch(() => {})
    await calm()
  }
  expect(await host!.deadLetters()).toEqual([])
  for (const id of IDS) {
    const { value, context } = (await host!.actor(machine, id)).getSnapshot()
    expect(value, id).toBe('idle')
    expect([...context.done, ...context.failed, ...context.left].sort(), id).toEqual([...context.asked].sort())
    for (const label of context.done)
      if (!dropped.has(label) && !outside.tokens.has(outside.keyOf.get(label)!))
        expect(outside.succeeded.has(outside.keyOf.get(label)!), `${label} has been done`).toBe(true)
    for (const label of context.acts)
      if (!dropped.has(label)) expect(outside.succeeded.has(outside.keyOf.get(label)!), `${label} was lost`).toBe(true)
    for (const [label, { type, to }] of acknowledged)
      if (to === id && type !== 'LEAVE')
        expect(type === 'ACT' ? context.acts : context.asked, 'what was acknowledged').toContain(label)
  }
  const { slots } = engineOf(host!) as unknown as { slots: { lines: Map<string, unknown>; open: { used: number }[] } }
  expect(slots.lines.size, 'lines').toBe(0)
  expect(slots.open[0]!.used, 'slots').toBe(0)
  const closed = host!.close()
  await settle()
  clock.advance(60_000)
  await closed
  outside.assertWell()
  const keys = [...outside.keyOf.values()]
  expect(new Set(keys).size, 'keys are unique').toBe(keys.length)
  return { begun: outside.attempts.length, tokens: outside.tokens.size }
}

it('K5, K9: whatever becomes of effects: keys stay, ends count once, nothing is lost, slots are given back', async () => {
  let begun = 0
  let tokens = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ todo: step, rests: fc.boolean() }), { minLength: 6, maxLength: 30 }),
      async (steps) => {
        const found = await run(steps)
        begun += found.begun
        tokens += found.tokens
      },
    ),
    soak ? { numRuns: 3000 } : { numRuns: 60, seed: 20_261_124 },
  )
  expect(begun).toBeGreaterThan(300)
  expect(tokens).toBeGreaterThan(20)
}, 1_200_000)
