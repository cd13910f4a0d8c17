// A connection on a host: begins it, and answers for it. C1: machine.ts and desk.ts.
import type { Observable } from 'rxjs'
import { DuramenError } from '../../ports/errors.ts'
import { assertFunction, badOption } from '../../ports/given.ts'
import { textOf } from '../../ports/thrown.ts'
import type { Host } from '../../runtime/host.ts'
import { assertHost, perHost } from '../hosting.ts'
import { Desk } from './desk.ts'
import { connectionMachine } from './machine.ts'
import { type ConnectionOptions, connectionGiven, type WithConnectionOptions, withGiven } from './options.ts'
import type { ConnectionStatus } from './status.ts'
import type { ConnectionMessage } from './types.ts'

export type * from '../../ports/connection.ts'
export type { ConnectionOptions, WithConnectionOptions } from './options.ts'
export type { ConnectionStatus } from './status.ts'
export type {
  ConnectionContext,
  ConnectionEvent,
  ConnectionInput,
  ConnectionMessage,
  ConnectionProblem,
  ConnectionSettings,
} from './types.ts'
export { connectionMachine }

/** A connection that is kept up. Work on it is done by `withConnection`. */
export interface Connection<C> {
  readonly id: string
  /** How it is doing. */
  status(): ConnectionStatus
  /** The same now, and with each change. Completes when the connection is closed. */
  readonly status$: Observable<ConnectionStatus>
  /** What happens, from now on. Completes as `status$`. */
  readonly events$: Observable<ConnectionMessage>
  /**
   * Takes no more work, waits for what runs up to `closeTimeout`, aborts it then, and closes the driver, whatever happens. May
   * be called twice; the end of its host calls it, too. Rejects with what the driver answers, TIMEOUT where it does not.
   */
  close(): Promise<void>
  /** Never there: it carries the type of what work is given. */
  readonly types?: C
}

const desks = new WeakMap<object, Desk<unknown>>()
/** Ids of the connections of a host. */
const idsOf = perHost(() => new Set<string>())

/**
 * Connects to a database and keeps the connection up (C1): up to 3 attempts of 10 s, then an open circuit and a trial now and
 * then; all of it by itself, and soon after the database is back. Answers at once: `status$` and the host's logger tell how it
 * goes. Nothing of it is in the journal.
 *
 * Throws BAD_OPTION, also for an id that another connection of the host has; CLOSED for a host that is.
 */
export function connection<C>(host: Host, options: ConnectionOptions<C>): Connection<C> {
  assertHost('connection', host)
  const given = connectionGiven(options)
  const { id } = given
  const ids = idsOf(host)
  if (ids.has(id))
    throw new DuramenError('BAD_OPTION', `'${id}' is a connection of this host already`, {
      hint: 'Use what the first call has answered, close that first, or give this one another id.',
    })
  const desk = new Desk(given, host.clock, host.logger)
  let closing: Promise<void> | undefined
  const close = () => {
    closing ??= desk.close().finally(() => {
      stays()
      ids.delete(id)
    })
    return closing
  }
  const stays = host.endsWith(() => close().catch((error) => host.logger.warn(`${id}: ${textOf(error)}`)))
  try {
    desk.start()
  } catch (error) {
    stays()
    throw error
  }
  ids.add(id)
  const made: Connection<C> = {
    id,
    status: () => desk.status(),
    status$: desk.status$.asObservable(),
    events$: desk.events.asObservable(),
    close,
  }
  desks.set(made, desk as Desk<unknown>)
  return made
}

/**
 * Does work on a connection once there is one, and gives what it gives. `signal` is aborted when the caller's is, or when
 * the connection is closed and `closeTimeout` is over. When the work throws, `rollback` is called once, on a connection that
 * lives, or, where there is none within `patience`, not at all, which is logged; then this rejects with what the work threw.
 *
 * Rejects with NOT_CONNECTED (the circuit is open, or there was no connection within `patience`; the work has not begun),
 * CLOSED, ABORTED, BAD_OPTION, or what the work throws.
 */
export async function withConnection<C, A>(
  connection: Connection<C>,
  work: (connection: C, given: { readonly signal: AbortSignal }) => A | PromiseLike<A>,
  options?: WithConnectionOptions<C>,
): Promise<A> {
  const desk = desks.get(Object(connection)) as Desk<C> | undefined
  if (!desk)
    throw badOption('withConnection', typeof connection, 'is no connection', 'Give what connection() has answered.')
  assertFunction('work', work, 'Give (db, { signal }) => ….')
  return desk.run(work, withGiven(options))
}
