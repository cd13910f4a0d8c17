// One start of a process, from its BEGIN to its end: follows the machine, and answers for it.
//
// S3 `ready` rejects once all that was started has been stopped; nobody is kept from seeing it.
// S6 Who has started the process waits never longer than what is under way may take, so that it can act when nothing is.
// S7 Where nothing can be recorded any more, all is stopped all the same, in the reverse order, and the start-up has failed.
import { BehaviorSubject, map, type Observable, Subject } from 'rxjs'
import { DuramenError } from '../../ports/errors.ts'
import type { Logger } from '../../ports/logger.ts'
import { printable } from '../../ports/printable.ts'
import { partOf, textOf } from '../../ports/thrown.ts'
import type { DurableActor } from '../../runtime/actor.ts'
import type { Host } from '../../runtime/host.ts'
import type { Desk } from './desk.ts'
import { orderLine } from './log-lines.ts'
import type { startupMachine } from './machine.ts'
import type { Settings } from './options.ts'
import { healthOf, reportOf, type StartupHealth, type StartupReport, type StartupSnapshot, stateOf } from './report.ts'
import { inside, problemIn } from './task-call.ts'
import { Telling } from './telling.ts'
import type { StartupMessage, Task } from './types.ts'
import { limitOf, SLACK, stalled, Watchdog } from './watchdog.ts'

export type StartupActor = DurableActor<typeof startupMachine>

const LEVELS: Partial<Record<StartupMessage['type'], keyof Logger>> = {
  failed: 'error',
  retrying: 'warn',
  blocked: 'warn',
  aborted: 'warn',
  degraded: 'warn',
}

/** `asked`: to end; `by hand`: all is stopped without the journal. */
type Phase = 'live' | 'asked' | 'by hand' | 'over'

export class Boot {
  readonly desk: Desk
  /** Resolves once all that is critical is up. */
  readonly ready: Promise<void>
  /** Resolves once all has ended. */
  readonly over: Promise<void>
  readonly report$: Observable<StartupReport>
  readonly events$ = new Subject<StartupMessage>()
  readonly #host: Host
  readonly #grace: number
  readonly #telling: Telling
  readonly #watchdog: Watchdog
  readonly #actor: StartupActor
  readonly #leave: () => void
  readonly #listening: { unsubscribe(): void }[]
  #phase: Phase = 'live'
  /** A signal has come. */
  #leaving = false
  #snapshot: StartupSnapshot
  /** Made when it is asked for: it is as long as there are tasks, and there is another one with each commit. */
  #report: StartupReport | undefined
  readonly #changes = new BehaviorSubject<void>(undefined)
  #ending: Promise<StartupReport> | undefined
  #resolveReady!: () => void
  #rejectReady!: (error: DuramenError) => void
  #resolveOver!: () => void

