// The host: what its user calls. What it calls on is in engine.ts, what operators call in operating.ts.
import type { Observable } from 'rxjs'
import type { AnyStateMachine, EventFromLogic, InputFrom } from 'xstate'
import type { BackedUp, Journal, Range } from '../journal/port.ts'
import type { Clock } from '../ports/clock.ts'
import { DuramenError, isDuramenError } from '../ports/errors.ts'
import { assertFunction, assertNames, badOption, optionsGiven } from '../ports/given.ts'
import type { Logger, PinoLogger } from '../ports/logger.ts'
import { DurableActor } from './actor.ts'
import { type Completion, complete, placeOfToken } from './completion.ts'
import { type DeadLetter, deadLettersOf } from './dead-letters.ts'
import type { DurableMachine } from './durable.ts'
import type { Duration } from './duration.ts'
import { Engine } from './engine.ts'
import { assertId } from './failures.ts'
import { unknownToken } from './handover.ts'
import { type Health, type HostStats, healthOf } from './health.ts'
import type { Receipt } from './inputs.ts'
import { LIMITS, type Limits } from './limits.ts'
import { type Filter, filterGiven, fits, type Listed, listedOf } from './listing.ts'
import { Operating } from './operating.ts'
import { installPins } from './pin.ts'
import { type JournalEntry, rangeGiven, recordsOf } from './records-stream.ts'
import { assertDurable } from './registry.ts'
import { idGiven, sendTo } from './send.ts'
import { openTelemetry } from './telemetry.ts'
import { type PastState, stateAt } from './time-travel.ts'
import { type VerifyOptions, type VerifyReport, verify } from './verify.ts'

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
  /**
   * How long `close` waits for what was accepted and for effects that were told to stop; then it says in a warning what it
   * waited for, and closes all the same. Default 10 s.
   */
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

const VERIFY_NAMES: readonly string[] = [
  'machine',
  'id',
  'against',
  'concurrency',
  'findings',
  'each',
] satisfies (keyof VerifyOptions)[]

/** Opens a host: registers the machines, then takes up what was left unfinished. */
export async function openHost(options: HostOptions): Promise<Host> {
  installPins()
  const { journal, machines = [], clock } = optionsGiven('openHost', options)
  if (typeof (journal as Partial<Journal> | undefined)?.append !== 'function')
    throw badOption(
      'journal',
      journal,
      'is no journal',
      'Give memoryJournal(), or the result of `await fileJournal(dir)`.',
    )
  try {
    assertNames('openHost', options, ['journal', 'machines', 'logger', 'clock', 'closeTimeout', ...LIMITS])
    if (!Array.isArray(machines))
      throw badOption(
        'machines',
        machines,
        'is no array',
        'Give an array of what durable() made: { machines: [order] }.',
      )
    if (clock !== undefined && !(typeof clock?.now === 'function' && typeof clock.after === 'function'))
      throw badOption(
        'clock',
        clock,
        'is no clock',
        'Leave it out, or give an object with the functions now and after.',
      )
    const engine = new Engine(options, await openTelemetry())
    try {
      await engine.registry.register(machines)
    } catch (error) {
      await engine.close().catch(() => {}) // what was taken up has begun its effects; why there is no host says more
      throw error
    }
    engine.telemetry?.watch(engine)
    return new Host(engine)
  } catch (error) {
    await options.journal.close()() // it was given to the host, and nobody else can release its lock
    throw error
  }
}

/** Runs durable machines on one journal. Made by `openHost`. */
export class Host extends Operating {
  /** Where commits are kept. */
  readonly journal: Journal
  /** Where time comes from. */
  readonly clock: Clock
  /** Where messages go. */
  readonly logger: Logger
  /** The limits that hold, defaults included. */
  readonly limits: Limits
  /** What this host writes on its commits; another one each time. */
  readonly name: string

  /** @internal Use `openHost`. */
  constructor(engine: Engine) {
    super(engine)
    const { journal, clock, logger, limits, name } = engine
    this.journal = journal
    this.clock = clock
    this.logger = logger
    this.limits = limits
    this.name = name
  }

  /**
   * Adds machines and takes up their unfinished instances. Resolves once all that have something to do are in memory; the
   * others come when they are asked for, or when their first delayed transition is due. An instance that can't be rebuilt
   * is listed as `broken` from then on and holds up nobody. Rejects with BAD_MACHINE when another machine has the same id.
   */
  async register(...machines: DurableMachine[]): Promise<void> {
    this.engine.assertOpen()
    await this.engine.registry.register(machines)
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
    const given = optionsGiven('host.actor', options as ActorOptions<TMachine> | undefined)
    assertNames('host.actor', given, ['create', 'input'])
    const { create = true, input } = given
    if (typeof create !== 'boolean' && create !== 'only')
      throw badOption(
        'create',
        create,
        "is none of true, false and 'only'",
        'Leave it out to open the instance or create it.',
      )
    this.engine.assertOpen()
    this.engine.registry.assertKnown(machine)
    assertId(machine.id, id)
    const instance = await this.engine.instances.open(machine, id, create === false ? undefined : input, create)
    return new DurableActor<TMachine>(instance)
  }

