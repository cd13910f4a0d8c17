// One connection in this process: what its machine asks of the driver, who waits for it, and who works on it.
//
// C1d Work begins on a connection that lives. `rollback` is called once, on one that lives, or not at all; its own error
//     hides nothing.
// C1e `close` ends all of it, and each of its waits has an end.
import { isLeft } from 'fp-ts/lib/Either.js'
import { BehaviorSubject, Subject } from 'rxjs'
import { type ActorRefFrom, createActor, fromPromise } from 'xstate'
import { answerOf, begun, eitherOf } from '../../ports/answer.ts'
import type { Clock } from '../../ports/clock.ts'
import { DuramenError } from '../../ports/errors.ts'
import { assertFunction } from '../../ports/given.ts'
import type { Logger } from '../../ports/logger.ts'
import { linked, untilAborted, within } from '../../ports/signal.ts'
import { textOf } from '../../ports/thrown.ts'
import { connectionMachine } from './machine.ts'
import type { Given, WithConnectionOptions } from './options.ts'
import { type ConnectionStatus, statusOf } from './status.ts'
import type { ConnectionMessage } from './types.ts'

/** How long work has for its rollback once `close` has aborted it, ms. */
const UNDOING = 1000

const CONNECT = 'driver.connect'

/** A `withConnection`, until its rollback has ended. */
interface Work {
  /** Of the work, then of its rollback. */
  abort: AbortController
  readonly ended: Promise<void>
}

/** Options of `withConnection`, looked at. */
interface Patient<C> {
  readonly patience: number
  readonly rollback: WithConnectionOptions<C>['rollback']
  readonly signal: AbortSignal | undefined
}

export class Desk<C> {
  readonly events = new Subject<ConnectionMessage>()
  readonly status$: BehaviorSubject<ConnectionStatus>
  readonly #given: Given<C>
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #actor: ActorRefFrom<typeof connectionMachine>
  #unwatch = () => {}
  readonly #works = new Set<Work>()
  /** To be called when the machine has moved. */
  readonly #waiting = new Set<() => void>()
  /** What `connect` has answered last. */
  #connection: C | undefined
  /** The driver's last word. */
  #level: 'up' | 'down' = 'down'
  #since: number
  #closing = false
  #limitPassed = false

  constructor(given: Given<C>, clock: Clock, logger: Logger) {
    this.#given = given
    this.#clock = clock
    this.#logger = logger
    this.#since = clock.now()
    const { id, driver, settings } = given
    this.#actor = createActor(
      connectionMachine.provide({ actors: { connect: fromPromise(({ signal }) => this.#connect(signal)) } }),
      { input: { id, name: driver.name, settings }, clock: clockOf(clock) },
    )
    this.status$ = new BehaviorSubject(this.status())
    this.#actor.on('*', (message) => this.#tell(message))
    this.#actor.subscribe(() => this.#moved())
  }

  /** It is tried from now on. Throws BAD_OPTION for a driver whose watch can't be ended. */
  start(): void {
    const unwatch = this.#given.driver.watch((change) => {
      this.#level = change
      this.#actor.send({ type: change === 'up' ? 'UP' : 'LOST' })
    })
    assertFunction("driver.watch's answer", unwatch, 'It answers a function that ends it: watch: () => () => {}.')
    this.#unwatch = unwatch
    this.#actor.start()
  }

  status(): ConnectionStatus {
    return statusOf(this.#actor.getSnapshot(), this.#since, this.#works.size)
  }

  /** Rejects with what the driver says, or NOT_CONNECTED after `timeout`. */
  async #connect(signal: AbortSignal): Promise<void> {
    const { driver, timeout } = this.#given
    const attempt = new AbortController()
    const unlink = linked([signal], attempt)
    const cancel = this.#clock.after(timeout, () => attempt.abort(tooLong(driver.name, timeout)))
    try {
      const trying = begun(CONNECT, driver.connect(attempt.signal))
      const connected = eitherOf(CONNECT, await untilAborted(trying, attempt.signal))
      if (isLeft(connected)) throw connected.left
      this.#connection = connected.right
      this.#level = 'up'
    } finally {
      cancel()
      unlink()
    }
  }

  #tell(message: ConnectionMessage): void {
    this.#logger[message.again ? 'debug' : LEVELS[message.type]](message.message)
    this.events.next(message)
  }

