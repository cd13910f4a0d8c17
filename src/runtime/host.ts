// The host: opens instances, brings back those that a crash or a restart has left, and closes them all.
//
// K9: every limit is an option with a default.
// K10: `close` stops intake, lets commits end, aborts effects, records what has finished, releases the journal.
import { randomBytes } from 'node:crypto'
import { isLeft } from 'fp-ts/lib/Either.js'
import { type AnyStateMachine, type EventFromLogic, type InputFrom, matchesState, type StateValue } from 'xstate'
import type { Journal } from '../journal/port.ts'
import { decodeCommit, instanceOf } from '../journal/records.ts'
import type { Clock } from '../ports/clock.ts'
import { DuramenError, type ErrorPlace } from '../ports/errors.ts'
import type { Logger } from '../ports/logger.ts'
import { DurableActor, sendTo } from './actor.ts'
import { systemClock } from './clock.ts'
import type { Head } from './decider.ts'
import { recordDefinition } from './definitions.ts'
import type { Sender } from './deliver.ts'
import type { DurableMachine } from './durable.ts'
import { type Duration, milliseconds } from './duration.ts'
import { encodeEvent, encodeFor } from './events.ts'
import { asDuramenError } from './failures.ts'
import type { Receipt } from './inputs.ts'
import { Instance } from './instance.ts'
import type { InstanceHost, Limits } from './instance-host.ts'
import { installPins } from './pin.ts'
import { Timers } from './timers.ts'

/** Settings of a host. */
export interface HostOptions extends Partial<Limits> {
  /** Where commits are kept: `memoryJournal()`, `await fileJournal(dir)`. The host closes it. */
  journal: Journal
  /** Machines to register at once; `host.register` takes more later. */
  machines?: readonly DurableMachine<any>[]
  /** Where messages go. Default: `console`. */
  logger?: Logger
  /** Where time comes from. Default: the system's clock. */
  clock?: Clock
  /** How long `close` waits for effects that were told to stop. Default 10 s. */
  closeTimeout?: Duration
}

const DEFAULTS: Limits = { mailbox: 10_000, pipeline: 256, dedupe: 1000, maxBinary: 4096, maxRelays: 10_000 }
const MARK_AFTER = 500

/** An instance in a list, as its last commit tells. */
export interface Listed {
  readonly machine: string
  readonly id: string
  readonly state: StateValue | undefined
  /** `asleep`: its machine is not registered. `parked`: see `problem`. `broken`: it can't be rebuilt. */
  readonly status: 'active' | 'done' | 'error' | 'stopped' | 'asleep' | 'parked' | 'broken'
  readonly tags: readonly string[]
  readonly seq: number
  readonly position: number
  /** Time of its last commit, ms since the epoch. */
  readonly at: number
  readonly version: number
  readonly attributes: Readonly<Record<string, unknown>>
  readonly problem?: DuramenError
}

/** Opens a host: registers the machines, then takes up what was left unfinished. */
export async function openHost(options: HostOptions): Promise<Host> {
  installPins()
  const host = new Host(options)
  await host.open(options.machines ?? [])
  return host
}

/** Runs durable machines on one journal. Made by `openHost`. */
export class Host implements InstanceHost {
  readonly journal: Journal
  readonly clock: Clock
  readonly logger: Logger
  readonly limits: Limits
  readonly name = randomBytes(6).toString('base64url')
  private readonly closeTimeout: number
  private readonly machines = new Map<string, DurableMachine<any>>()
  private readonly live = new Map<string, Instance>()
  private readonly opening = new Map<string, Promise<Instance>>()
  /** Last commits of instances that are not in memory. */
  private readonly heads = new Map<string, Head>()
  /** @internal */
  readonly timers: Timers
  private readonly dirty: Instance[] = []
  private readonly unmarked = new Set<Instance>()
  private readonly deliveries = new Map<string, Promise<unknown>>()
  private cancelMark: (() => void) | undefined
  private closing: Promise<void> | undefined
  private wake: (() => void) | undefined

