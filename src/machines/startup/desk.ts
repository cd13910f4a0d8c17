// What the journal does not keep of one start of a process: the values of its tasks, and what runs.
//
// K12 Values stay here. A task gets those of the tasks that it needs, and of no others: what holds by chance fails later.
// S5 Memory is cleaned after a heavy task, before the next one begins.
// S2 What runs once gives no value, also not the first time: the next process has none of it.
import { randomUUID } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import type { Clock } from '../../ports/clock.ts'
import { DuramenError } from '../../ports/errors.ts'
import { shown } from '../../ports/given.ts'
import type { Logger } from '../../ports/logger.ts'
import { printable } from '../../ports/printable.ts'
import type { HostProcess } from '../../ports/process.ts'
import { needs } from './graph.ts'
import { cleanMemory, memoryLine } from './memory.ts'
import type { Given, Settings, StartupTask } from './options.ts'
import { attempt } from './run-task.ts'
import { stop } from './stop-task.ts'
import type { World } from './task-call.ts'
import type { Ran, Stopped, TaskOrder } from './types.ts'

export class Desk implements World {
  readonly boot: string = randomUUID()
  readonly id: string
  readonly clock: Clock
  readonly logger: Logger
  /** All that had to end has ended, and well. */
  endedWell = true
  /** What tasks threw last, by their ids. */
  readonly errors = new Map<string, unknown>()
  /** Something begins or has ended. */
  changed = (): void => {}
  readonly #process: HostProcess
  readonly #tasks: readonly Given[]
  readonly #places: ReadonlyMap<string, number>
  readonly #plans: ReadonlyMap<string, Given['plan']>
  readonly #end = new AbortController()
  readonly #values = new Map<number, unknown>()
  /** Places of the tasks that have been done, in that order. */
  readonly #order: number[] = []
  readonly #runs = new Map<string, Promise<Ran>>()
  readonly #stops = new Map<number, Promise<Stopped>>()
  /** When what is under way is over by its own limits, ms since the epoch, and how long it had. */
  readonly #limits = new Map<string, { readonly until: number; readonly ms: number }>()

  constructor({ id, process }: Settings, tasks: readonly Given[], clock: Clock, logger: Logger) {
    this.id = id
    this.#process = process
    this.#tasks = tasks
    this.clock = clock
    this.logger = logger
    this.#places = new Map(tasks.map(({ plan }, n) => [plan.id, n]))
    this.#plans = new Map(tasks.map(({ plan }) => [plan.id, plan]))
    setMaxListeners(0, this.#end.signal) // as many as tasks run
  }

  get ending(): AbortSignal {
    return this.#end.signal
  }

  /**
   * In how many ms all that is under way is over by its own limits; undefined: nothing is. Those limits can't be overdue: who seems
   * to be, or to have more than all of its time, has it in full, as the clock was set meanwhile.
   */
  get left(): number | undefined {
    let most: number | undefined
    const now = this.clock.now()
    for (const { until, ms } of this.#limits.values()) {
      const left = until - now
      most = Math.max(most ?? 0, left > 0 && left < ms ? left : ms)
    }
    return most
  }

  /** The actor `task`: asked again for the same attempt, the answer is the same. `left`: its host closes. */
  run({ task: n, attempt: nth }: TaskOrder, left: AbortSignal): Promise<Ran> {
    const name = `${n}#${nth}`
    const known = this.#runs.get(name)
    if (known) return known
    const { timeout, stopTimeout } = this.#tasks[n]!
    const run = this.#limited(name, timeout + 2 * stopTimeout, () => this.#attempt(n, nth, left))
    this.#runs.set(name, run)
    run.catch(() => this.#runs.delete(name)) // it has not been: it may be asked for once more
    return run
  }

  async #attempt(n: number, nth: number, left: AbortSignal): Promise<Ran> {
    const task = this.#tasks[n]!
    if (this.ending.aborted) return { outcome: 'aborted', ms: 0, problem: null, final: true }
    const { ran, value, error, ignored } = await attempt(this, task, nth, left)
    if (task.plan.heavy) await this.#cleanMemory(task.plan.id)
    if (ran.outcome === 'done') {
      this.#order.push(n)
      if (!task.plan.once) this.#values.set(n, value)
    }
    if (ran.outcome === 'failed') this.errors.set(task.plan.id, error)
    if (ignored && this.ending.aborted) this.endedWell = false
    return ran
  }

  async #cleanMemory(after: string): Promise<void> {
    const cleaned = await cleanMemory(this.#process, globalThis.gc)
    this.logger.info(`start-up ${this.id}: after ${after}: ${memoryLine(cleaned)}`)
  }

  /** The actor `stop`; also without a machine. A task is stopped once. */
  stop({ task: n, attempt: nth }: Pick<TaskOrder, 'task' | 'attempt'>, left: AbortSignal): Promise<Stopped> {
    const known = this.#stops.get(n)
    if (known) return known
    const task = this.#tasks[n]!
    const stopping = this.#limited(`stop ${n}`, task.stopTimeout, async () => {
      const { stopped, error } = await stop(this, task, this.#values.get(n), nth, left)
      if (stopped.outcome === 'failed') {
        this.endedWell = false
        this.errors.set(task.plan.id, error)
      }
      this.#values.delete(n)
      return stopped
    })
    this.#stops.set(n, stopping)
    stopping.catch(() => {}) // its host has closed: nobody asks
    return stopping
  }

