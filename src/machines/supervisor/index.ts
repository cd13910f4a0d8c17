// A supervisor on a host: begins to look after a program, and answers for it.
//
// V1a to V1h: machine.ts. Here: a journal that fails holds up nobody who wants the program stopped; a program is never left
// alone by the end of its host. V1i A supervisor that is stuck while nothing runs (its journal has failed for good) is CRITICAL.
import { randomUUID } from 'node:crypto'
import { type Observable, takeUntil } from 'rxjs'
import type { Exit, SupervisorProblem, SupervisorStatus } from '../../ports/child.ts'
import { DuramenError } from '../../ports/errors.ts'
import { badOption } from '../../ports/given.ts'
import { within } from '../../ports/signal.ts'
import { textOf } from '../../ports/thrown.ts'
import type { DurableActor } from '../../runtime/actor.ts'
import type { DurableMachine } from '../../runtime/durable.ts'
import type { Host } from '../../runtime/host.ts'
import { assertHost, COMMIT, eventsOf, openInstance, statusOf } from '../hosting.ts'
import { problemWithHint } from '../problems.ts'
import { keepShort } from '../trimming.ts'
import { closed, Desk } from './desk.ts'
import { delayOf, supervisorMachine } from './machine.ts'
import { type Supervisors, supervisorsOf } from './opened.ts'
import { type Supervised, type SupervisorOptions, supervisedOf } from './options.ts'
import { supervisorStatus } from './status.ts'
import type { Asked, SupervisorMessage, SupervisorOutcome } from './types.ts'

export type * from '../../ports/child.ts'
export type * from '../../ports/notifier.ts'
export type { SupervisorOptions } from './options.ts'
export type {
  SupervisorCommand,
  SupervisorContext,
  SupervisorMessage,
  SupervisorOutcome,
  SupervisorSettings,
} from './types.ts'
export { supervisorMachine }

/** How supervision has ended, and the program the last time. */
export interface SupervisorEnd {
  readonly outcome: SupervisorOutcome
  /** 127: there is no such program, 126: it may not be executed; null where it never ran, or nobody knows. */
  readonly exit: Exit | null
}

/** A program that is looked after. */
export interface Supervisor {
  readonly id: string
  /** The machine of which it is the instance with its id: for `host.list`, history and the host's operators. */
  readonly machine: DurableMachine<typeof supervisorMachine>
  /** How it is doing. */
  status(): SupervisorStatus
  /** The same now, and after each commit. Completes when it is over, or its host is closed. */
  readonly status$: Observable<SupervisorStatus>
  /** What happens, from now on. Completes as `status$`. */
  readonly events$: Observable<SupervisorMessage>
  /**
   * Ends the program and starts it anew; where it waits, it is started at once. It does not count (V1d). Resolves once that
   * is on record. Rejects with CLOSED once it is over, or is being stopped or given up, BAD_OPTION, or what `actor.send`
   * rejects with.
   */
  restart(why: string): Promise<void>
  /**
   * Ends the program, after `stopTimeout` by force, and then supervision. Resolves once none of it is left; also where the
   * journal fails, which is logged then. Rejects with CHILD_FAILED when something of it could not be ended: it is not over
   * then (`stuck`), is not started again, and the next call tries again.
   */
  stop(): Promise<void>
  /** Resolves when supervision is over: by exit code 0, by `stop()` or the end of its host, or as CRITICAL, once people are told. */
  readonly ended: Promise<SupervisorEnd>
}

const GONE = { phase: 'live', problem: undefined } as const
/** Its history is shortened when it has so many commits. */
const HISTORY = 2000

/**
 * Looks after a program: starts it, starts it again when it fails, and gives up as CRITICAL when it fails too often (V1). The
 * history is on record, so that whoever looks after it next goes on counting, and ends what was left of it before it starts
 * it again. Resolves once supervision has begun; `events$` and the host's logger tell how it goes. Stop it before its host is
 * closed: a program whose host is closed is ended, which counts as a failure.
 *
 * Rejects with BAD_OPTION, BAD_ID, PAUSED or PARKED when an operator holds its instance, CLOSED when `host.stop` has ended
 * it, or with what host and journal answer.
 */
