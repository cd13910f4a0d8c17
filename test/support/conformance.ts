// Runs one script against plain createActor and against durable instances: kept open; reopened after every step, from the
// first record and from a snapshot; put back to a snapshot before every commit. After each step all must show the same and
// must have done the same.
import { inspect } from 'node:util'
import { beforeEach, expect, it, vi } from 'vitest'
import {
  type AnyActorRef,
  type AnyEventObject,
  type AnyStateMachine,
  createActor,
  isMachineSnapshot,
  type Snapshot,
} from 'xstate'
import { type Clock, type DurableActor, durable, type Host, openHost } from '../../src/index.ts'
import { memoryJournal } from '../../src/journal/index.ts'
import { virtualClock } from './clock.ts'
import { deferred } from './deferred.ts'
import { type Outside, outside } from './features.ts'
import { noUnhandledRejections, quiet, settle } from './host.ts'
import { faultyJournal } from './journals.ts'

noUnhandledRejections()
beforeEach(() => void vi.spyOn(console, 'warn').mockImplementation(() => {})) // XState's, of events to those who are gone

/** What the effects of a machine under test reach. */
export interface World extends Outside {
  /** Called by actions: what was done, in order, must be the same everywhere. */
  did(what: string): void
  /** A promise that a step settles. */
  job(name: string): Promise<any>
  /** The way back of callbacks, by name. */
  readonly back: Map<string, (event: AnyEventObject) => void>
}

/** An event by its type or whole, milliseconds that pass, or something that happens outside. */
export type Step = string | AnyEventObject | number | ((world: World) => void)

export const finish =
  (name: string, value?: unknown): Step =>
  ({ jobs }) =>
    jobs.get(name)!.resolve(value)
export const fail =
  (name: string, error: Error): Step =>
  ({ jobs }) =>
    jobs.get(name)!.reject(error)
/** The callback `name` sends an event back. */
export const back =
  (name: string, event: AnyEventObject): Step =>
  (world) =>
    world.back.get(name)!(event)

/** Types for machines that are written as loosely as the examples of XState. */
export interface Loose {
  context: any
  events: AnyEventObject
  input: any
  output: any
  emitted: AnyEventObject
}

export interface Script {
  readonly input?: unknown
  readonly steps: readonly Step[]
  /** It has no snapshot and is replayed from its first record. */
  readonly replayed?: true
  /** Part of what plain createActor shows at the end, so that a script that leads nowhere proves nothing. */
  readonly ends: object
  /** What actions did in the end, in order. */
  readonly did?: readonly string[]
  /** What the root has emitted after its start. */
  readonly emitted?: readonly object[]
}

/** Makes a test: what `make` gives, any machine, does under every durable regime what it does under createActor. */
export function conforms(name: string, make: (world: World) => object, script: Script): void {
  it(name, async () => {
    const plain = await run(undefined, make, script)
    const { shown, did, emitted } = plain.at(-1)!
    expect(shown, 'the script leads elsewhere').toMatchObject(script.ends)
    if (script.did) expect(did).toEqual(script.did)
    if (script.emitted) expect(emitted).toEqual(script.emitted)
    for (const regime of ['kept open', 'reopened', 'reopened from snapshots', 'decided twice'] as const)
      for (const [index, moment] of (await run(regime, make, script)).entries()) {
        const step = index === 0 ? 'start' : inspect(script.steps[index - 1])
        expect(moment, `${regime}, after ${step}`).toEqual(plain[index])
      }
  })
}

type Regime = 'kept open' | 'reopened' | 'reopened from snapshots' | 'decided twice'

interface Moment {
  readonly shown: unknown
  readonly did: readonly string[]
  readonly emitted: readonly AnyEventObject[]
}

/** One life of a machine under test. */
interface Subject {
  start(): unknown
  send(event: AnyEventObject): unknown
  shown(): Snapshot<unknown>
  betweenSteps(): unknown
  /** Whether the journal has a snapshot of it. */
  kept?(): Promise<boolean>
}

async function run(regime: Regime | undefined, make: (world: World) => object, script: Script): Promise<Moment[]> {
  const clock = steppingClock()
  const did: string[] = []
  const emitted: AnyEventObject[] = []
  let world: World
  const machine = () => {
    world = worldOf(did)
    return make(world) as AnyStateMachine
  }
  const tell = (event: AnyEventObject) => void emitted.push(event)
  const subject = regime
    ? durableSubject(regime, machine, clock, script.input, did, tell)
    : plainSubject(machine, clock, script.input, did, tell)
  const moments: Moment[] = []
  const look = () => moments.push({ shown: shownOf(subject.shown()), did: [...did], emitted: [...emitted] })
  await subject.start()
  await settle()
  emitted.length = 0 // nobody can listen to a durable instance before it has begun
  look()
  for (const step of script.steps) {
    await subject.betweenSteps()
    if (typeof step === 'function') step(world!)
    else if (typeof step === 'number') await clock.pass(step)
    else await subject.send(typeof step === 'string' ? { type: step } : step)
    await settle()
    look()
  }
  if (regime === 'reopened from snapshots' && !script.replayed)
    expect(await subject.kept?.(), 'has a snapshot').toBe(true)
  return moments
}

function worldOf(did: string[]): World {
  const world = outside()
  return {
    ...world,
    back: new Map(),
    did: (what) => void did.push(what),
    job: (name) => {
      const job = deferred()
      world.jobs.set(name, job)
      return job.promise
    },
  }
}

