// What a machine's author wants done when an effect fails, is slow, silent, or one of too many.
//
// K9: an effect without a policy has one attempt, as in XState; whatever a policy asks for has a limit.
import type { AnyActorLogic, AnyStateMachine } from 'xstate'
import type { EffectRecord } from '../journal/records.ts'
import { optionsGiven, shown } from '../ports/given.ts'
import { partOf, textOf } from '../ports/thrown.ts'
import { type Duration, milliseconds } from './duration.ts'
import { nodesOf } from './validate.ts'
import { kindOf, logicOf } from './xstate/logic.ts'

/** How often, how long and how many at once: the policy of an action or of invoked work. */
export interface RetryPolicy {
  /** How many attempts may fail before the effect has failed for good. Default 1. */
  attempts?: number
  /** The wait between a failure and the next attempt. Default: as below. */
  backoff?: {
    /** After the first failure. Default 1 s. */
    first?: Duration
    /** Each further wait is so many times the one before. Default 2. */
    factor?: number
    /** No wait is longer. Default 1 min. */
    max?: Duration
    /** A random share, from 0 to this, is taken off each wait. Default 0.2. */
    jitter?: number
  }
  /** How long one attempt may last; then its signal is aborted and it has failed with TIMEOUT. Default: for ever. */
  timeout?: Duration
  /** How long an attempt may go without `currentEffect().heartbeat()`; then as `timeout`. Default: for ever. */
  heartbeat?: Duration
  /** How many attempts of an action or promise the end of the process may interrupt, until the effect counts as failed for good. Default 10. */
  crashes?: number
  /** Whether another attempt makes sense after this error. Default: always. */
  retryable?: (error: unknown) => boolean
  /** How many attempts go on at once on one host; not for callbacks and observables. Default: no limit. */
  concurrency?: {
    /** Most at once. */
    limit: number
    /** Of the promise's input or the action's params: the limit is for each key by itself. Default: one limit for all. */
    key?: (input: any) => string | number
  }
  /** How many attempts begin on one host within a time. Default: no limit. */
  rate?: {
    /** Most that begin. */
    limit: number
    /** Within this time. */
    per: Duration
  }
}

/** A policy with its defaults, all times in ms. */
export interface Policy {
  readonly attempts: number
  readonly backoff: { readonly first: number; readonly factor: number; readonly max: number; readonly jitter: number }
  readonly timeout: number | undefined
  readonly heartbeat: number | undefined
  readonly crashes: number
  readonly retryable: (error: unknown) => boolean
  readonly concurrency: RetryPolicy['concurrency']
  readonly rate: { readonly limit: number; readonly per: number } | undefined
}

type Kind = EffectRecord['kind']

/** The policy of an effect; undefined: it has none. */
export type Policies = (src: string, kind: Kind) => Policy | undefined

/** So many interruptions by the end of the process make a dead letter, where no policy says otherwise. */
export const CRASHES = 10

const lasting = (kind: Kind) => kind === 'callback' || kind === 'observable'

/** The policies that the options set, and what is wrong with them, as sentences. */
export function policiesOf(
  machine: AnyStateMachine,
  given?: Readonly<Record<string, RetryPolicy | undefined>>,
): { policies: Policies; problems: string[] } {
  const known = sourcesOf(machine)
  const problems: string[] = []
  const policies = new Map<string, Policy>()
  for (const [src, policy] of Object.entries(optionsGiven('retry', given))) {
    if (policy === undefined) continue
    const kind = known.get(src)
    if (src !== '*' && !kind) problems.push(`retry.${src}: there is no action or actor of that name`)
    else if (kind && lasting(kind) && policy?.concurrency)
      problems.push(`retry.${src}.concurrency: a ${kind} may last for ever and would keep its slot; leave it out`)
    else if (!isObject(policy))
      problems.push(`retry.${src}: ${shown(policy)} is no policy; give { attempts: 5 } or the like`)
    else policies.set(src, resolved(`retry.${src}`, policy, problems))
  }
  const all = policies.get('*')
  if (policies.size === 0) return { policies: () => undefined, problems }
  // '*' is not for what lasts: a timeout for all promises must not end all callbacks
  return { policies: (src, kind) => policies.get(src) ?? (lasting(kind) ? undefined : all), problems }
}