export async function supervisor(host: Host, options: SupervisorOptions): Promise<Supervisor> {
  assertHost('supervisor', host)
  const supervised = supervisedOf(options)
  const { id, settings } = supervised
  const supervisors = supervisorsOf(host)
  supervisors.take(id)
  try {
    const actor = await openInstance(host, supervisors.machine, id, { id, settings }, `the supervisor '${id}'`)
    const asked = { id, boot: randomUUID() }
    await actor.send({ type: 'OPEN', boot: asked.boot, settings })
    const short = await keepShort(host, supervisors.machine, actor, HISTORY)
    return new Supervising(host, supervisors, actor, asked, supervised, short)
  } catch (error) {
    supervisors.free(id)
    throw error
  }
}

type Actor = DurableActor<typeof supervisorMachine>

class Supervising implements Supervisor {
  readonly id: string
  readonly machine: DurableMachine<typeof supervisorMachine>
  readonly status$: Observable<SupervisorStatus>
  readonly events$: Observable<SupervisorMessage>
  readonly ended: Promise<SupervisorEnd>
  readonly #host: Host
  readonly #supervisors: Supervisors
  readonly #actor: Actor
  readonly #asked: Asked
  readonly #desk: Desk
  #end: SupervisorEnd | undefined
  #cancel: (() => void) | undefined
  #settle!: (end: SupervisorEnd) => void
  #stopping: Promise<void> | undefined
  /** Why it could not be stopped, or looked after any more. */
  #problem: SupervisorProblem | null = null

  constructor(
    host: Host,
    supervisors: Supervisors,
    actor: Actor,
    asked: Asked,
    supervised: Supervised,
    release: () => void,
  ) {
    this.id = actor.id
    this.machine = supervisors.machine
    this.#host = host
    this.#supervisors = supervisors
    this.#actor = actor
    this.#asked = asked
    const desk = new Desk(supervised, host.clock, host.logger, () => void this.#seeToIt())
    this.#desk = desk
    this.ended = new Promise((resolve) => {
      this.#settle = resolve
    })
    const logging = actor.on('*', (message) => host.logger[LEVELS[message.type]](message.message))
    const listening = actor.subscribe({
      next: (snapshot) => {
        const { outcome, exit } = snapshot.context
        if (snapshot.matches('stopped') || snapshot.matches({ critical: 'told' }))
          this.#finish({ outcome: outcome!, exit })
      },
      complete: () => void this.#abandoned(),
    })
    void this.ended.then(() => {
      for (const each of [logging, listening]) each.unsubscribe()
      release()
    })
    this.status$ = statusOf(actor, () => this.status()).pipe(takeUntil(this.ended))
    this.events$ = eventsOf(actor).pipe(takeUntil(this.ended))
    supervisors.open(asked, desk)
    void this.#seeToIt()
  }

  /**
   * While nothing runs: where the machine is stuck, for it or its journal failed, nothing ever would, and nobody would know. Where
   * the clock was put back, its timer would wait until the clock is where it was: what it waits is counted here, too.
   */
  async #seeToIt(): Promise<void> {
    let [awaited, waited]: [number | null, number] = [null, 0]
    while (!this.#end && this.#desk.pid === null) {
      this.#cancel?.()
      await new Promise<void>((go) => {
        this.#cancel = this.#host.clock.after(COMMIT, go)
      })
      const { phase, problem } = await this.#actor.info().catch(() => GONE)
      const stuck = phase === 'broken' || (phase === 'parked' && problem?.code !== 'PARKED') // an operator knows what he does
      if (stuck && !this.#end && this.#desk.pid === null) await this.#giveUp(problem)
      const { restartAt, restarts, settings } = this.#actor.getSnapshot().context
      waited = restartAt === awaited ? waited + COMMIT : 0
      awaited = restartAt
      if (restartAt !== null && waited >= delayOf(settings, restarts.length))
        await this.#actor.send({ type: 'WAITED' }).catch(() => {}) // held by an operator, or not to be recorded now
    }
  }

  /** As the machine would. */
  async #giveUp(problem: DuramenError | undefined): Promise<void> {
    const { logger, clock } = this.#host
    const title = `CRITICAL: ${this.id} can't be looked after any more: ${problem?.message}`
    logger.error(title)
    this.#supervisors.close(this.#asked)
    await this.#desk.close().catch((error) => logger.error(`${this.id}: ${textOf(error)}`))
    const notice = { level: 'critical', title, text: problem?.hint ?? '', at: clock.now() } as const
    await this.#desk.tell(notice, new AbortController().signal)
    this.#problem = problem === undefined ? null : problemWithHint(problem)
    this.#finish({ outcome: 'critical', exit: this.#desk.exit })
  }

