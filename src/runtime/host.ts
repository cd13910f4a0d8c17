// The host: what its user calls, and what its instances need of it.
//
// K5: what has finished is on record within half a second.
// K10: `close` stops intake, lets commits end, aborts effects, records what has finished, releases the journal.
import { randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { isLeft } from 'fp-ts/lib/Either.js'
import type { Observable } from 'rxjs'
import type { AnyStateMachine, EventFromLogic, InputFrom } from 'xstate'
import type { Journal, Range } from '../journal/port.ts'
import type { Clock } from '../ports/clock.ts'
import { DuramenError, isDuramenError } from '../ports/errors.ts'
import { type Logger, loggerOf, type PinoLogger } from '../ports/logger.ts'
import { DurableActor } from './actor.ts'
import { systemClock } from './clock.ts'
import { type Completion, complete, placeOfToken } from './completion.ts'
import { Tally } from './counts.ts'
import { type DeadLetter, deadLettersOf } from './dead-letters.ts'
import { recordDefinition } from './definitions.ts'
import type { DurableMachine } from './durable.ts'
import { type Duration, milliseconds } from './duration.ts'
import { encodeEvent } from './events.ts'
import { unknownMachine } from './failures.ts'
import { unknownToken } from './handover.ts'
import { type Health, type HostStats, healthOf, statsOf } from './health.ts'
import type { Receipt, Sender } from './inputs.ts'
import type { Instance } from './instance.ts'
import type { InstanceHost } from './instance-host.ts'
import { Instances } from './instances.ts'
import { type Limits, limitsOf } from './limits.ts'
import { type Filter, fits, type Listed, listedOf } from './listing.ts'
import { assertId, Operating } from './operating.ts'
import { installPins } from './pin.ts'
import { Pulse } from './pulse.ts'
import { type JournalEntry, recordsOf, Tail } from './records-stream.ts'
import { Rota } from './rota.ts'
import { sendTo } from './send.ts'
import { Slots } from './slots.ts'
import { openTelemetry } from './telemetry.ts'
import { type PastState, stateAt } from './time-travel.ts'
import { Timers } from './timers.ts'
import { effectiveDue } from './uptime.ts'
import { type VerifyOptions, type VerifyReport, verify } from './verify.ts'
import type { Telemetry } from './watching.ts'

export type { Listed }

/** Settings of a host. */
export interface HostOptions extends Partial<Limits> {
  /** Where commits are kept: `memoryJournal()`, `await fileJournal(dir)`. The host closes it. */
  journal: Journal
  /** Machines to register at once; `host.register` takes more later. Default: none. */
  machines?: readonly DurableMachine[]
  /** Where messages go: `console` or what is shaped like it, or a pino logger. Default: `console`. */
  logger?: Logger | PinoLogger
  /** Where time comes from. Default: the system's clock. */
  clock?: Clock
  /** How long `close` waits for effects that were told to stop; then it warns and closes all the same. Default 10 s. */
  closeTimeout?: Duration
}

/** How `host.actor` opens an instance. Where the machine needs an input, only `create: false` goes without. */
export type ActorOptions<TMachine extends AnyStateMachine> =
  | { create: false; input?: InputFrom<TMachine> }
  | (undefined extends InputFrom<TMachine>
      ? {
          /** What if there is none, or one: `true` opens or creates, `false` only opens, `'only'` only creates. Default `true`. */
          create?: boolean | 'only'
          /** What the machine starts with, if it is created. Default: none; required where the machine needs an input and may be created. */
          input?: InputFrom<TMachine>
        }
      : { create?: true | 'only'; input: InputFrom<TMachine> })

/** The options may be left out where the machine can do without an input. */
export type ActorArguments<TMachine extends AnyStateMachine> =
  undefined extends InputFrom<TMachine> ? [options?: ActorOptions<TMachine>] : [options: ActorOptions<TMachine>]

/** Within this time, ms, what has finished is recorded, if no commit of its instance comes first (K5). */
const MARK_AFTER = 500

/** Opens a host: registers the machines, then takes up what was left unfinished. */
export async function openHost(options: HostOptions): Promise<Host> {
  installPins()
  if (typeof (options.journal as Partial<Journal> | undefined)?.append !== 'function')
    throw new DuramenError('BAD_OPTION', `journal: ${inspect(options.journal, { depth: 0 })} is no journal`, {
      hint: 'Give memoryJournal(), or the result of `await fileJournal(dir)`.',
    })
  try {
    const host = new Host(options, await openTelemetry())
    await host.open(options.machines ?? [])
    return host
  } catch (error) {
    await options.journal.close()() // it was given to the host, and nobody else can release its lock
    throw error
  }
}

/** Runs durable machines on one journal. Made by `openHost`. */
export class Host extends Operating implements InstanceHost {
  /** Where commits are kept. */
  readonly journal: Journal
  /** Where time comes from. */
  readonly clock: Clock
  /** Where messages go. */
  readonly logger: Logger
  /** The limits that hold, defaults included. */
  readonly limits: Limits
  /** What this host writes on its commits; another one each time. */
  readonly name = randomBytes(6).toString('base64url')
  /** @internal */
  readonly tally = new Tally()
  /** @internal */
  readonly telemetry: Telemetry | undefined
  private readonly closeTimeout: number
  private readonly pulse: Pulse
  private readonly machines = new Map<string, DurableMachine>()
  private readonly registering = new Map<string, Promise<void>>()
  protected readonly instances: Instances
  /** @internal */
  readonly timers: Timers
  /** @internal */
  readonly tail = new Tail()
  /** @internal */
  readonly rota = new Rota()
  /** @internal */
  readonly slots: Slots
  private readonly unmarked = new Set<Instance>()
  private readonly deliveries = new Map<string, Promise<unknown>>()
  private cancelMark: (() => void) | undefined
  private closing: Promise<void> | undefined
  private goOn: (() => void) | undefined

  /** @internal Use `openHost`. */
  constructor(options: HostOptions, telemetry?: Telemetry) {
    super()
    this.journal = options.journal
    this.clock = options.clock ?? systemClock
    this.logger = loggerOf(options.logger ?? console)
    this.telemetry = telemetry
    this.closeTimeout = milliseconds(options.closeTimeout ?? '10s', 'closeTimeout')
    this.limits = limitsOf(options)
    this.pulse = new Pulse(this.journal, this.clock, this.logger, this.name)
    this.slots = new Slots(this.clock, this.limits.maxEffects)
    this.timers = new Timers(this.clock, {
      waits: (stream, key, entry) =>
        key === ''
          ? this.instances.waits(stream, entry)
          : (this.instances.live.get(stream)?.waits(key, entry) ?? false),
      due: (stream, key) => this.instances.live.get(stream)?.due(key),
      wake: (streams) => this.instances.wakeAll(streams),
    })
    this.instances = new Instances(this)
  }

  /** @internal */
  async open(machines: readonly DurableMachine[]): Promise<void> {
    await this.register(...machines)
    this.telemetry?.watch(this)
  }

  /**
   * Adds machines and takes up their unfinished instances. Resolves once all that have something to do are in memory; the
   * others come when they are asked for, or when their first delayed transition is due. An instance that can't be rebuilt
   * is listed as `broken` from then on and holds up nobody. Rejects with BAD_MACHINE when another machine has the same id.
   */
  async register(...machines: DurableMachine[]): Promise<void> {
    this.assertOpen()
    const added = new Map<string, DurableMachine>()
    for (const machine of machines) {
      assertDurable(machine)
      const known = this.machines.get(machine.id) ?? added.get(machine.id)
      if (known && known !== machine) throw another(machine.id)
      if (!known) added.set(machine.id, machine)
    }
    const registering = this.takeOn([...added.values()])
    for (const id of added.keys()) this.registering.set(id, registering)
    try {
      await Promise.all(machines.map(({ id }) => this.registering.get(id)))
    } catch (error) {
      // so that it can be tried again
      for (const id of added.keys()) {
        this.machines.delete(id)
        this.registering.delete(id)
      }
      throw error
    }
  }

  private async takeOn(machines: readonly DurableMachine[]): Promise<void> {
    for (const machine of machines) this.machines.set(machine.id, machine)
    await Promise.all(machines.map((machine) => recordDefinition(this.journal, this.clock, machine)))
    if (machines.some(({ options }) => options.timers === 'resume')) await this.pulse.begin()
    await this.instances.takeUp(machines)
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
    ...[options]: ActorArguments<TMachine>
  ): Promise<DurableActor<TMachine>> {
    const { create = true, input } = (options ?? {}) as ActorOptions<TMachine>
    this.assertOpen()
    this.assertKnown(machine)
    assertId(machine.id, id)
    const instance = await this.instances.open(machine, id, create === false ? undefined : input, create)
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
    this.assertKnown(machine)
    return sendTo(await this.instances.find(machine, id), event, options.id)
  }

  /** All instances that fit the filter, from their last commits, without running any code of theirs. */
  async list(filter: Filter = {}): Promise<Listed[]> {
    const found: Listed[] = []
    for await (const [head, instance] of this.instances.heads()) {
      const listed = listedOf(head, instance, this.machines)
      if (fits(listed, filter)) found.push(listed)
    }
    return found
  }

  /** How the host is doing, as plain data: for a health check and for operators. Also once it is closed. */
  health(): Health {
    const { tally, accepting, limits } = this
    return healthOf({ instances: this.instances.live.values(), tally, accepting, mailbox: limits.mailbox })
  }

  /** Figures since the host was opened, for a page or a log line. */
  stats(): HostStats {
    return statsOf(this.instances.live.values(), this.tally.total())
  }

  /**
   * The commits of all instances in the one order of the journal, from position to position, both inclusive, as far as they
   * are durable when the reading begins. Positions ascend; numbers are missing where the journal keeps something of its own
   * (statecharts, in streams that begin with `$`).
   */
  records(range: Range = {}): AsyncGenerator<JournalEntry> {
    return recordsOf(this.journal, range)
  }

  /**
   * The same as an RxJS Observable that goes on: first what is there from position `from` on (default: all), then every
   * commit of this host once it is durable, without a gap and none twice. Each subscriber reads by itself, and reads no
   * further once it unsubscribes. Completes when the host closes; fails with what the journal answers.
   * Throws BAD_OPTION.
   */
  records$({ from = 1 }: { from?: number } = {}): Observable<JournalEntry> {
    if (!Number.isSafeInteger(from) || from < 0)
      throw new DuramenError('BAD_OPTION', `from: ${inspect(from)} is no position`, {
        hint: 'Give the position after the last that you know, or nothing for all.',
      })
    return this.tail.follow(this.journal, from)
  }

  /**
   * An instance as it was after commit `seq`, without holding or waking it; also one that can't be loaded any more. As
   * `actor.snapshotAt`, and UNKNOWN_INSTANCE.
   */
  async snapshotAt<TMachine extends AnyStateMachine>(
    machine: DurableMachine<TMachine>,
    id: string,
    seq: number,
  ): Promise<PastState<TMachine>> {
    this.assertOpen()
    this.assertKnown(machine)
    const { journal, limits } = this
    return (await stateAt({ journal, limits, machine, id }, seq)) as unknown as PastState<TMachine>
  }

  /**
   * Decides stored histories again with today's machines, from their first records, beside what is live, and reports which
   * instances would not come out as they are recorded. `against`: with other machines, before they are put to use.
   *
   * Rejects with BAD_OPTION, BAD_MACHINE, CLOSED, or what the journal answers.
   */
  async verify(options: VerifyOptions = {}): Promise<VerifyReport> {
    this.assertOpen()
    for (const machine of options.against ?? []) assertDurable(machine)
    return verify({ journal: this.journal, limits: this.limits, machines: this.machines }, options)
  }

  /** All effects that have failed for good, oldest first; their instances are parked. */
  async deadLetters(): Promise<DeadLetter[]> {
    return deadLettersOf(this.instances.live.values())
  }

  /**
   * Ends an effect that was handed over (`currentEffect().handOver`): its promise resolves with `output`. A second call with
   * the same token gets the first receipt, with `duplicate: true`.
   *
   * Rejects with UNKNOWN_EFFECT (its state was left, or it is no token), UNKNOWN_MACHINE, PARKED, PAUSED, NOT_SERIALIZABLE,
   * BINARY_TOO_LARGE, MACHINE_THREW, CLOSED or what the journal answers.
   */
  complete(token: string, output?: unknown): Promise<Receipt> {
    return this.completed(token, { type: 'xstate.promise.resolve', data: output })
  }

  /** The same, and its promise rejects with `error`; it is not tried again. */
  fail(token: string, error: unknown): Promise<Receipt> {
    return this.completed(token, { type: 'xstate.promise.reject', data: error })
  }

  private async completed(token: string, end: Completion): Promise<Receipt> {
    this.assertOpen()
    const place = placeOfToken(token)
    const machine = this.machines.get(place.machine)
    if (!machine) throw unknownMachine(place.machine, [...this.machines.keys()])
    const instance = await this.instances.find(machine, place.instance).catch((error) => {
      throw isDuramenError(error) && error.code === 'UNKNOWN_INSTANCE' ? unknownToken() : error
    })
    return complete(instance, token, place, end)
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
    await this.instances.opened()
    const { live } = this.instances
    let over = false
    const cancel = this.clock.after(this.closeTimeout, () => {
      over = true
      this.goOn?.()
    })
    const until = async (done: (instance: Instance) => boolean) => {
      while (!over && ![...live.values()].every(done)) await new Promise<void>((resolve) => (this.goOn = resolve))
    }
    const quiet = (i: Instance) => i.quiet || i.phase === 'broken'
    await until(quiet)
    for (const instance of live.values()) instance.abort()
    await until((i) => i.runner.idle && quiet(i))
    for (const instance of live.values()) instance.mark()
    await until(quiet)
    let recorded = false
    void this.pulse.close().then(() => {
      recorded = true
      this.goOn?.()
    })
    while (!over && !recorded) await new Promise<void>((resolve) => (this.goOn = resolve))
    cancel()
    if (over) this.logger.warn(`effects were still running ${this.closeTimeout} ms after they were told to stop`)
    for (const instance of [...live.values(), ...this.instances.held]) instance.close()
    this.telemetry?.unwatch(this)
    await this.toldAll()
    const closed = await this.journal.close()()
    if (isLeft(closed)) throw closed.left
  }

  /** Who follows the journal has been told of all commits, or has taken too long. */
  private async toldAll(): Promise<void> {
    let cancel: (() => void) | undefined
    const limit = new Promise<void>((resolve) => (cancel = this.clock.after(this.closeTimeout, resolve)))
    await Promise.race([this.tail.close(), limit])
    cancel?.()
  }

  /** Whether events from outside are taken. */
  get accepting(): boolean {
    return this.closing === undefined
  }

  // ---- what instances call -------------------------------------------------------------------------------------------

  /** @internal */
  finished(instance: Instance): void {
    this.goOn?.()
    if (this.closing) return
    if (instance.decidedToEnd && instance.canRest) return this.instances.rest(instance)
    if (this.instances.live.size > this.limits.maxActive) this.instances.makeRoom()
    if (instance.runner.unsaid) {
      this.unmarked.add(instance)
      this.cancelMark ??= this.clock.after(MARK_AFTER, () => {
        this.cancelMark = undefined
        for (const i of this.unmarked) i.mark()
        this.unmarked.clear()
      })
    }
  }

  /** @internal */
  purged({ stream }: Instance): void {
    this.instances.forget(stream)
  }

  /** @internal */
  broken(stream: string): boolean {
    return this.instances.live.get(stream)?.phase === 'broken'
  }

  /** @internal */
  wake(instance: Instance): void {
    this.instances.wake(instance)
  }

  /** @internal */
  listened(instance: Instance): void {
    this.instances.listened(instance)
  }

  /** @internal */
  machine(id: string): DurableMachine | undefined {
    return this.machines.get(id)
  }

  /** @internal */
  dueOf({ options: { timers = 'absolute' } }: DurableMachine, timer: { at: number; due: number }): number {
    return timers === 'absolute' ? timer.due : effectiveDue(timers, timer, this.pulse)
  }

  /** @internal */
  async deliver(machine: DurableMachine, id: string, event: object, line: string, from?: Sender): Promise<Receipt> {
    this.assertKnown(machine)
    const pair = `${line}\n${machine.id}\n${id}`
    const send = async () => {
      const instance = await this.instances.find(machine, id)
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

  protected assertOpen(): void {
    if (this.closing) throw new DuramenError('CLOSED', 'the host is closed', { hint: 'Open it again with openHost().' })
  }

  protected assertKnown(machine: DurableMachine): void {
    assertDurable(machine)
    const known = this.machines.get(machine.id)
    if (known === machine) return
    if (known) throw another(machine.id)
    throw unknownMachine(machine.id, [...this.machines.keys()])
  }
}

function assertDurable(machine: Partial<DurableMachine> | undefined): void {
  if (typeof machine?.id === 'string' && machine.machine && machine.options) return
  throw new DuramenError('BAD_MACHINE', `${inspect(machine, { depth: 0 })} is no durable machine`, {
    hint: 'Wrap it once, `const order = durable(machine)`, and give that to openHost and to the host.',
  })
}

const another = (id: string) =>
  new DuramenError('BAD_MACHINE', `another machine is registered as '${id}'`, {
    where: { machine: id },
    hint: 'Use the very machine that was registered, or give one of them another id: durable(machine, { id }).',
  })
