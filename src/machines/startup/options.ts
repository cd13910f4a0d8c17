// What a caller gives for a start-up, looked at before anything runs: tasks (S1) and options.
import { platform } from 'node:process'
import { DuramenError } from '../../ports/errors.ts'
import { assertFunction, assertNames, badOption, checkCount, optionsGiven, shown } from '../../ports/given.ts'
import type { Logger } from '../../ports/logger.ts'
import type { HostProcess, SignalName } from '../../ports/process.ts'
import type { ServiceManager } from '../../ports/service.ts'
import { type Duration, milliseconds } from '../../runtime/duration.ts'
import type { EnvironmentOptions } from './environment.ts'
import { assertGraph } from './graph.ts'
import type { TaskPlan } from './types.ts'

/** What a task is given when it runs. */
export interface TaskContext {
  /** Id of the task. */
  readonly id: string
  /**
   * For what it calls, as idempotency key. Of a task that runs once it is the same in every attempt and every process, for one
   * version (S2): what a crash has interrupted is asked again with it. Of others it is another one in each process.
   */
  readonly key: string
  /** 1, and one more each time that it is tried again in this process. */
  readonly attempt: number
  /** Fires when the attempt is no longer wanted: it took too long, or all is stopped. */
  readonly signal: AbortSignal
  /** The value of a task that it needs, also through others. Throws BAD_OPTION for any other, and for one that runs once. */
  result<T>(task: StartupTask<T>): T
  /** The same by its id, of a type that nobody knows. */
  result(id: string): unknown
  /** The host's logger, with the task's name before each message. */
  readonly log: Logger
}

interface AnyTask {
  /** Its name: any text of 1 to 500 characters, the only one of that name. */
  id: string
  /** Ids of the tasks that have to be done before it begins (S1). Default: none. */
  needs?: readonly string[]
  /** How long an attempt may take, `ready` included; then its signal fires and it has failed with TASK_TIMEOUT. Default 1 min. */
  timeout?: Duration
  /** What is done when an attempt fails. Default: as below. */
  retry?: TaskRetry
  /** Whether all is stopped when it fails for good (S3); else what needs it does not run, and the rest goes on. Default true. */
  critical?: boolean
  /**
   * One that takes much memory: of these, one runs at a time, and memory is cleaned after each (S5). One that has been given up
   * because it ignores its signal is not waited for. Default false.
   */
  heavy?: boolean
  /** How long stopping it may take, and how long it may go on once its signal has fired. Default 10 s. */
  stopTimeout?: Duration
  /** What people are told once it is done, like `model initialised` (S8). Default `<id> done`. */
  says?: string
}

/** What is done when an attempt at a task fails. */
export interface TaskRetry {
  /** How many attempts it has. Default 1. */
  attempts?: number
  /** How long to wait before the next one. Default: as below. */
  backoff?: TaskBackoff
}

/** How long to wait before a task is tried again. */
export interface TaskBackoff {
  /** After the first failure; doubled each time. Default 1 s. */
  first?: Duration
  /** No wait is longer. Default 30 s. */
  max?: Duration
}

/** What runs at each start of a process. */
export interface StartupTask<T = any> extends AnyTask {
  /** It runs in each process. Default false. */
  once?: false
  /** Only of what runs once. Default: none. */
  version?: never
  /** What it does. Its value stays in the process: for what needs it, for `ready` and `stop`; it is not in the journal. */
  run: (context: TaskContext) => T | Promise<T>
  /** Whether it works by now: asked until it says true or nothing, inside of the same `timeout`. One that throws is asked again. Default: it does once it has run. */
  ready?: (value: T, context: TaskContext) => unknown
  /** Ends it, at shutdown, in the reverse order (S7); also one whose value came too late. Default: nothing is to be done. */
  stop?: (value: T, context: TaskContext) => unknown
}

/** What runs once per journal and version, like a seed or a migration (S2). It gives no value, as there is none the next time. */
export interface OnceTask extends AnyTask {
  /** It runs once per journal and version. Required. */
  once: true
  /** Counted up where it has to run once more. Default 1. */
  version?: number
  /** What it does. A crash may interrupt it at any place: then it is asked again, with the same `key`. */
  run: (context: TaskContext) => unknown
  /** Only of what runs each time: the next process has no value for it. Default: none. */
  ready?: never
  /** The same. Default: none. */
  stop?: never
}