  /** To be made before its BEGIN is sent. `leave`: called once it is over. */
  constructor(host: Host, desk: Desk, settings: Settings, actor: StartupActor, leave: () => void) {
    this.#host = host
    this.desk = desk
    this.#grace = settings.grace
    this.#telling = new Telling(settings.service)
    this.#actor = actor
    this.#leave = leave
    this.ready = new Promise((resolve, reject) => {
      this.#resolveReady = resolve
      this.#rejectReady = reject
    })
    this.over = new Promise((resolve) => {
      this.#resolveOver = resolve
    })
    this.#snapshot = actor.getSnapshot()
    this.report$ = this.#changes.pipe(map(() => this.report))
    this.#watchdog = new Watchdog(desk.clock, () => this.#nothingCame())
    desk.changed = () => this.#watch()
    this.#listening = [
      actor.on('*', (message) => this.#log(message)),
      actor.subscribe({ next: (snapshot) => this.#seen(snapshot), complete: () => this.#left() }),
    ]
  }

  get report(): StartupReport {
    this.#report ??= reportOf(this.#snapshot)
    return this.#report
  }

  get health(): StartupHealth {
    if (this.#phase === 'by hand' || this.report.state === 'failed') return 'unhealthy'
    const health = healthOf(this.#snapshot, this.#grace, this.desk.clock.now())
    return this.#phase === 'over' && health !== 'unhealthy' ? 'stopping' : health // its host may have been closed
  }

  /** S7: 0 where all went well. */
  get exitCode(): number {
    return this.report.state === 'failed' || !this.desk.endedWell ? 1 : 0
  }

  /** Resolves once all has ended; within a task at once, as that would wait for itself. */
  async shutdown(why: string): Promise<StartupReport> {
    this.#ending ??= this.#end(why)
    return inside.of(this.desk) ? this.report : this.#ending
  }

  /** The same, and the process ends afterwards: who waits for `ready` must not end it before that. */
  async leaveBy(signal: string): Promise<void> {
    this.#leaving = true
    await this.shutdown(signal)
  }

  async #end(reason: string): Promise<StartupReport> {
    if (this.#phase === 'over') return this.report
    if (this.#phase === 'live') this.#phase = 'asked'
    this.#watch() // the journal may not even answer
    this.#actor
      .send({ type: 'SHUTDOWN', boot: this.desk.boot, reason })
      .catch((error: DuramenError) => this.#stopByHand(error))
    await this.over
    return this.report
  }

  /** Its BEGIN was refused. */
  abandon(): void {
    this.#finish(this.#failed('it could not begin'), 'asked for')
  }

  /** A state of the machine is committed. */
  #seen(snapshot: StartupSnapshot): void {
    const { boot, failure, reason, readyAt } = snapshot.context
    if (this.#phase === 'over' || boot !== this.desk.boot) return
    this.#snapshot = snapshot
    this.#report = undefined
    this.#changes.next()
    const state = stateOf(snapshot)
    this.#telling.status(snapshot)
    if (readyAt !== null) {
      this.#telling.ready()
      this.#resolveReady()
    }
    if (state === 'stopping') this.#stop(reason ?? 'the start has failed')
    if (state === 'failed' || state === 'stopped')
      this.#finish(this.#failure(snapshot), failure ? 'failed' : 'asked for')
    else this.#watch()
  }

  #stop(reason: string): void {
    this.#telling.stopping()
    this.desk.abort(reason)
  }

  /** K1: what is said is on record. S8: once it is ready, in which order all came about. */
  #log(said: StartupMessage): void {
    const { type, message, task } = said
    const order = type === 'ready' ? orderLine(this.report) : ''
    const error = type === 'failed' ? this.desk.errors.get(task ?? '') : undefined
    const thrown = typeof error === 'object' ? error : undefined // a text is in the message already
    this.desk.logger[LEVELS[type] ?? 'info'](
      `start-up ${this.desk.id}: ${printable(unlessSaid(message, thrown))}${order && `: ${order}`}`,
      thrown as object | undefined,
    )
    this.events$.next(said)
  }

  /** Sees to it that something comes of what is under way: who is up stays up, also without a journal, until it is to end. */
  #watch(): void {
    this.#watchdog.rest()
    const state = stateOf(this.#snapshot)
    const awaited = state === 'starting' || state === 'stopping' || this.#phase === 'asked'
    if (!awaited || this.#phase === 'by hand' || this.#phase === 'over') return
    const { clock, left } = this.desk
    const limit = limitOf(this.#snapshot.context.tasks, left, clock.now())
    this.#telling.extend(limit + SLACK)
    this.#watchdog.watch(limit)
  }

  #nothingCame(): void {
    if (this.desk.left === undefined) void this.#stopByHand(stalled(this.#host, this.#actor))
    else this.#watch() // its own limits see to it: the clock was set
  }

  /** Without the journal. */
  async #stopByHand(cause: DuramenError): Promise<void> {
    if (this.#phase === 'by hand' || this.#phase === 'over') return
    this.#phase = 'by hand'
    this.#watchdog.rest()
    const { desk } = this
    desk.endedWell = false
    desk.logger.error(`start-up ${desk.id}: how it goes on can't be recorded; all is stopped`, cause)
    this.#stop(cause.message)
    await desk.stopAll()
    this.#report = { ...this.report, state: 'failed', endedAt: desk.clock.now() }
    this.#changes.next()
    this.#finish(this.#failed(`how it goes on can't be recorded: ${cause.message}`, cause), 'failed')
  }

  /** The host is closed: it aborts what runs by itself, and stops nothing. */
  #left(): void {
    this.#finish(this.#failed('its host was closed before it was ready'), 'asked for')
  }

  #finish(error: DuramenError, why: 'failed' | 'asked for'): void {
    if (this.#phase === 'over') return
    this.#phase = 'over'
    this.#watchdog.rest()
    // what this very commit says comes after its state
    queueMicrotask(() => {
      for (const one of this.#listening) one.unsubscribe()
      this.events$.complete()
      this.desk.clear()
    })
    if (!this.#leaving) {
      if (why === 'asked for') this.ready.catch(() => {}) // who does not look must not die of it
      this.#rejectReady(error)
    }
    this.#leave()
    this.#changes.complete()
    void this.#telling.close().then(this.#resolveOver)
  }

  /** Why it is not ready, once it is over. */
  #failure({ context: { failure, reason, tasks } }: StartupSnapshot): DuramenError {
    if (!failure) return this.#failed(`it was shut down before it was ready: ${reason}`)
    const root = rootOf(tasks, failure.task)
    const cause = this.desk.errors.get(root.id) ?? root.problem
    const blocked = root.id === failure.task ? '' : `${failure.task} can't run, as it needs ${root.id}; `
    return this.#failed(`${blocked}${root.id} has failed: ${root.problem?.message}`, cause)
  }

  #failed(why: string, cause?: unknown): DuramenError {
    const { machine, id } = this.#actor
    const hint = partOf(cause, 'hint')
    const next = typeof hint === 'string' && hint !== '' ? hint : 'See the cause.'
    return new DuramenError('STARTUP_FAILED', `start-up ${id}: ${why}`, {
      where: { machine, instance: id },
      hint: `${next} What was started has been stopped; start the process again once it is mended.`,
      ...(cause !== undefined && { cause }),
    })
  }
}

/** A line without its reason, where the error that is logged with it says that itself, above its stack. */
function unlessSaid(message: string, thrown: unknown): string {
  const stack = partOf(thrown, 'stack')
  const why = `: ${problemIn(thrown).message}`
  const isSaid = typeof stack === 'string' && stack.includes(textOf(thrown)) && message.endsWith(why)
  return isSaid ? message.slice(0, -why.length) : message
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