  async #limited<T>(name: string, ms: number, work: () => Promise<T>): Promise<T> {
    this.#limits.set(name, { until: this.clock.now() + ms, ms })
    this.changed()
    try {
      return await work()
    } finally {
      this.#limits.delete(name)
      this.changed()
    }
  }

  /** Tells all that runs to end. */
  abort(reason: string): void {
    if (!this.ending.aborted) this.#end.abort(new DuramenError('ABORTED', `start-up '${this.id}' ends: ${reason}`))
  }

  /** S7 without a journal: waits for what runs, then stops what is done, in the reverse order. */
  async stopAll(): Promise<void> {
    await Promise.allSettled(this.#runs.values())
    const never = new AbortController().signal
    for (const n of this.#order.toReversed()) {
      const { plan } = this.#tasks[n]!
      if (!plan.stops) continue
      const { problem } = await this.stop({ task: n, attempt: 1 }, never)
      if (problem)
        this.logger.error(`start-up ${this.id}: ${plan.id} could not be stopped: ${printable(problem.message)}`)
    }
  }

  clear(): void {
    this.#values.clear()
    this.errors.clear()
  }

  /** Throws BAD_OPTION. */
  resultFor(task: Given, of: StartupTask | string): unknown {
    const id = this.#idOf(of)
    if (!needs(this.#plans, task.plan.id, id))
      throw noResult(id, `is nothing that ${shown(task.plan.id)} needs`, 'Add it to its needs.')
    return this.result(id)
  }

  /** Throws BAD_OPTION. */
  result(of: StartupTask | string): unknown {
    const id = this.#idOf(of)
    const n = this.#places.get(id)!
    if (this.#plans.get(id)!.once)
      throw noResult(id, 'runs once and gives no value: the next process has none', 'Read it in a task of its own.')
    if (!this.#values.has(n)) throw noResult(id, 'is not done, or was stopped', 'Await ready() first.')
    return this.#values.get(n)
  }

  #idOf(of: StartupTask | string): string {
    const id = typeof of === 'object' ? (of as StartupTask | null)?.id : of
    if (id !== undefined && this.#places.has(id)) return id
    throw noResult(of, 'is no task', `There are ${[...this.#places.keys()].slice(0, 20).join(', ')}.`)
  }
}

const noResult = (id: unknown, wrong: string, hint: string) =>
  new DuramenError('BAD_OPTION', `result: ${shown(id)} ${wrong}`, { hint })