  /** @internal Use `openHost`. */
  constructor(options: HostOptions) {
    this.journal = options.journal
    this.clock = options.clock ?? systemClock
    this.logger = options.logger ?? console
    this.closeTimeout = milliseconds(options.closeTimeout ?? '10s', 'closeTimeout')
    const limits = { ...DEFAULTS }
    for (const name of Object.keys(DEFAULTS) as (keyof Limits)[]) {
      const value = options[name] ?? DEFAULTS[name]
      if (!Number.isSafeInteger(value) || value < 1)
        throw new DuramenError('BAD_OPTION', `${name}: ${value} is no whole number from 1`)
      limits[name] = value
    }
    this.limits = limits
    this.timers = new Timers(this.clock)
  }

  /** @internal */
  async open(machines: readonly DurableMachine<any>[]): Promise<void> {
    for await (const record of this.journal.heads()) {
      if (!instanceOf(record.stream)) continue
      const commit = decodeCommit(record)
      const { position, outcomeText: outcome } = commit
      this.heads.set(record.stream, { header: commit, outcome, position })
    }
    await this.register(...machines)
  }

  /**
   * Adds machines and takes up their unfinished instances. Resolves once all of them are live; an instance that can't be
   * rebuilt is listed as `broken` and holds up nobody. Rejects with BAD_MACHINE when another machine has the same id.
   */
  async register(...machines: DurableMachine<any>[]): Promise<void> {
    this.assertOpen()
    for (const machine of machines) {
      const known = this.machines.get(machine.id)
      if (known && known !== machine)
        throw new DuramenError('BAD_MACHINE', `another machine is registered as '${machine.id}'`, {
          where: { machine: machine.id },
          hint: 'Give one of them another id: durable(machine, { id }).',
        })
    }
    const added = machines.filter((m) => !this.machines.has(m.id))
    for (const machine of added) this.machines.set(machine.id, machine)
    await Promise.all(added.map((machine) => recordDefinition(this.journal, this.clock, machine)))
    const ids = new Set(added.map((m) => m.id))
    const left: Promise<unknown>[] = []
    for (const [stream, head] of this.heads) {
      const { machine, instance } = instanceOf(stream)!
      const active = !head.outcome.includes('"status":') || JSON.parse(head.outcome).status === undefined
      if (ids.has(machine) && (active || head.header.unfinished))
        left.push(this.find(this.machines.get(machine)!, instance, undefined, false).catch(() => undefined)) // it has said so itself
    }
    await Promise.all(left)
  }

  /**
   * An instance: the one with this id, or a new one that starts with `input`.
   * `create: false` only opens (UNKNOWN_INSTANCE), `create: 'only'` only creates (INSTANCE_EXISTS).
   *
   * Rejects with BAD_ID, BAD_INPUT, UNKNOWN_MACHINE, REPLAY_DIVERGED, MACHINE_THREW, CLOSED or what the journal answers.
   */
  async actor<TMachine extends AnyStateMachine>(
    machine: DurableMachine<TMachine>,
    id: string,
    options: { input?: InputFrom<TMachine>; create?: boolean | 'only' } = {},
  ): Promise<DurableActor<TMachine>> {
    const { create = true } = options
    this.assertOpen()
    this.assertKnown(machine.id)
    assertId(machine.id, id)
    const instance = await this.find(machine, id, create === false ? undefined : options.input, create)
    return new DurableActor<TMachine>(instance)
  }

  /** Sends an event to an instance that exists, without holding it. As `actor.send`, and UNKNOWN_INSTANCE. */
  async send<TMachine extends AnyStateMachine>(
    machine: DurableMachine<TMachine>,
    id: string,
    event: EventFromLogic<TMachine>,
    options: { id?: string } = {},
  ): Promise<Receipt> {
    this.assertOpen()
    this.assertKnown(machine.id)
    return sendTo(await this.find(machine, id, undefined, false), event, options.id)
  }

  /** Lets a parked instance go on: what failed is tried again. Rejects with UNKNOWN_INSTANCE. */
  async resume(machine: DurableMachine<any>, id: string): Promise<void> {
    this.assertOpen()
    ;(await this.find(machine, id, undefined, false)).resume()
  }