/** The task as it is given: so that `ready`, `stop` and who asks for its `result(task)` know the type of what `run` answers. */
export function task<T>(given: StartupTask<T>): StartupTask<T>
export function task(given: OnceTask): OnceTask
export function task(given: StartupTask | OnceTask): StartupTask | OnceTask {
  return given
}

/** Settings of a start-up. */
export interface StartupOptions extends EnvironmentOptions {
  /** Name of the start-up on its host, and in its records. Default `startup`. */
  id?: string
  /** How long `health()` says `starting` while not all is up; `unhealthy` after that (S6). Default 30 s; 45 s is advised for slow models. */
  grace?: Duration
  /** Signals of the process that shut it down (S7). Default SIGTERM and SIGINT, and SIGBREAK on Windows; `[]` for none. */
  signals?: readonly SignalName[]
  /** Who has started this process and waits for it, like `systemd()` of duramen/systemd (S6). Default: nobody. */
  service?: ServiceManager
  /** @internal The process it is, in tests. Default: node's `process`. */
  process?: HostProcess
}

/** A task with all defaults, times in ms. */
export interface Given {
  readonly plan: TaskPlan
  readonly timeout: number
  readonly stopTimeout: number
  readonly run: (context: TaskContext) => unknown
  readonly ready: ((value: unknown, context: TaskContext) => unknown) | undefined
  readonly stop: ((value: unknown, context: TaskContext) => unknown) | undefined
}

/** The options with all defaults, times in ms. */
export interface Settings {
  readonly id: string
  readonly grace: number
  readonly signals: readonly SignalName[]
  readonly service: ServiceManager | undefined
  readonly process: HostProcess
  readonly environment: EnvironmentOptions
}

/** Throws BAD_OPTION. */
export function settingsOf(given: StartupOptions | undefined): Settings {
  const options = optionsGiven('startup', given)
  const { process: _, ...told } = options // @internal, for tests
  assertNames('startup', told, ['id', 'grace', 'signals', 'service', 'env', 'schema'])
  const { id = 'startup', signals = SIGNALS, service, process: own = process, env, schema } = options
  if (typeof id !== 'string' || !/^[^/\p{Cc}]{1,400}$/u.test(id))
    throw badOption('id', id, 'is no name of a start-up', 'Use 1 to 400 characters without slash, or leave it out.')
  if (!Array.isArray(signals) || !signals.every((name) => KNOWN.includes(name)))
    throw badOption(
      'signals',
      signals,
      'is no list of signals that can be taken',
      `Leave it out, or use of ${KNOWN.join(', ')}.`,
    )
  assertHas(
    'service',
    service,
    ['ready', 'status', 'extend', 'stopping', 'close'],
    'Give systemd() of duramen/systemd.',
  )
  assertHas('process', own, ['on', 'off', 'exit', 'memoryUsage'], "Leave it out for node's own.")
  return {
    id,
    grace: milliseconds(options.grace ?? '30s', 'grace'),
    signals,
    service,
    process: own,
    environment: { ...(env !== undefined && { env }), ...(schema !== undefined && { schema }) },
  }
}

const KNOWN: readonly SignalName[] = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGBREAK', 'SIGUSR1', 'SIGUSR2']
/** SIGTERM never comes on Windows, and SIGBREAK nowhere else. */
const SIGNALS: readonly SignalName[] = ['SIGTERM', 'SIGINT', ...(platform === 'win32' ? ['SIGBREAK' as const] : [])]

function assertHas(name: string, value: unknown, calls: readonly string[], hint: string): void {
  if (value === undefined) return
  const lacks = calls.find((call) => typeof (value as Record<string, unknown> | null)?.[call] !== 'function')
  if (lacks) throw badOption(name, value, `has no function '${lacks}'`, hint)
}

