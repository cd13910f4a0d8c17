// The runs of one worker in this process.
//
// W1a A run begins once the one before has ended, also one that takes no notice of its signal.
// W1c Whoever stops the worker from inside its own run can't wait for that.
import type { Clock } from '../../ports/clock.ts'
import { DuramenError } from '../../ports/errors.ts'
import { type Logger, namedLog } from '../../ports/logger.ts'
import { sleep } from '../../ports/signal.ts'
import { textOf } from '../../ports/thrown.ts'
import { milliseconds } from '../../runtime/duration.ts'
import { currentEffect } from '../../runtime/effects.ts'
import { Inside } from '../inside.ts'
import { problemOf } from '../problems.ts'
import type { Job, WorkerRun } from './options.ts'
import type { WorkerRan } from './types.ts'

const inside = new Inside<Desk>()

const INTERRUPTED: WorkerRan = {
  outcome: 'interrupted',
  ms: 0,
  problem: { code: 'INTERRUPTED', message: 'its process has ended while it ran' },
}

const STOPPED: WorkerRan = { outcome: 'stopped', ms: 0, problem: null }

export class Desk {
  job: Job
  /** It was told to stop; nothing begins. */
  halted = false
  readonly #clock: Clock
  readonly #logger: Logger
  /** How the last run has failed, as it was logged. */
  #failure: string | undefined
  #current: { readonly ended: Promise<void>; readonly stop: AbortController } | undefined

  constructor(job: Job, clock: Clock, logger: Logger) {
    this.job = job
    this.#clock = clock
    this.#logger = logger
  }

  /** A run goes on. */
  get busy(): boolean {
    return this.#current !== undefined
  }

  /** The code that asks is part of its run, which goes on. */
  get isInside(): boolean {
    return inside.of(this)
  }

  /** Resolves once no run goes on. */
  async idle(): Promise<void> {
    while (this.#current) await this.#current.ended
  }

  /** Tells the run that goes on to end. */
  halt(): void {
    this.halted = true
    this.#current?.stop.abort(stopped(this.job.id))
  }

  /** One run. What it threw is in the journal as text, and in the log as it is. */
  async run(signal: AbortSignal): Promise<WorkerRan> {
    const { key, attempt } = currentEffect()
    if (attempt > 1) return INTERRUPTED
    await this.idle()
    signal.throwIfAborted()
    if (this.halted) return STOPPED
    const stop = new AbortController()
    const leave = () => stop.abort(stopped(this.job.id))
    signal.addEventListener('abort', leave)
    const since = this.#clock.now()
    const ran = inside.run(this, () => this.job.run(this.#given(key, stop.signal)))
    const ended = ran.then(ignore, ignore).then(() => {
      this.#current = undefined
      signal.removeEventListener('abort', leave)
    })
    this.#current = { ended, stop }
    const past = () => Math.round(this.#clock.now() - since)
    try {
      await ran
      this.#failure = undefined
      return { outcome: 'done', ms: past(), problem: null }
    } catch (error) {
      signal.throwIfAborted() // its state was left, or its host closes: it does not count
      if (stop.signal.aborted) return { ...STOPPED, ms: past() }
      this.#logFailure(error)
      return { outcome: 'failed', ms: past(), problem: problemOf(error) }
    } finally {
      await ended
    }
  }

  /** What fails in the same way again and again is told once; the worker's status and events$ have each time. */
  #logFailure(error: unknown): void {
    const text = `worker ${this.job.id}: a run has failed: ${textOf(error)}`
    if (text === this.#failure) return this.#logger.debug(text)
    this.#failure = text
    this.#logger.warn(text, typeof error === 'object' && error !== null ? error : undefined) // a text is in it already
  }

  #given(key: string, signal: AbortSignal): WorkerRun {
    return {
      id: this.job.id,
      key,
      signal,
      log: namedLog(this.#logger, `worker ${this.job.id}`),
      sleep: async (duration) => {
        await sleep(this.#clock, milliseconds(duration, 'sleep'), signal)
      },
    }
  }
}

const ignore = () => {}

const stopped = (id: string) =>
  new DuramenError('ABORTED', `the worker '${id}' is stopped`, { hint: 'Let it through: the run ends by it.' })