  /** All instances that fit the filter, from their last commits, without running any code of theirs. */
  async list(filter: { machine?: string; state?: StateValue; status?: Listed['status'] } = {}): Promise<Listed[]> {
    const found: Listed[] = []
    const heads = new Map(this.heads)
    for (const [stream, instance] of this.live) if (instance.last) heads.set(stream, instance.last)
    for (const [stream, head] of heads) {
      const listed = this.listed(stream, head)
      if (filter.machine !== undefined && listed.machine !== filter.machine) continue
      if (filter.status !== undefined && listed.status !== filter.status) continue
      if (filter.state !== undefined && (listed.state === undefined || !matchesState(filter.state, listed.state)))
        continue
      found.push(listed)
    }
    return found
  }

  private listed(stream: string, { header, outcome, position }: Head): Listed {
    const { machine, instance: id } = instanceOf(stream)!
    const { value: state, status = 'active', tags = [], attributes = {} } = JSON.parse(outcome)
    const { seq, at, version } = header
    const instance = this.live.get(stream)
    const problem = instance?.problem
    const now = problem
      ? instance.phase === 'broken'
        ? 'broken'
        : 'parked'
      : this.machines.has(machine)
        ? status
        : 'asleep'
    return {
      machine,
      id,
      state,
      status: status === 'active' || problem ? now : status,
      tags,
      seq,
      position,
      at,
      version,
      attributes,
      ...(problem && { problem }),
    }
  }

  /**
   * Ends all: takes no more events, lets what was accepted become durable, aborts effects through their signals and waits
   * for them up to `closeTimeout`, records what has finished, closes the journal. May be called twice.
   */
  close(): Promise<void> {
    this.closing ??= this.end()
    return this.closing
  }

  private async end(): Promise<void> {
    this.timers.close()
    this.cancelMark?.()
    await Promise.allSettled(this.opening.values())
    let over = false
    const cancel = this.clock.after(this.closeTimeout, () => {
      over = true
      this.wake?.()
    })
    const until = async (done: (instance: Instance) => boolean) => {
      while (!over && ![...this.live.values()].every(done)) await new Promise<void>((resolve) => (this.wake = resolve))
    }
    const quiet = (i: Instance) => i.quiet || i.phase === 'broken'
    await until(quiet)
    for (const instance of this.live.values()) instance.abort()
    await until((i) => i.runner.idle && quiet(i))
    for (const instance of this.live.values()) instance.mark()
    await until(quiet)
    cancel()
    if (over) this.logger.warn(`effects were still running ${this.closeTimeout} ms after they were told to stop`)
    for (const instance of this.live.values()) instance.close()
    const closed = await this.journal.close()()
    if (isLeft(closed)) throw closed.left
  }

  /** Whether events from outside are taken. */
  get accepting(): boolean {
    return this.closing === undefined
  }

  // ---- what instances call -------------------------------------------------------------------------------------------

  flushSoon(instance: Instance): void {
    if (this.dirty.push(instance) > 1) return
    queueMicrotask(() => {
      for (const i of this.dirty.splice(0)) i.flush()
    })
  }

  finished(instance: Instance): void {
    this.wake?.()
    if (instance.finishedForGood) this.retire(instance)
    else if (instance.runner.done.size && !this.closing) {
      this.unmarked.add(instance)
      this.cancelMark ??= this.clock.after(MARK_AFTER, () => {
        this.cancelMark = undefined
        for (const i of this.unmarked) i.mark()
        this.unmarked.clear()
      })
    }
  }

  /** An instance at its end leaves memory; who holds it keeps its last state. */
  private retire(instance: Instance): void {
    if (this.live.get(instance.stream) !== instance || this.closing) return
    this.live.delete(instance.stream)
    this.heads.set(instance.stream, instance.last!)
  }

