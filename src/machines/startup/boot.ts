// One start of a process, from its BEGIN to its end: follows the machine, and answers for it.
//
// S3 `ready` rejects once all that was started has been stopped; nobody is kept from seeing it.
// S6 Who has started the process is told of each step, once that it is ready, and how long to wait: never longer than what is under
//    way may take, so that it can act when nothing is.
// S7 Where nothing can be recorded any more, all is stopped all the same, in the reverse order, and the start-up has failed.
import { BehaviorSubject, Subject } from 'rxjs'
import { DuramenError } from '../../ports/errors.ts'
import type { Logger } from '../../ports/logger.ts'
import { printable } from '../../ports/printable.ts'
import type { DurableActor } from '../../runtime/actor.ts'
import type { Host } from '../../runtime/host.ts'
import type { Desk } from './desk.ts'
import { orderLine } from './log-lines.ts'
import type { startupMachine } from './machine.ts'
import type { Settings } from './options.ts'
import {
  healthOf,
  reportOf,
  type StartupHealth,
  type StartupReport,
  type StartupSnapshot,
  statusLine,
} from './report.ts'
import { inside } from './task-call.ts'
import type { StartupMessage, Task } from './types.ts'
import { SLACK, Watchdog } from './watchdog.ts'

export type StartupActor = DurableActor<typeof startupMachine>

/** Within this the kernel sees that the clock was put on, ms: a retry may wait so long although it is due. */
const LOOKED_AT = 30_000
const LEVELS: Partial<Record<StartupMessage['type'], keyof Logger>> = {
  failed: 'error',
  retrying: 'warn',
  blocked: 'warn',
  aborted: 'warn',
  degraded: 'warn',
}

export class Boot {
  readonly desk: Desk
  /** Resolves once all that is critical is up. */
  readonly ready: Promise<void>
  /** Resolves once all has ended. */
  readonly over: Promise<void>
  readonly report$: BehaviorSubject<StartupReport>
  readonly events$ = new Subject<StartupMessage>()
  private readonly host: Host
  private readonly settings: Settings
  private readonly actor: StartupActor
  private readonly leave: () => void
  private readonly listening: { unsubscribe(): void }[]
  private snapshot: StartupSnapshot
  private ending: Promise<StartupReport> | undefined
  private readonly watchdog: Watchdog
  private told = ''
  private asked = false
  private leaving = false
  private stopping = false
  private isReady = false
  private isOver = false
  private stuck = false
  private resolveReady!: () => void
  private rejectReady!: (error: DuramenError) => void
  private resolveOver!: () => void

  /** To be made before its BEGIN is sent. `leave`: called once it is over. */
  constructor(host: Host, desk: Desk, settings: Settings, actor: StartupActor, leave: () => void) {
    this.host = host
    this.desk = desk
    this.settings = settings
    this.actor = actor
    this.leave = leave
    this.ready = new Promise((resolve, reject) => {
      this.resolveReady = resolve
      this.rejectReady = reject
    })
    this.over = new Promise((resolve) => {
      this.resolveOver = resolve
    })
    this.snapshot = actor.getSnapshot()
    this.report$ = new BehaviorSubject(reportOf(this.snapshot))
    this.watchdog = new Watchdog(desk.clock, () => this.nothingCame())
    desk.changed = () => this.watch()
    this.listening = [
      actor.on('*', (message) => this.log(message)),
      actor.subscribe({ next: (snapshot) => this.seen(snapshot), complete: () => this.left() }),
    ]
  }

  get report(): StartupReport {
    return this.report$.value
  }

  get health(): StartupHealth {
    if (this.stuck) return 'unhealthy'
    const health = healthOf(this.snapshot, this.settings.grace, this.desk.clock.now())
    return this.isOver && health !== 'unhealthy' ? 'stopping' : health // its host may have been closed
  }

  /** S7: 0 where all went well. */
  get exitCode(): number {
    return this.report.state === 'failed' || !this.desk.endedWell ? 1 : 0
  }

  /** Resolves once all has ended; within a task at once, as that would wait for itself. */
  async shutdown(reason: string): Promise<StartupReport> {
    this.ending ??= this.end(reason)
    return inside.of(this.desk) ? this.report : this.ending
  }

  /** The same, and the process ends afterwards: who waits for `ready` must not end it before that. */
  async leaveBy(signal: string): Promise<void> {
    this.leaving = true
    await this.shutdown(signal)
  }

  private async end(reason: string): Promise<StartupReport> {
    if (this.isOver) return this.report
    this.asked = true
    this.watch() // the journal may not even answer
    this.actor
      .send({ type: 'SHUTDOWN', boot: this.desk.boot, reason })
      .catch((error: DuramenError) => (this.isOver ? undefined : this.stopByHand(error)))
    await this.over
    return this.report
  }

  /** Its BEGIN was refused. */
  abandon(): void {
    this.finish(this.failed('it could not begin'), 'asked for')
  }

  /** A state of the machine is committed. */
  private seen(snapshot: StartupSnapshot): void {
    if (this.isOver || snapshot.context.boot !== this.desk.boot) return
    this.snapshot = snapshot
    this.report$.next(reportOf(snapshot))
    const { service } = this.settings
    const line = statusLine(this.report)
    if (line !== this.told) service?.status(printable(line))
    this.told = line
    const { state, readyAt } = this.report
    if (readyAt !== null && !this.isReady) {
      this.isReady = true
      service?.ready()
      this.resolveReady()
    }
    if (state === 'stopping') this.stop(snapshot.context.reason ?? 'the start has failed')
    if (state === 'failed' || state === 'stopped') this.finish(this.failure(snapshot))
    else this.watch()
  }

