// A worker on a host: declares it, and answers for it.
//
// W1a to W1d: machine.ts, desk.ts. Here: W1e Starting it twice gives the same worker. W1f `stop` returns only when its run has
// ended; a journal that fails does not hold that up. An operator who holds it keeps nobody from starting the host.
import { isDeepStrictEqual } from 'node:util'
import type { Observable } from 'rxjs'
import { DuramenError } from '../../ports/errors.ts'
import { within } from '../../ports/signal.ts'
import { textOf } from '../../ports/thrown.ts'
import type { DurableActor } from '../../runtime/actor.ts'
import type { DurableMachine } from '../../runtime/durable.ts'
import type { Host } from '../../runtime/host.ts'
import { assertHost, COMMIT, eventsOf, openInstance, statusOf } from '../hosting.ts'
import type { Problem } from '../problems.ts'
import { keepShort } from '../trimming.ts'
import { Desk } from './desk.ts'
import { workerMachine } from './machine.ts'
import { type Workers, workersOf } from './opened.ts'
import { type Job, jobOf, type WorkerOptions } from './options.ts'
import type { WorkerCommand, WorkerMessage, WorkerRan } from './types.ts'

export type { WorkerOptions, WorkerRun } from './options.ts'
export type { WorkerCommand, WorkerContext, WorkerMessage, WorkerRan, WorkerSettings } from './types.ts'
export { workerMachine }

/** How a worker is doing, as plain data. Times are ms since the epoch. */
export interface WorkerStatus {
  readonly id: string
  readonly state: 'stopped' | 'waiting' | 'running' | 'backing off' | 'stopping'
  /** Runs that were done, have failed or were interrupted, ever. */
  readonly runs: number
  /** Failures in a row. */
  readonly failures: number
  /** When the last run began; null where none has. */
  readonly begunAt: number | null
  /** When the next one begins; null unless one is waited for. */
  readonly nextAt: number | null
  /** What the last one came to. */
  readonly last: WorkerRan | null
  /** Why it failed, unless it has not. */
  readonly problem: Problem | null
}

/** A worker that is declared. */
export interface Worker {
  readonly id: string
  /** The machine of which it is the instance with its id: for `host.list`, history and the host's operators. */
  readonly machine: DurableMachine<typeof workerMachine>
  /** How it is doing. */
  status(): WorkerStatus
  /** The same now, and after each commit. Completes when its host is closed. */
  readonly status$: Observable<WorkerStatus>
  /** What happens, from now on. Completes as `status$`. */
  readonly events$: Observable<WorkerMessage>
  /** Has it run now; where a run goes on, once more after it. Rejects with CLOSED where it is stopped, or as `actor.send`. */
  trigger(): Promise<void>
  /**
   * Aborts the signal of its run and resolves once that has ended; nothing else begins. In its own run it is a request, and
   * resolves at once. Recorded: it stays stopped until `start`, or the next call of `worker`, also in another process.
   *
   * Rejects with TIMEOUT when the run has not ended within `stopTimeout`; the worker is stopped once it has.
   */
  stop(): Promise<void>
  /** Begins anew after `stop`, with a run at once. Nothing where it is not stopped. Rejects as `actor.send`. */
  start(): Promise<void>
}

/** For about so many runs their history is kept; older runs are but counted. */
const KEPT = 1000
/** A run is a timer and a result (W1d). */
const COMMITS = 2

/**
 * A periodic job: runs at once, then again every so often, never two at a time; tried again when it fails, and after a
 * restart of the process where it was (W1). Call it at every start of the process: a worker that nobody has declared makes no
 * run. Called again with the same id it gives the same worker, started if it was stopped; then `run` and options are new.
 *
 * Rejects with BAD_OPTION (also where the same worker is there with other options), BAD_ID, CLOSED when `host.stop` has ended
 * its instance, or with what host and journal answer.
 */
export async function worker(host: Host, options: WorkerOptions): Promise<Worker> {
  assertHost('worker', host)
  const job = jobOf(options)
  const workers = workersOf(host)
  const known = workers.known.get(job.id)
  if (known) {
    const there = (await known) as Declared
    await there.declare(job)
    return there
  }
  const opening = open(host, workers, job)
  workers.known.set(job.id, opening)
  opening.catch(() => workers.known.delete(job.id))
  return opening
}

async function open(host: Host, workers: Workers, job: Job): Promise<Declared> {
  const { id, plan } = job
  const actor = await openInstance(host, workers.machine, id, { id, settings: plan.settings }, `the worker '${id}'`)
  const desk = workers.desks.get(id) ?? new Desk(job, host.clock, host.logger) // a run of one that was purged may still go on
  desk.job = job
  await keepShort(host, workers.machine, actor, COMMITS * KEPT)
  const declared = new Declared(host, workers, actor, desk)
  await declared.start()
  return declared
}

type Actor = DurableActor<typeof workerMachine>

class Declared implements Worker {
  readonly id: string
  readonly machine: DurableMachine<typeof workerMachine>
  readonly status$: Observable<WorkerStatus>
  readonly events$: Observable<WorkerMessage>
  readonly #host: Host
  readonly #workers: Workers
  readonly #actor: Actor
  readonly #desk: Desk
  #stopping: Promise<void> | undefined
  /** How often it was asked to stop. */
  #stops = 0