  async deliver(machine: DurableMachine, id: string, event: object, from: Sender): Promise<Receipt> {
    this.assertKnown(machine.id)
    const pair = `${from[0]}\n${machine.id}\n${id}`
    const send = async () => {
      const instance = await this.find(machine, id, undefined, false)
      const payload = encodeEvent(machine, id, event, this.limits.maxBinary)
      return instance.ask({ kind: 'event', payload, from, keep: true })
    }
    const turn = (this.deliveries.get(pair) ?? Promise.resolve()).then(send, send)
    const settled = turn.catch(() => undefined)
    this.deliveries.set(pair, settled)
    void settled.then(() => {
      if (this.deliveries.get(pair) === settled) this.deliveries.delete(pair)
    })
    return turn
  }

  // ---- finding -------------------------------------------------------------------------------------------------------

  private find(machine: DurableMachine<any>, id: string, input: unknown, create: boolean | 'only'): Promise<Instance> {
    const stream = `${machine.id}/${id}`
    const where = { machine: machine.id, instance: id }
    const there = this.opening.get(stream) ?? this.live.get(stream)
    if (there || this.heads.has(stream)) {
      if (create === 'only') return Promise.reject(exists(stream, where))
      if (!there) return this.load(machine, id)
      if (there instanceof Instance && there.phase === 'broken') return Promise.reject(there.problem)
      return Promise.resolve(there)
    }
    if (create === false) return this.load(machine, id) // another host may have made it
    return this.enter(stream, () => this.create(machine, id, input, create === 'only'))
  }

  private async create(machine: DurableMachine<any>, id: string, input: unknown, only: boolean): Promise<Instance> {
    const payload = encodeFor(
      input,
      { machine: machine.id, instance: id, event: 'start' },
      { name: 'input', maxBinary: this.limits.maxBinary },
    )
    const instance = new Instance(this, machine, id)
    const { duplicate } = await instance.create(payload)
    if (only && duplicate) throw exists(instance.stream, { machine: machine.id, instance: id }) // another host was first
    this.live.set(instance.stream, instance)
    this.finished(instance)
    return instance
  }

  private load(machine: DurableMachine<any>, id: string): Promise<Instance> {
    return this.enter(`${machine.id}/${id}`, async () => {
      const stream = `${machine.id}/${id}`
      const instance = new Instance(this, machine, id, this.heads.get(stream))
      this.live.set(stream, instance)
      try {
        await instance.recover()
      } catch (error) {
        const problem = asDuramenError(error, { machine: machine.id, instance: id })
        instance.broke(problem)
        throw problem
      }
      if (!instance.last) {
        this.live.delete(instance.stream)
        throw new DuramenError('UNKNOWN_INSTANCE', `${instance.stream} is not there`, {
          where: { machine: machine.id, instance: id },
          hint: 'Create it with host.actor(machine, id, { input }).',
        })
      }
      this.heads.delete(instance.stream)
      this.finished(instance)
      return instance
    })
  }

  /** One opening per instance at a time. */
  private enter(stream: string, open: () => Promise<Instance>): Promise<Instance> {
    const opened = open().finally(() => this.opening.delete(stream))
    this.opening.set(stream, opened)
    return opened
  }

  private assertOpen(): void {
    if (this.closing) throw new DuramenError('CLOSED', 'the host is closed', { hint: 'Open it again with openHost().' })
  }

  private assertKnown(machine: string): void {
    if (this.machines.has(machine)) return
    const names = [...this.machines.keys()].map((n) => `'${n}'`).join(', ') || 'none'
    throw new DuramenError('UNKNOWN_MACHINE', `no machine is registered as '${machine}'; registered: ${names}`, {
      where: { machine },
      hint: 'Give it to openHost({ machines }) or host.register(machine).',
    })
  }
}

const exists = (stream: string, where: ErrorPlace) =>
  new DuramenError('INSTANCE_EXISTS', `${stream} exists`, {
    where,
    hint: 'Open it without create, or choose another id.',
  })

function assertId(machine: string, id: string): void {
  if (typeof id === 'string' && /^[^\p{Cc}]{1,500}$/u.test(id)) return
  throw new DuramenError('BAD_ID', `${JSON.stringify(id)} can't be the id of an instance of ${machine}`, {
    where: { machine },
    hint: 'Use 1 to 500 characters without control characters.',
  })
}