  private stop(reason: string): void {
    if (!this.stopping) this.settings.service?.stopping()
    this.stopping = true
    this.desk.abort(reason)
  }

  /** K1: what is said is on record. S8: once it is ready, in which order all came about. */
  private log(said: StartupMessage): void {
    const { type, message, task } = said
    const { logger, errors } = this.desk
    const error = type === 'failed' || type === 'retrying' ? errors.get(task ?? '') : undefined
    const order = type === 'ready' ? `: ${orderLine(this.report)}` : ''
    logger[LEVELS[type] ?? 'info'](
      `start-up ${this.desk.id}: ${printable(message)}${order}`,
      error as object | undefined,
    )
    this.events$.next(said)
  }

  /** Sees to it that something comes of what is under way: who is up stays up, also without a journal, until it is to end. */
  private watch(): void {
    this.watchdog.rest()
    const { state } = this.report
    if (this.isOver || this.stuck || (state !== 'starting' && state !== 'stopping' && !this.asked)) return
    const { clock, left } = this.desk
    const now = clock.now()
    const retries = this.snapshot.context.tasks.flatMap(({ retryAt }) => retryAt ?? [])
    const waits = retries.map((at) => Math.max(0, at - now) + LOOKED_AT)
    const wait = waits.reduce((one, other) => Math.max(one, other), left ?? 0)
    this.settings.service?.extend(wait + SLACK)
    this.watchdog.watch(wait)
  }

  private nothingCame(): void {
    if (this.desk.left === undefined) void this.stopByHand(this.stalled())
    else this.watch() // its own limits see to it: the clock was set
  }

  /** Why nothing comes of what is over by its own limits. */
  private stalled(): DuramenError {
    const { machine, id } = this.actor
    const { journal, paused } = this.host.health()
    const { failing, lastError } = journal
    if (failing && lastError) return new DuramenError(lastError.code, lastError.message)
    if (paused.first.some((one) => one.machine === machine && one.id === id))
      return new DuramenError('PAUSED', `an operator has paused ${machine}/${id}`, { retryable: true })
    return new DuramenError('TIMEOUT', 'nothing has come of what was under way', {
      hint: 'See whether the journal hangs.',
    })
  }

  /** Without the journal. */
  private async stopByHand(cause: DuramenError): Promise<void> {
    if (this.stuck) return
    this.stuck = true
    this.watchdog.rest()
    const { desk } = this
    desk.endedWell = false
    desk.logger.error(`start-up ${desk.id}: how it goes on can't be recorded; all is stopped`, cause)
    this.stop(cause.message)
    await desk.stopAll()
    this.report$.next({ ...this.report, state: 'failed', endedAt: desk.clock.now() })
    this.finish(this.failed(`how it goes on can't be recorded: ${cause.message}`, cause))
  }

  /** The host is closed: it aborts what runs by itself, and stops nothing. */
  private left(): void {
    this.finish(this.failed('its host was closed before it was ready'), 'asked for')
  }

  private finish(error: DuramenError, asked?: 'asked for'): void {
    if (this.isOver) return
    this.isOver = true
    this.watchdog.rest()
    // what this very commit says comes after its state
    queueMicrotask(() => {
      for (const one of this.listening) one.unsubscribe()
      this.events$.complete()
      this.desk.clear()
    })
    if (!this.isReady && !this.leaving) {
      // who has asked for the end, and does not look, must not die of it
      if (asked || (!this.snapshot.context.failure && !this.stuck)) this.ready.catch(() => {})
      this.rejectReady(error)
    }
    this.leave()
    this.report$.complete()
    const told = this.settings.service?.close() ?? Promise.resolve()
    void told.then(this.resolveOver, this.resolveOver)
  }

  /** Why it is not ready, once it is over. */
  private failure({ context: { failure, reason, tasks } }: StartupSnapshot): DuramenError {
    if (!failure) return this.failed(`it was shut down before it was ready: ${reason}`)
    const root = rootOf(tasks, failure.task)
    const cause = this.desk.errors.get(root.id) ?? root.problem
    const blocked = root.id === failure.task ? '' : `${failure.task} can't run, as it needs ${root.id}; `
    return this.failed(`${blocked}${root.id} has failed: ${root.problem?.message}`, cause)
  }

  private failed(why: string, cause?: unknown): DuramenError {
    const { machine, id } = this.actor
    return new DuramenError('STARTUP_FAILED', `start-up ${id}: ${why}`, {
      where: { machine, instance: id },
      hint: 'See the cause. What was started has been stopped; start the process again once it is mended.',
      ...(cause !== undefined && { cause }),
    })
  }
}

/** The task because of which another one has failed, or can't run. */
function rootOf(tasks: readonly Task[], id: string): Task {
  const byId = new Map(tasks.map((task) => [task.id, task]))
  let task = byId.get(id)!
  while (task.state === 'blocked') {
    const lost = task.needs
      .map((need) => byId.get(need)!)
      .find(({ state }) => state === 'blocked' || state === 'failed')
    if (!lost) break
    task = lost
  }
  return task
}