  #moved(): void {
    const status = this.status()
    if (status.state !== this.status$.value.state) this.#since = this.#clock.now()
    this.status$.next(this.status())
    for (const look of [...this.#waiting]) look()
    // it went while its machine was on its way to `connected`
    if (this.#level === 'down' && this.#isConnected())
      queueMicrotask(() => this.#isConnected() && this.#actor.send({ type: 'LOST' }))
  }

  readonly #isConnected = () => this.#actor.getSnapshot().matches('connected')

  async run<A>(
    work: (connection: C, given: { readonly signal: AbortSignal }) => A | PromiseLike<A>,
    { patience, rollback, signal }: Patient<C>,
  ): Promise<A> {
    const connection = await this.#connected(patience, signal)
    if (this.#closing) throw this.#closed()
    const working = new AbortController()
    const unlink = linked([signal], working) // and never the rollback
    let end = () => {}
    const mine: Work = { abort: working, ended: new Promise<void>((resolve) => (end = resolve)) }
    this.#works.add(mine)
    try {
      return await work(connection, { signal: working.signal })
    } catch (error) {
      if (rollback) await this.#rollBack(rollback, error, mine, patience)
      throw error
    } finally {
      unlink()
      this.#works.delete(mine)
      end()
    }
  }

  /** C1d */
  async #rollBack(
    rollback: NonNullable<WithConnectionOptions<C>['rollback']>,
    error: unknown,
    mine: Work,
    patience: number,
  ): Promise<void> {
    const { id } = this.#given
    mine.abort = new AbortController()
    const { signal } = mine.abort
    try {
      const connection = await this.#connected(this.#limitPassed ? 0 : patience, signal, true)
      await rollback(connection, { signal, error })
    } catch (failed) {
      this.#logger.error(`${id}: what has failed could not be rolled back: ${textOf(failed)}`, failed as object)
    }
  }

  /**
   * The connection, once there is one. Rejects with NOT_CONNECTED, CLOSED, ABORTED; always in a later turn of the loop:
   * who tries again and again without a wait must not keep from it what brings the connection back.
   */
  #connected(patience: number, signal: AbortSignal | undefined, undoing = false): Promise<C> {
    return new Promise((resolve, reject) => {
      const look = () => {
        if (signal?.aborted) return refuse(calledOff(this.#given.id, signal))
        const snapshot = this.#actor.getSnapshot()
        if (snapshot.status !== 'active') return refuse(this.#closed())
        if (this.#closing && !undoing) return refuse(this.#closed())
        if (snapshot.matches('connected') && this.#level === 'up') return end(() => resolve(this.#connection!))
        if (snapshot.hasTag('open')) return refuse(this.#notConnected('its circuit is open'))
      }
      const end = (settle: () => void) => {
        this.#waiting.delete(look)
        signal?.removeEventListener('abort', look)
        cancel()
        settle()
      }
      const refuse = (error: DuramenError) => end(() => setImmediate(reject, error))
      const cancel = this.#clock.after(patience, () =>
        refuse(this.#notConnected(`no connection within ${patience} ms`)),
      )
      this.#waiting.add(look)
      signal?.addEventListener('abort', look)
      look()
    })
  }

  #notConnected(why: string): DuramenError {
    const { problem } = this.#actor.getSnapshot().context
    const { id, driver } = this.#given
    return new DuramenError(
      'NOT_CONNECTED',
      `${id}: ${why}${problem ? `: ${problem.message}` : ` to ${driver.name}`}`,
      {
        retryable: true,
        hint: problem?.hint ?? 'Call again when status$ says connected.',
      },
    )
  }

  #closed(): DuramenError {
    return new DuramenError('CLOSED', `${this.#given.id}: the connection is closed`, {
      hint: 'Call connection() again.',
    })
  }

  /** C1e, once. Rejects with what the driver answers. */
  async close(): Promise<void> {
    const { id, driver, closeTimeout } = this.#given
    this.#closing = true
    for (const look of [...this.#waiting]) look()
    if (!(await this.#endsWithin(closeTimeout))) {
      this.#logger.warn(`${id}: closed while work still ran: ${this.#works.size}`)
      this.#limitPassed = true
      for (const { abort } of this.#works) abort.abort(this.#closed())
      await this.#endsWithin(UNDOING)
    }
    this.#unwatch()
    this.#actor.send({ type: 'CLOSE' })
    const closed = await within(this.#clock, closeTimeout, answerOf('driver.close', driver.close()), () => undefined)
    this.events.complete()
    this.status$.complete()
    if (!closed) throw new DuramenError('TIMEOUT', `${id}: ${driver.name} was not closed within ${closeTimeout} ms`)
    if (isLeft(closed)) throw closed.left
  }

  async #ended(): Promise<void> {
    while (this.#works.size > 0) await Promise.all([...this.#works].map(({ ended }) => ended))
  }

  readonly #endsWithin = (ms: number) =>
    within(
      this.#clock,
      ms,
      this.#ended().then(() => true),
      () => false,
    )
}

/** The host's clock, as XState wants one: what is armed is known by the function that calls it off. */
const clockOf = (clock: Clock) => ({
  setTimeout: (fn: () => void, ms: number) => clock.after(ms, fn),
  clearTimeout: (cancel: () => void) => cancel?.(),
})

const tooLong = (name: string, timeout: number) =>
  new DuramenError('NOT_CONNECTED', `no answer from ${name} within ${timeout} ms`, { retryable: true })

const calledOff = (id: string, signal: AbortSignal) =>
  new DuramenError('ABORTED', `${id}: called off while it waited for a connection`, {
    cause: signal.reason,
    retryable: true,
  })

const LEVELS = {
  attempt: 'info',
  failed: 'warn',
  connected: 'info',
  lost: 'warn',
  opened: 'error',
  trial: 'info',
  stable: 'info',
  closed: 'info',
} as const satisfies Record<ConnectionMessage['type'], 'info' | 'warn' | 'error'>