function resolved(where: string, policy: RetryPolicy, problems: string[]): Policy {
  /** The names of what is given, looked at. */
  const part = (of: string, given: object | undefined, names: readonly string[]) => {
    const unknown = isObject(given) ? Object.keys(given).filter((name) => !names.includes(name)) : []
    if (unknown.length) problems.push(`${of}: there is no ${unknown.join(', ')}; there are ${names.join(', ')}`)
    if (given !== undefined && !isObject(given))
      problems.push(`${of}: ${shown(given)} is no object with ${names.join(', ')}`)
  }
  part(where, policy, NAMES)
  part(`${where}.backoff`, policy.backoff, ['first', 'factor', 'max', 'jitter'])
  part(`${where}.concurrency`, policy.concurrency, ['limit', 'key'])
  part(`${where}.rate`, policy.rate, ['limit', 'per'])
  const number = (value: number | undefined, name: string, otherwise: number, least: number, most = Infinity) => {
    if (value === undefined) return otherwise
    if (typeof value === 'number' && value >= least && value <= most) return value
    problems.push(`${where}.${name}: ${shown(value)} is no number from ${least}${most < Infinity ? ` to ${most}` : ''}`)
    return otherwise
  }
  const count = (value: number | undefined, name: string, otherwise: number) => {
    if (value === undefined || value === Infinity || Number.isInteger(value)) return number(value, name, otherwise, 1)
    problems.push(`${where}.${name}: ${shown(value)} is no whole number from 1`)
    return otherwise
  }
  const time = <T extends number | undefined>(value: Duration | undefined, name: string, otherwise: T): number | T => {
    if (value === undefined) return otherwise
    try {
      const ms = milliseconds(value, name)
      if (ms > 0) return ms
    } catch {}
    problems.push(`${where}.${name}: ${shown(value)} is no duration above 0; use milliseconds or a string like '5s'`)
    return otherwise
  }
  const { concurrency, rate, retryable } = policy
  const backoff = policy.backoff ?? {}
  for (const [name, fn] of [
    ['retryable', retryable],
    ['concurrency.key', concurrency?.key],
  ] as const)
    if (fn !== undefined && typeof fn !== 'function') problems.push(`${where}.${name}: is no function`)
  return {
    attempts: count(policy.attempts, 'attempts', 1),
    backoff: {
      first: time(backoff.first, 'backoff.first', 1000),
      factor: number(backoff.factor, 'backoff.factor', 2, 1),
      max: time(backoff.max, 'backoff.max', 60_000),
      jitter: number(backoff.jitter, 'backoff.jitter', 0.2, 0, 1),
    },
    timeout: time(policy.timeout, 'timeout', undefined),
    heartbeat: time(policy.heartbeat, 'heartbeat', undefined),
    crashes: count(policy.crashes, 'crashes', CRASHES),
    retryable: retryable ?? (() => true),
    concurrency: concurrency && { ...concurrency, limit: count(concurrency.limit ?? 0, 'concurrency.limit', 1) },
    rate: rate && { limit: count(rate.limit ?? 0, 'rate.limit', 1), per: time(rate.per ?? 0, 'rate.per', 1000) },
  }
}

const NAMES: readonly string[] = [
  'attempts',
  'backoff',
  'timeout',
  'heartbeat',
  'crashes',
  'retryable',
  'concurrency',
  'rate',
] satisfies (keyof RetryPolicy)[]

const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The wait after so many failures, ms. `random`: 0 to 1, drawn by the caller. */
export function delayAfter(failures: number, { backoff }: Policy, random: number): number {
  const { first, factor, max, jitter } = backoff
  return Math.round(Math.min(max, first * factor ** (failures - 1)) * (1 - jitter * random))
}

/** An error as a journal keeps it beside an effect. */
export function plainError(error: unknown): { name: string; message: string; code?: string | number } {
  const [name, code] = [partOf(error, 'name'), partOf(error, 'code')]
  return {
    name: typeof name === 'string' ? name : 'Error',
    message: textOf(error),
    ...((typeof code === 'string' || typeof code === 'number') && { code }),
  }
}

/** All that the machine and its children can do outside, by name. */
function sourcesOf(machine: AnyStateMachine, found = new Map<string, Kind>(), seen = new Set<unknown>()) {
  if (seen.has(machine)) return found
  seen.add(machine)
  for (const name of Object.keys(machine.implementations.actions)) found.set(name, 'action')
  const inline = nodesOf(machine.root).flatMap(({ invoke }) =>
    invoke.map(({ src }) => ['', typeof src === 'string' ? logicOf(machine, src) : src] as const),
  )
  for (const [name, logic] of [...Object.entries(machine.implementations.actors), ...inline]) {
    if (!logic) continue
    const kind = kindOf(logic as AnyActorLogic)
    if (kind === 'machine') sourcesOf(logic as AnyStateMachine, found, seen)
    else if (kind !== 'transition' && kind !== 'custom' && name) found.set(name, kind)
  }
  return found
}