/** S1: what can't be run is refused by its name, before anything runs. Throws BAD_OPTION. */
export function tasksGiven(given: readonly (StartupTask | OnceTask)[]): Given[] {
  if (!Array.isArray(given)) throw badOption('tasks', given, 'is no list', 'Give tasks: [{ id, run }, …].')
  const tasks = given.map(taskGiven)
  assertGraph(tasks.map(({ plan }) => plan))
  return tasks
}

function taskGiven(given: StartupTask | OnceTask, n: number): Given {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw badOption(`tasks[${n}]`, given, 'is no task', 'Give { id, run }.')
  const { id, needs = [], once = false, version = 1, critical = true, heavy = false, says } = given
  if (typeof id !== 'string' || id.length < 1 || id.length > 500)
    throw badOption(`tasks[${n}].id`, id, 'is no name of a task', 'Use 1 to 500 characters.')
  const name = `task ${shown(id)}`
  assertNames(name, given, NAMES)
  if (!Array.isArray(needs) || !needs.every((need) => typeof need === 'string'))
    throw badOption(`${name}.needs`, needs, 'is no list of ids', "Give the ids of other tasks: ['model'].")
  for (const [flag, value] of Object.entries({ once, critical, heavy }))
    if (typeof value !== 'boolean')
      throw badOption(`${name}.${flag}`, value, 'is neither true nor false', 'Leave it out.')
  assertFunction(`${name}.run`, given.run, 'Give what the task does.')
  for (const call of ['ready', 'stop'] as const) {
    if (given[call] === undefined) continue
    assertFunction(`${name}.${call}`, given[call], 'Give one that takes the value of run, or leave it out.')
    if (once)
      throw new DuramenError(
        'BAD_OPTION',
        `${name}: it runs once, and can't have ${call}: the next process has no value of it`,
        {
          hint: 'Put that into a task of its own which needs this one, and runs each time.',
        },
      )
  }
  if (given.version !== undefined && !once)
    throw badOption(`${name}.version`, version, 'means nothing', 'Give once: true as well, or leave it out.')
  const retry: TaskRetry = optionsGiven(`${name}.retry`, given.retry, 'Give { attempts: 3 }, or leave it out.')
  assertNames(`${name}.retry`, retry, ['attempts', 'backoff'])
  const wait: TaskBackoff = optionsGiven(
    `${name}.retry.backoff`,
    retry.backoff,
    "Give { first: '1s' }, or leave it out.",
  )
  assertNames(`${name}.retry.backoff`, wait, ['first', 'max'])
  if (says !== undefined && typeof says !== 'string')
    throw badOption(`${name}.says`, says, 'is no text', "Give one like 'model initialised'.")
  return {
    plan: {
      id,
      needs: [...new Set(needs)],
      once,
      version: count(`${name}.version`, version),
      critical,
      heavy,
      stops: given.stop !== undefined,
      says: says ?? `${id} done`,
      attempts: count(`${name}.retry.attempts`, retry.attempts ?? 1),
      backoff: {
        first: limit(`${name}.retry.backoff.first`, wait.first ?? '1s', 0),
        max: limit(`${name}.retry.backoff.max`, wait.max ?? '30s', 0),
      },
    },
    timeout: limit(`${name}.timeout`, given.timeout ?? '1m', 1),
    stopTimeout: limit(`${name}.stopTimeout`, given.stopTimeout ?? '10s', 1),
    run: (context) => given.run(context),
    ready: given.ready && ((value, context) => given.ready!(value, context)),
    stop: given.stop && ((value, context) => given.stop!(value, context)),
  }
}

const count = (name: string, value: number): number => checkCount(name, value, 'Leave it out for 1.')

/** Whoever waits for a start-up has to know how long: nothing lasts for ever, nor longer than a year. */
function limit(name: string, value: Duration, least: number): number {
  const ms = milliseconds(value, name)
  if (ms >= least && ms <= YEAR) return ms
  throw badOption(name, value, `is not between ${least} ms and a year`, "Give one like '2m'.")
}

const YEAR = 365 * 86_400_000

const NAMES: readonly string[] = [
  'id',
  'needs',
  'run',
  'once',
  'version',
  'timeout',
  'retry',
  'critical',
  'heavy',
  'stop',
  'stopTimeout',
  'ready',
  'says',
] satisfies (keyof StartupTask)[]
