// How a database is connected to: what a caller gives, looked at.
import type { ConnectionDriver } from '../../ports/connection.ts'
import { assertFunction, assertNames, badOption, checkCount, optionsGiven } from '../../ports/given.ts'
import { type Duration, milliseconds } from '../../runtime/duration.ts'
import type { ConnectionSettings } from './types.ts'

/** Which database is connected to, and how. */
export interface ConnectionOptions<C> {
  /** What connects, e.g. `await mongoConnection({ uri })` of `duramen/mongodb`. The connection closes it. */
  driver: ConnectionDriver<C>
  /** Name of the connection on its host, and in messages. Default `'database'`. */
  id?: string
  /** How often it is tried before the circuit opens. Default 3. */
  attempts?: number
  /** How long one attempt may take. Default 10 s. */
  timeout?: Duration
  /** How long nothing is tried once the circuit is open; doubled with each trial that fails. Default 5 s. */
  openFor?: Duration
  /** No such wait is longer; also the wait after what will not mend itself, as a wrong password. Default 30 s. */
  maxOpenFor?: Duration
  /** How long `close` waits for work that runs; then its signal is aborted. Default 10 s. */
  closeTimeout?: Duration
}

/** How `withConnection` does its work. */
export interface WithConnectionOptions<C> {
  /** How long to wait for a connection that is being made. An open circuit is not waited for. Default 10 s. */
  patience?: Duration
  /** Undoes what work that failed has done, in single writes; has to bear being done twice. Default: nothing is undone. */
  rollback?: (connection: C, given: { readonly signal: AbortSignal; readonly error: unknown }) => unknown
  /** Ends the wait, and aborts the work's signal. Default: none. */
  signal?: AbortSignal
}

/** The same, with all defaults. */
export interface Given<C> {
  readonly id: string
  readonly driver: ConnectionDriver<C>
  readonly settings: ConnectionSettings
  readonly timeout: number
  readonly closeTimeout: number
}

/** Throws BAD_OPTION. */
export function connectionGiven<C>(options: ConnectionOptions<C>): Given<C> {
  const given: Partial<ConnectionOptions<C>> = optionsGiven('connection', options)
  assertNames('connection', given, NAMES)
  const { id = 'database', attempts = 3 } = given
  if (typeof id !== 'string' || id === '') throw badOption('id', id, 'is no text', "Give one like 'mongodb'.")
  checkCount('attempts', attempts, 'Leave it out for 3.')
  const first = milliseconds(given.openFor ?? '5s', 'openFor')
  return {
    id,
    driver: driverGiven(given.driver),
    settings: {
      attempts,
      openFor: { first, max: Math.max(first, milliseconds(given.maxOpenFor ?? '30s', 'maxOpenFor')) },
    },
    timeout: milliseconds(given.timeout ?? '10s', 'timeout'),
    closeTimeout: milliseconds(given.closeTimeout ?? '10s', 'closeTimeout'),
  }
}

/** Throws BAD_OPTION. */
export function withGiven<C>(options: WithConnectionOptions<C> | undefined) {
  const given: Partial<WithConnectionOptions<C>> = optionsGiven('withConnection', options)
  assertNames('withConnection', given, WITH_NAMES)
  const { rollback, signal } = given
  if (rollback !== undefined)
    assertFunction('rollback', rollback, 'Give (db, { signal, error }) => …, or leave it out.')
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw badOption('signal', signal, 'is no AbortSignal', 'Give that of an AbortController, or leave it out.')
  return { patience: milliseconds(given.patience ?? '10s', 'patience'), rollback, signal }
}

function driverGiven<C>(driver: ConnectionDriver<C> | undefined): ConnectionDriver<C> {
  const hint = 'Give one, e.g. await mongoConnection({ uri }) of duramen/mongodb.'
  // neither is shown: there may be a password in it
  if (typeof driver !== 'object' || driver === null) throw badOption('driver', typeof driver, 'is no driver', hint)
  for (const call of ['connect', 'watch', 'close'] as const) assertFunction(`driver.${call}`, driver[call], hint)
  if (typeof driver.name !== 'string') throw badOption('driver.name', typeof driver.name, 'is no text', hint)
  return driver
}

const NAMES: readonly string[] = [
  'driver',
  'id',
  'attempts',
  'timeout',
  'openFor',
  'maxOpenFor',
  'closeTimeout',
] satisfies (keyof ConnectionOptions<unknown>)[]

const WITH_NAMES: readonly string[] = [
  'patience',
  'rollback',
  'signal',
] satisfies (keyof WithConnectionOptions<unknown>)[]