  /** Sends an event to an instance that exists, without holding it. As `actor.send`, and UNKNOWN_INSTANCE. */
  async send<TMachine extends AnyStateMachine>(
    machine: DurableMachine<TMachine>,
    id: string,
    event: EventFromLogic<TMachine>,
    options?: { id?: string },
  ): Promise<Receipt> {
    this.engine.assertOpen()
    this.engine.registry.assertKnown(machine)
    const eventId = idGiven(options)
    return sendTo(await this.engine.instances.find(machine, id), event, eventId)
  }

  /** All instances that fit the filter, from their last commits, without running any code of theirs. */
  async list(filter?: Filter): Promise<Listed[]> {
    const wanted = filterGiven(filter)
    const found: Listed[] = []
    for await (const [head, instance] of this.engine.instances.heads()) {
      const listed = listedOf(head, instance, this.engine.registry.machines)
      if (fits(listed, wanted)) found.push(listed)
    }
    return found
  }

  /** How the host is doing, as plain data: for a health check and for operators. Also once it is closed. */
  health(): Health {
    const { tally, accepting, limits, instances } = this.engine
    return healthOf({ instances: instances.live.values(), tally, accepting, mailbox: limits.mailbox })
  }

  /** Figures since the host was opened, for a page or a log line. */
  stats(): HostStats {
    return this.engine.stats()
  }

  /**
   * The commits of all instances in the one order of the journal, from position to position, both inclusive, as far as they
   * are durable when the reading begins. Positions ascend; numbers are missing where the journal keeps something of its own
   * (statecharts, in streams that begin with `$`).
   */
  records(range?: Range): AsyncGenerator<JournalEntry> {
    return recordsOf(this.journal, rangeGiven('records', range))
  }

  /**
   * The same as an RxJS Observable that goes on: first what is there from position `from` on (default: all), then every
   * commit of this host once it is durable, without a gap and none twice. Each subscriber reads by itself, and reads no
   * further once it unsubscribes. Completes when the host closes; fails with what the journal answers.
   * Throws BAD_OPTION.
   */
  records$(options?: { from?: number }): Observable<JournalEntry> {
    const { from = 1 } = rangeGiven('records$', options)
    return this.engine.tail.follow(this.journal, from)
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
    this.engine.assertOpen()
    this.engine.registry.assertKnown(machine)
    assertId(machine.id, id)
    const { journal, limits } = this
    return (await stateAt({ journal, limits, machine, id }, seq)) as unknown as PastState<TMachine>
  }

  /**
   * Decides stored histories again with today's machines, from their first records, beside what is live, and reports which
   * instances would not come out as they are recorded. `against`: with other machines, before they are put to use.
   *
   * Rejects with BAD_OPTION, BAD_MACHINE, CLOSED, or what the journal answers.
   */
  async verify(options?: VerifyOptions): Promise<VerifyReport> {
    this.engine.assertOpen()
    const given = optionsGiven('verify', options)
    assertNames('verify', given, VERIFY_NAMES)
    const { against = [], each } = given
    if (!Array.isArray(against))
      throw badOption('against', against, 'is no array', 'Give an array of what durable() made: { against: [next] }.')
    for (const machine of against) assertDurable(machine)
    if (each !== undefined)
      assertFunction('each', each, 'Give a function that is called with what was found of each instance.')
    return verify({ journal: this.journal, limits: this.limits, machines: this.engine.registry.machines }, given)
  }

  /** All effects that have failed for good, oldest first; their instances are parked. */
  async deadLetters(): Promise<DeadLetter[]> {
    return deadLettersOf(this.engine.instances.live.values())
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
    this.engine.assertOpen()
    const place = placeOfToken(token)
    const machine = this.engine.registry.named(place.machine)
    const instance = await this.engine.instances.find(machine, place.instance).catch((error) => {
      throw isDuramenError(error) && error.code === 'UNKNOWN_INSTANCE' ? unknownToken() : error
    })
    return complete(instance, token, place, end)
  }

  /**
   * Copies the journal into a folder while the host goes on, with every commit that is durable when it is called; a folder that
   * holds an earlier backup gets what is new. docs/BACKUP.md says how it is taken back.
   *
   * Rejects with NO_BACKUP (the journal makes none), CLOSED, BAD_OPTION, or as `backupJournal` of `duramen/journal`.
   */
  async backup(dir: string): Promise<BackedUp> {
    this.engine.assertOpen()
    if (this.journal.backup !== undefined) return this.journal.backup(dir)
    throw new DuramenError('NO_BACKUP', 'host.backup: the journal of this host makes no backups', {
      hint: 'Use fileJournal, the means of the database it is in, or exportJournal.',
    })
  }

  /** @internal Has something end with the host, before its journal; the answer calls that off. Throws CLOSED. */
  endsWith(end: () => Promise<void>): () => void {
    this.engine.assertOpen()
    this.engine.endings.add(end)
    return () => void this.engine.endings.delete(end)
  }

  /**
   * Ends all: takes no more events, lets what was accepted become durable, aborts effects through their signals and waits
   * for them up to `closeTimeout`, records what has finished, closes the journal. May be called twice.
   */
  close(): Promise<void> {
    return this.engine.close()
  }
}
