// How a program is looked after: what a caller gives, looked at.
import type { ChildOrder, ChildRunner } from '../../ports/child.ts'
import { assertFunction, assertNames, badOption, optionsGiven } from '../../ports/given.ts'
import type { Notifier } from '../../ports/notifier.ts'
import { type Duration, milliseconds } from '../../runtime/duration.ts'
import type { SupervisorSettings } from './types.ts'

/** Which program is looked after, and how. */
export interface SupervisorOptions {
  /** Who begins it, and ends what is left of it. */
  runner: ChildRunner
  /** Which program. */
  order: ChildOrder
  /** Name of the program in messages, and in its records. Default `'supervisor'`. */
  id?: string
  /** How long to wait before it is started again. Default 3 s. */
  restartDelay?: Duration
  /** So many restarts within `window`; who fails once more is given up. 0: the first failure is the last. Default 10. */
  maxRestarts?: number
  /** The time for which a restart counts. Default 5 min. */
  window?: Duration
  /** A program that ran for so long begins a new count. Default 5 min. */
  stable?: Duration
  /** Waits that are doubled with each restart that counts, from `restartDelay` on. Default: none, all are `restartDelay`. */
  backoff?: {
    /** No wait is longer. Default 1 min. */
    max?: Duration
  }
  /** How long the program has to end by itself when it is asked to; then it is ended. Default 10 s. */
  stopTimeout?: Duration
  /** Who is told when it is given up. Default: nobody. */
  notifier?: Notifier
}

/** The same, with all defaults. */
export interface Supervised {
  readonly id: string
  readonly runner: ChildRunner
  readonly order: ChildOrder
  readonly settings: SupervisorSettings
  readonly stopTimeout: number
  readonly notifier: Notifier | undefined
}

/** One that ends: others can't be told, nor waited for. */
function time(name: string, duration: Duration): number {
  const value = milliseconds(duration, name)
  if (Number.isFinite(value)) return value
  throw badOption(name, duration, 'never passes', "Give a time like '5m'.")
}

/** Keeps what a record holds of restarts small. */
const MOST_RESTARTS = 1000

/** Throws BAD_OPTION. */
export function supervisedOf(options: SupervisorOptions): Supervised {
  const given: Partial<SupervisorOptions> = optionsGiven('supervisor', options)
  assertNames('supervisor', given, NAMES)
  const { id = 'supervisor', maxRestarts = 10 } = given
  if (typeof id !== 'string' || id === '') throw badOption('id', id, 'is no text', "Give one like 'server'.")
  if (!Number.isSafeInteger(maxRestarts) || maxRestarts < 0 || maxRestarts > MOST_RESTARTS)
    throw badOption('maxRestarts', maxRestarts, 'is no whole number from 0 to 1,000', 'Leave it out for 10.')
  return {
    id,
    runner: runnerGiven(given.runner),
    order: orderGiven(given.order),
    settings: {
      restartDelay: time('restartDelay', given.restartDelay ?? '3s'),
      maxRestarts,
      window: time('window', given.window ?? '5m'),
      stable: time('stable', given.stable ?? '5m'),
      backoff: backoffGiven(given.backoff),
    },
    stopTimeout: time('stopTimeout', given.stopTimeout ?? '10s'),
    notifier: notifierGiven(given.notifier),
  }
}

function backoffGiven(given: SupervisorOptions['backoff']): SupervisorSettings['backoff'] {
  if (given === undefined) return null
  const backoff: NonNullable<SupervisorOptions['backoff']> = optionsGiven('backoff', given)
  assertNames('backoff', backoff, ['max'])
  return { max: time('backoff.max', backoff.max ?? '1m') }
}

function runnerGiven(runner: ChildRunner | undefined): ChildRunner {
  const hint = "Give one, e.g. childRunner('./data/server') of duramen/process."
  if (typeof runner !== 'object' || runner === null) throw badOption('runner', runner, 'is no runner', hint)
  for (const call of ['clear', 'start'] as const) assertFunction(`runner.${call}`, runner[call], hint)
  return runner
}

function orderGiven(order: ChildOrder | undefined): ChildOrder {
  const hint = "Give { command: 'node', args: ['server.js'] }."
  if (typeof order !== 'object' || order === null) throw badOption('order', order, 'names no program', hint)
  assertNames('order', order, ['command', 'args', 'cwd', 'env'])
  const { command, args, cwd, env } = order
  if (typeof command !== 'string' || command === '') throw badOption('order.command', command, 'is no program', hint)
  if (!Array.isArray(args) || args.some((arg) => typeof arg !== 'string'))
    throw badOption('order.args', args, 'is no array of texts', hint)
  if (cwd !== undefined && (typeof cwd !== 'string' || cwd === ''))
    throw badOption('order.cwd', cwd, 'is no folder', hint)
  if (env !== undefined && !isEnvironment(env)) throw badOption('order.env', typeof env, 'is no environment', hint) // its values may be secrets
  return order
}

const isEnvironment = (env: unknown): boolean =>
  typeof env === 'object' &&
  env !== null &&
  Object.values(env).every((value) => value === undefined || typeof value === 'string')

function notifierGiven(notifier: Notifier | undefined): Notifier | undefined {
  if (notifier === undefined) return undefined
  const hint = 'Give one, e.g. webhook({ url }) of duramen/notify.'
  if (typeof notifier !== 'object' || notifier === null) throw badOption('notifier', notifier, 'is no notifier', hint)
  assertFunction('notifier.notify', notifier.notify, hint)
  return notifier
}

const NAMES: readonly string[] = [
  'runner',
  'order',
  'id',
  'restartDelay',
  'maxRestarts',
  'window',
  'stable',
  'backoff',
  'stopTimeout',
  'notifier',
] satisfies (keyof SupervisorOptions)[]