  status(): SupervisorStatus {
    const status = supervisorStatus(this.#actor.getSnapshot(), this.#desk.pid, this.#host.clock.now())
    // also where that is not on record
    const problem = this.#problem ?? status.problem
    if (this.#end) return { ...status, state: this.#end.outcome === 'critical' ? 'critical' : 'stopped', problem }
    return this.#problem ? { ...status, state: 'stuck', problem } : status
  }

  async restart(why: string): Promise<void> {
    if (typeof why !== 'string') throw badOption('restart', why, 'does not say why', "Say it: restart('new settings').")
    if (this.#end || this.#stopping) throw closed(this.id)
    const { handled } = await this.#actor.send({ type: 'RESTART', why })
    if (!handled) throw closed(this.id)
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop().catch((error) => {
      this.#stopping = undefined // it may be tried again
      this.#problem = problemWithHint(error)
      throw error
    })
    return this.#stopping
  }

  /** V1c: it is over once nothing of the program is left, and not before. */
  async #stop(): Promise<void> {
    if (this.#end) return
    const now = this.#actor.getSnapshot()
    if (now.matches('critical')) return this.#finish({ outcome: 'critical', exit: now.context.exit }) // not even for a notifier
    this.#problem = null
    let lost = await this.#unrecorded(this.#actor.send({ type: 'STOP' }), 'it could not be recorded')
    if (lost) this.#supervisors.close(this.#asked)
    else this.#supervisors.open(this.#asked, this.#desk) // an earlier stop, which could not be recorded, has closed it
    await (lost ? this.#desk.close() : this.#desk.end()) // as the machine does, which may not hear of it
    lost ??= await this.#unrecorded(this.ended, 'its end could not be recorded')
    if (this.#end) return
    this.#host.logger.warn(`${this.id}: stopped, but that is not on record: ${textOf(lost)}`)
    this.#finish({ outcome: 'stopped', exit: this.#desk.exit })
  }

  /** Why something is not on record: it was refused, or takes longer than a commit may. Undefined where it is. */
  #unrecorded(commit: Promise<unknown>, otherwise: string): Promise<unknown> {
    return within(this.#host.clock, COMMIT, commit, () => {
      throw new DuramenError('TIMEOUT', otherwise)
    }).then(
      () => undefined,
      (error) => error,
    )
  }

  /** Its host is closed, or its instance is ended, and nobody looks after it any more. */
  async #abandoned(): Promise<void> {
    if (this.#end) return
    this.#supervisors.close(this.#asked)
    await this.#desk.close().catch((error) => this.#host.logger.error(`${this.id}: ${textOf(error)}`))
    await this.#desk.idle()
    this.#finish({ outcome: 'stopped', exit: this.#desk.exit })
  }

  #finish(end: SupervisorEnd): void {
    if (this.#end) return
    this.#end = end
    this.#cancel?.()
    this.#supervisors.close(this.#asked)
    this.#supervisors.free(this.id)
    this.#settle(end)
  }
}

const LEVELS = {
  started: 'info',
  failed: 'warn',
  lost: 'warn',
  restarting: 'info',
  clean: 'info',
  stopped: 'info',
  stuck: 'error',
  critical: 'error',
} as const satisfies Record<SupervisorMessage['type'], 'info' | 'warn' | 'error'>
