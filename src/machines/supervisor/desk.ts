// The program itself, in the process that looks after it: what the machine asks of the world.
//
// One call after the other reaches the runner. Whoever is not wanted any more (its state was left, the host closes) takes the
// program along: it never runs without somebody who sees its end. What can't be recorded changes nothing in that.
import { isLeft } from 'fp-ts/lib/Either.js'
import { answerOf, must } from '../../ports/answer.ts'
import type { Child, Exit } from '../../ports/child.ts'
import type { Clock } from '../../ports/clock.ts'
import { DuramenError } from '../../ports/errors.ts'
import type { Logger } from '../../ports/logger.ts'
import type { Notice } from '../../ports/notifier.ts'
import { linked, within } from '../../ports/signal.ts'
import { partOf, textOf } from '../../ports/thrown.ts'
import { problemOf, problemWithHint } from '../problems.ts'
import type { Supervised } from './options.ts'
import type { Ended, Started, Told } from './types.ts'

/** V1h: longer than this nobody waits for people to be told, ms. */
const TELLING = 10_000

/** As a shell says it, where the system has a name for what is in the way. */
const EXITS: Readonly<Record<string, number>> = { ENOENT: 127, EACCES: 126, ENOEXEC: 126 }

interface Run {
  readonly child: Child
  readonly ended: Promise<Ended>
  /** What it has come to. */
  over: Ended | undefined
  /** It was asked to end. */
  ending: Promise<Ended> | undefined
}

export class Desk {
  readonly #supervised: Supervised
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #over: () => void
  #run: Run | undefined
  #ending: Promise<Ended | null> | undefined
  /** The last call of the runner. */
  #last: Promise<unknown> = Promise.resolve()
  #closed = false

  /** `over` is called whenever the program has ended. */
  constructor(supervised: Supervised, clock: Clock, logger: Logger, over: () => void) {
    this.#over = over
    this.#supervised = supervised
    this.#clock = clock
    this.#logger = logger
  }

  /** Of the program that runs. */
  get pid(): number | null {
    return this.#run && !this.#run.over ? this.#run.child.pid : null
  }

  /** How it has ended the last time in this process. */
  get exit(): Exit | null {
    return this.#run?.over?.exit ?? null
  }

  /** Ends what another process has left. */
  clear(signal: AbortSignal): Promise<number> {
    return this.#inTurn(async () => {
      signal.throwIfAborted()
      const { runner, stopTimeout } = this.#supervised
      const cleared = await must('runner.clear', runner.clear(stopTimeout))
      if (cleared > 0)
        this.#logger.warn(`${this.#supervised.id}: ended ${cleared} processes that an earlier run had left`)
      return cleared
    })
  }

  /** Begins the program; asked again while it runs, that is the answer. */
  start(signal: AbortSignal): Promise<Started> {
    return this.#inTurn(async () => {
      signal.throwIfAborted()
      if (this.#closed) throw closed(this.#supervised.id)
      if (this.pid !== null) return { outcome: 'started', pid: this.pid }
      this.#ending = undefined
      const { runner, order } = this.#supervised
      const started = await answerOf('runner.start', runner.start(order))
      if (isLeft(started)) return refused(started.left)
      const run = this.#take(started.right)
      if (signal.aborted || this.#closed) await this.#endRun(run)
      signal.throwIfAborted()
      return { outcome: 'started', pid: run.child.pid }
    })
  }

  #take(child: Child): Run {
    const since = this.#clock.now()
    const ended = child.exited.then((exit) => {
      run.over = { exit, ms: this.#clock.now() - since }
      this.#over()
      return run.over
    })
    const run: Run = { child, ended, over: undefined, ending: undefined }
    this.#run = run
    return run
  }

  /** Resolves once the program has ended; it is ended with the signal. */
  async watch(signal: AbortSignal): Promise<Ended> {
    const run = this.#run
    if (!run) throw closed(this.#supervised.id)
    const end = () => void this.#endRun(run).catch(() => {}) // who wants it ended hears of that
    if (signal.aborted) end()
    signal.addEventListener('abort', end)
    try {
      const ended = await run.ended
      signal.throwIfAborted()
      return ended
    } finally {
      signal.removeEventListener('abort', end)
    }
  }

  /** Has the program end, and what is left of it; null where none ran in this process. Once, until it is started again. */
  end(): Promise<Ended | null> {
    this.#ending ??= this.#inTurn(() => this.#endAll()).catch((error) => {
      this.#ending = undefined // it may be tried again
      throw error
    })
    return this.#ending
  }

  async #endAll(): Promise<Ended | null> {
    const run = this.#run
    if (run && (!run.over || run.ending)) return this.#endRun(run)
    const { runner, stopTimeout } = this.#supervised
    await must('runner.clear', runner.clear(stopTimeout))
    return run?.over ?? null
  }

  #endRun(run: Run): Promise<Ended> {
    run.ending ??= run.child
      .end(this.#supervised.stopTimeout)
      .then(() => run.ended)
      .catch((error) => {
        run.ending = undefined // it may be tried again
        throw error
      })
    return run.ending
  }

  /** Nothing is started here any more, and what runs is ended. */
  async close(): Promise<void> {
    this.#closed = true
    await this.end()
  }

  /** Resolves once no program runs. */
  async idle(): Promise<void> {
    await this.#run?.ended
  }

  /** V1h */
  async tell(notice: Notice, signal: AbortSignal): Promise<Told> {
    const { id, notifier } = this.#supervised
    if (!notifier) return { told: false, problem: null }
    const calling = new AbortController()
    const unlink = linked([signal], calling)
    try {
      await within(this.#clock, TELLING, must('notifier.notify', notifier.notify(notice, calling.signal)), () => {
        calling.abort()
        throw new DuramenError('TIMEOUT', `no answer within ${TELLING} ms`)
      })
      return { told: true, problem: null }
    } catch (error) {
      this.#logger.warn(`${id}: ${notifier.name} could not be told that it is CRITICAL: ${textOf(error)}`)
      return { told: false, problem: problemOf(error) }
    } finally {
      unlink()
    }
  }

  #inTurn<A>(call: () => Promise<A>): Promise<A> {
    const turn = this.#last.then(call, call)
    this.#last = turn
    return turn
  }
}

function refused(error: DuramenError): Started {
  const code = EXITS[String(partOf(error.cause, 'code'))]
  return {
    outcome: 'refused',
    problem: problemWithHint(error),
    hopeless: error.code === 'CHILD_FAILED' && !error.retryable,
    exit: code === undefined ? null : { code, signal: null },
  }
}

export const closed = (id: string) =>
  new DuramenError('CLOSED', `${id} is not supervised any more`, { hint: 'Call supervisor() again.' })
