// The connection to MongoDB as the connection machine drives it (C1): the driver's own monitoring tells when it goes and
// comes, or pings do where it has none. No user and no password leave the client: not in a name, not in an error.
import { type TaskEither, tryCatch } from 'fp-ts/lib/TaskEither.js'
import type { Db, Document, MongoClient, MongoClientEvents, MongoClientOptions, TopologyDescription } from 'mongodb'
import type { ConnectionDriver } from '../../ports/connection.ts'
import { DuramenError } from '../../ports/errors.ts'
import { assertNames, badOption, optionsGiven } from '../../ports/given.ts'
import { untilAborted } from '../../ports/signal.ts'
import { textOf } from '../../ports/thrown.ts'
import { opening } from './commands.ts'
import { isUnheardOf, mongoError } from './errors.ts'
import { loadMongodb } from './load.ts'
import { pingBalanced } from './pings.ts'

/** Which MongoDB: by an address, or by a client that is there. */
export interface MongoConnectionOptions {
  /**
   * Its address, as in `mongodb://user:password@host:27017/app`; the client made of it is closed with the connection. Default:
   * none; either this or `client` has to be given.
   */
  uri?: string
  /** A client of the driver 7. It stays yours: it is never closed. Default: none. */
  client?: MongoClient
  /** The database. Default: that of the address. */
  db?: string
  /** Options of the client that is made of `uri`. Default: the driver's. */
  options?: MongoClientOptions
}

/** What drives a connection to MongoDB; `withConnection` gives work the `Db`. */
export interface MongoConnection extends ConnectionDriver<Db> {
  readonly client: MongoClient
  /** For what works on it by itself, as `mongoImageStore({ db })`. */
  readonly db: Db
}

/**
 * What `connection(host, { driver })` needs for MongoDB, or for what speaks its protocol. Nothing is connected to yet.
 * Rejects with MISSING_PACKAGE and BAD_OPTION, of which none shows the address.
 */
export async function mongoConnection(options: MongoConnectionOptions): Promise<MongoConnection> {
  const { client, isOwn, dbName } = await clientOf(options)
  const db = client.db(dbName)
  const name = `mongodb://${client.options.srvHost ?? client.options.hosts.join(',')}/${db.databaseName}`
  /** Why the monitors have not reached it last. */
  let failure: unknown
  let isOpen = false
  let isClosed = false
  // who was at it when it was closed, as at looking up its name, would open it behind our back
  if (isOwn) client.on('topologyOpening', () => void (isClosed && client.close().catch(() => {})))

  async function connect(signal: AbortSignal): Promise<Db> {
    if (isClosed)
      throw new DuramenError('CLOSED', `${name}: its client was closed`, {
        hint: 'Make a new one, and a connection on it.',
      })
    await opening(
      () => untilAborted(assertWritable(db, name, signal), signal),
      () => untilAborted(client.connect(), signal),
    )
    isOpen = true
    return db
  }

  const away = (signal: AbortSignal): DuramenError => {
    const reason = signal.reason instanceof DuramenError ? signal.reason : undefined
    const why = failure === undefined ? '' : `: ${textOf(failure)}`
    return new DuramenError('NOT_CONNECTED', `${reason?.message ?? `${name} was not reached`}${why}`, {
      retryable: true,
      hint: 'See whether the database runs and can be reached.',
      cause: failure,
    })
  }

  return {
    client,
    db,
    name,
    connect: (signal): TaskEither<DuramenError, Db> =>
      tryCatch(
        () => connect(signal),
        (error) => (signal.aborted ? away(signal) : mongoError(error, `connect to ${name}`)),
      ),
    watch(listener) {
      const listening: Partial<MongoClientEvents> = {
        serverHeartbeatFailed: (event) => {
          failure = event.failure
        },
        serverHeartbeatSucceeded: () => {
          failure = undefined
        },
        open: () => {
          isOpen = true
        },
        topologyClosed: () => {
          if (!isOpen) return // one that could not be opened closes itself
          isOpen = false
          listener('down') // nothing else says so
        },
        topologyDescriptionChanged: ({ previousDescription, newDescription }) => {
          const isUp = writable(newDescription)
          if (isUp !== writable(previousDescription)) listener(isUp ? 'up' : 'down')
        },
      }
      const each = Object.entries(listening) as [keyof MongoClientEvents, () => void][]
      for (const [event, listen] of each) client.on(event, listen)
      const endPings = pingBalanced(db, () => isOpen, listener)
      return () => {
        endPings()
        for (const [event, listen] of each) client.off(event, listen)
      }
    },
    close: () =>
      tryCatch(
        async () => {
          if (!isOwn) return
          isClosed = true
          await client.close()
        },
        (error) => mongoError(error, `close the connection to ${name}`),
      ),
  }
}