  constructor(host: Host, workers: Workers, actor: Actor, desk: Desk) {
    this.id = actor.id
    this.machine = workers.machine
    this.#host = host
    this.#workers = workers
    this.#actor = actor
    this.#desk = desk
    workers.desks.set(this.id, desk)
    actor.subscribe({ complete: () => this.#ended() })
    this.status$ = statusOf(actor, () => this.status())
    this.events$ = eventsOf(actor)
  }

  status(): WorkerStatus {
    const { context, value } = this.#actor.getSnapshot()
    const { runs, failures, begunAt, nextAt, last, problem } = context
    const { halted, busy } = this.#desk
    const status = { id: this.id, runs, failures, begunAt, last, problem }
    if (halted) return { ...status, state: busy ? 'stopping' : 'stopped', nextAt: null } // also where that is not on record
    return { ...status, state: value === 'backingOff' ? 'backing off' : value, nextAt }
  }

  async trigger(): Promise<void> {
    const { value, context } = this.#actor.getSnapshot()
    if (this.#desk.halted || value === 'stopped' || value === 'stopping')
      throw new DuramenError('CLOSED', `the worker '${this.id}' is stopped`, { hint: 'Call its start() first.' })
    if (!context.again) await this.#actor.send({ type: 'TRIGGER' })
  }

  /** W1e. Throws BAD_OPTION where it is not stopped and was declared otherwise. */
  async declare(job: Job): Promise<void> {
    await this.#stoppedIfAsked()
    if (this.#desk.halted) this.#desk.job = job
    else if (!isDeepStrictEqual(job.plan, this.#desk.job.plan))
      throw new DuramenError('BAD_OPTION', `the worker '${this.id}' is there already, with other options`, {
        where: { machine: this.machine.id, instance: this.id },
        hint: 'Stop it first, or use the same options at each call.',
      })
    await this.start()
  }

  async start(): Promise<void> {
    const stops = this.#stops
    await this.#stoppedIfAsked()
    if (stops !== this.#stops) return // who has asked last, has it
    const { settings } = this.#desk.job.plan
    const { value, context } = this.#actor.getSnapshot()
    const rests = value === 'stopped' || (value === 'stopping' && !context.wanted)
    if (rests || !isDeepStrictEqual(context.settings, settings)) await this.#send({ type: 'START', settings })
    this.#desk.halted = false
    this.#workers.openings.open(this.id, this.#desk)
  }

  /** Its own run can't wait for that: it is waited for. */
  async #stoppedIfAsked(): Promise<void> {
    if (!this.#desk.isInside) await this.#stopping?.catch(() => {})
  }

  /** Its host is closed, or its instance was ended by an operator. */
  #ended(): void {
    this.#workers.known.delete(this.id)
    this.#workers.openings.close(this.id)
    this.#desk.halt()
  }

  /** What is held by an operator takes no options; nobody who starts the process can do anything about it. */
  async #send(command: WorkerCommand): Promise<void> {
    try {
      await this.#actor.send(command)
    } catch (error) {
      const { code, message } = error as DuramenError
      if (code !== 'PAUSED' && code !== 'PARKED') throw error
      this.#host.logger.warn(`${message}: it goes on as it was once it is resumed`, { instance: this.id })
    }
  }

  stop(): Promise<void> {
    this.#stops++
    const stopping = (this.#stopping ??= this.#stop().finally(() => {
      this.#stopping = undefined
    }))
    if (!this.#desk.isInside) return stopping
    stopping.catch((error) => this.#host.logger.warn(`worker ${this.id}: ${textOf(error)}`))
    return Promise.resolve()
  }

  /** W1f */
  async #stop(): Promise<void> {
    this.#workers.openings.close(this.id)
    this.#desk.halt()
    const recorded = this.#recorded()
    const { stopTimeout } = this.#desk.job.plan
    await within(this.#host.clock, stopTimeout, this.#desk.idle(), () => {
      throw timeout(this.id, stopTimeout)
    })
    await recorded
  }

  /** It stays stopped; where that can't be recorded, this is no reason to run. */
  async #recorded(): Promise<void> {
    try {
      if (this.#actor.getSnapshot().value === 'stopped') return
      await within(this.#host.clock, COMMIT, this.#actor.send({ type: 'STOP' }), () => {
        throw new DuramenError('TIMEOUT', 'no answer')
      })
      await this.#desk.idle()
      await this.#actor.waitFor(({ value, context }) => value === 'stopped' || context.wanted, { timeout: COMMIT })
    } catch (error) {
      this.#host.logger.warn(`worker ${this.id}: stopped, but that is not on record: ${textOf(error)}`)
    }
  }
}

const timeout = (id: string, limit: number) =>
  new DuramenError('TIMEOUT', `the run of the worker '${id}' has not ended within ${limit} ms`, {
    retryable: true,
    hint: 'It takes no notice of its signal; nothing else begins, and the worker is stopped once it has ended.',
  })