function plainSubject(
  machine: () => AnyStateMachine,
  clock: Clock,
  input: unknown,
  did: string[],
  tell: (event: AnyEventObject) => void,
): Subject {
  const calls = new Map<number, () => void>()
  const actor = createActor(machine(), {
    id: 'i',
    input,
    clock: {
      setTimeout: (fn, ms) => {
        calls.set(calls.size, clock.after(ms, fn))
        return calls.size - 1
      },
      clearTimeout: (id) => calls.get(id)?.(),
    },
    logger: (...args: unknown[]) => did.push(`log ${args.map(asLogged).join(' ')}`),
  })
  actor.on('*', tell)
  actor.subscribe({ error() {} })
  return {
    start: () => void actor.start(),
    send: (event) => actor.getSnapshot().status === 'active' && actor.send(event), // else it warns
    shown: () => actor.getSnapshot(),
    betweenSteps() {},
  }
}

const asLogged = (value: unknown) => (typeof value === 'string' ? value : inspect(value))

function durableSubject(
  regime: Regime,
  machine: () => AnyStateMachine,
  clock: Clock & { pass(ms: number): Promise<void> },
  input: unknown,
  did: string[],
  tell: (event: AnyEventObject) => void,
): Subject {
  const inner = memoryJournal()
  const logger = { ...quiet, info: (line: string) => void did.push(line.replace(/^[^ ]*: /, 'log ')) }
  let host: Host
  let actor: DurableActor<AnyStateMachine>
  const open = async () => {
    const definition = durable(machine(), { id: 'm' })
    const journal = faultyJournal(inner)
    const snapshotEvery = regime === 'reopened' ? 1_000_000 : 1
    host = await openHost({ journal, clock, logger, machines: [definition], closeTimeout: 0, snapshotEvery })
    actor = await host.actor(definition, 'i', { input: input as never })
    let late = false
    if (regime === 'decided twice')
      journal.plan = () => {
        late = !late
        return late ? { when: 'before', code: 'CONFLICT' } : undefined
      }
    actor.on('*', tell)
    await settle()
  }
  return {
    start: open,
    send: (event) => actor.send(event),
    shown: () => actor.getSnapshot(),
    kept: async () => (await inner.snapshot('m/i')) !== undefined,
    async betweenSteps() {
      if (!regime.startsWith('reopened')) return
      const closed = host.close()
      await settle()
      await clock.pass(0)
      await closed
      await open()
    },
  }
}

/** A clock that lets everything run between two things that are due, so that each of them finds its own time. */
function steppingClock(): Clock & { pass(ms: number): Promise<void> } {
  const clock = virtualClock()
  const dues = new Map<object, number>()
  return {
    now: clock.now,
    after(ms, fn) {
      const call = {}
      dues.set(call, clock.now() + Math.max(0, ms || 0))
      const cancel = clock.after(ms, () => {
        dues.delete(call)
        fn()
      })
      return () => {
        dues.delete(call)
        cancel()
      }
    },
    async pass(ms) {
      const end = clock.now() + ms
      for (;;) {
        const next = Math.min(end, ...dues.values())
        clock.advance(Math.max(0, next - clock.now()))
        await settle()
        if (next >= end && Math.min(...dues.values()) > end) return
      }
    },
  }
}

// ---- what is compared ------------------------------------------------------------------------------------------------

/** A snapshot as plain data in which actors go by their ids; ids that XState made up, by the order of their appearance. */
function shownOf(snapshot: Snapshot<unknown>): unknown {
  const names = new Map<string, string>()
  const nameOf = (id: string) => {
    if (!/^x[:\d]/.test(id)) return id
    const known = names.get(id) ?? `anonymous ${names.size + 1}`
    names.set(id, known)
    return known
  }
  const plain = (value: unknown): unknown => {
    if (value instanceof Error) return { name: value.name, message: value.message }
    if (typeof value !== 'object' || value === null) return value
    if (isActor(value)) return { actor: nameOf(value.id), ...brief(value.getSnapshot()) }
    if (above.has(value)) return '(itself)'
    above.add(value)
    const shown = open(value)
    above.delete(value)
    return shown
  }
  const above = new Set<object>()
  const open = (value: object): unknown => {
    if (Array.isArray(value)) return value.map(plain)
    if (value instanceof Map) return new Map([...value].map(([key, item]) => [plain(key), plain(item)]))
    if (value instanceof Set) return new Set([...value].map(plain))
    if (Object.getPrototypeOf(value) !== Object.prototype) return value
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]))
  }
  const brief = (s: any) => ({ status: s.status, ...(isMachineSnapshot(s) ? { value: s.value } : {}) })
  const whole = (s: any): unknown => {
    const { status, output, error, context } = s
    const all = { status, context: plain(context), output: plain(output), error: plain(error) }
    if (!isMachineSnapshot(s)) return all
    const children = Object.entries(s.children as Record<string, AnyActorRef | undefined>)
    return {
      ...all,
      value: s.value,
      tags: [...s.tags].sort(),
      meta: s.getMeta(),
      history: Object.fromEntries(Object.entries(s.historyValue).map(([id, nodes]) => [id, nodes.map((n) => n.id)])),
      children: Object.fromEntries(
        children.flatMap(([id, child]) => (child ? [[nameOf(id), whole(child.getSnapshot())]] : [])),
      ),
    }
  }
  return whole(snapshot)
}

const isActor = (value: object): value is AnyActorRef => 'sessionId' in value && 'getSnapshot' in value