/** Asks the server whether it takes writes; with a direct connection that may be one that does not. NOT_CONNECTED then. */
async function assertWritable(db: Db, name: string, signal: AbortSignal): Promise<void> {
  const asked = db.command({ hello: 1 }, { signal, readPreference: 'primary' })
  const hello: Document = await asked.catch((error) => {
    if (isUnheardOf(error)) return {} // a server that does not know the word answers, at least
    throw error
  })
  if ((hello.isWritablePrimary ?? hello.ismaster) !== false) return
  const kind = hello.secondary ? 'a secondary' : 'no primary'
  const whose = hello.setName === undefined ? '' : ` of ${hello.setName}`
  const primary = hello.primary === undefined ? '' : `; the primary is ${hello.primary}`
  throw new DuramenError('NOT_CONNECTED', `${name} takes no writes: it is ${kind}${whose}${primary}`, {
    retryable: true,
    hint: 'Give the address of the primary, or those of all members with replicaSet in place of directConnection.',
  })
}

const writable = ({ servers }: TopologyDescription) => [...servers.values()].some((server) => server.isWritable)

/** Throws BAD_OPTION and MISSING_PACKAGE. */
async function clientOf(options: MongoConnectionOptions) {
  const given: Partial<MongoConnectionOptions> = optionsGiven('mongoConnection', options, HINT)
  assertNames('mongoConnection', given, NAMES)
  const { uri, client, db } = given
  if (db !== undefined && (typeof db !== 'string' || db === ''))
    throw badOption('db', db, 'is no name', "Give one like 'app'.")
  if ((uri === undefined) === (client === undefined)) throw wrong('give either uri or client')
  if (client !== undefined) {
    if (typeof client?.db !== 'function' || typeof client.on !== 'function' || given.options !== undefined)
      throw wrong(given.options === undefined ? 'client: it is no MongoClient' : 'options are for uri, not for client')
    return { client, isOwn: false, dbName: db }
  }
  if (typeof uri !== 'string') throw wrong('uri: it is no text')
  const clientOptions: MongoClientOptions = optionsGiven('options', given.options)
  const { MongoClient } = await loadMongodb()
  try {
    return { client: new MongoClient(uri, clientOptions), isOwn: true, dbName: db }
  } catch {
    // the driver's error may have all of the address; that of the options alone has none of it
    assertOptions(() => new MongoClient('mongodb://localhost', clientOptions))
    throw wrong('uri: it is no address of MongoDB, or none that goes with these options')
  }
}

/** Throws BAD_OPTION with what the driver says of options that it takes for no address at all. */
function assertOptions(make: () => MongoClient): void {
  try {
    make()
  } catch (error) {
    throw wrong(`options: ${textOf(error)}`)
  }
}

const HINT =
  "Give { uri: 'mongodb://user:password@host:27017/app' }, special characters encoded by encodeURIComponent, or { client }."

const wrong = (what: string) => new DuramenError('BAD_OPTION', `mongoConnection: ${what}`, { hint: HINT })

const NAMES: readonly string[] = ['uri', 'client', 'db', 'options'] satisfies (keyof MongoConnectionOptions)[]
