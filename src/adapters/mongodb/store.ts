// An image store in MongoDB, or in what speaks its protocol: nothing but single-document writes, no transaction, no
// change stream. Any number of processes and hosts may use it at once.
import type { Db } from 'mongodb'
import { LONGEST_TIMER } from '../../ports/clock.ts'
import { assertNames, badOption, checkHash, optionsGiven } from '../../ports/given.ts'
import type { ImageStore, StoredUnit, StoreUnit } from '../../ports/image.ts'
import { type Duration, milliseconds } from '../../runtime/duration.ts'
import { Bytes } from './bytes.ts'
import { Commands, opening, type Reading } from './commands.ts'
import { mongoError, task } from './errors.ts'
import { loadMongodb } from './load.ts'
import { OpenedStore } from './opened-store.ts'
import { checkUnit } from './sent.ts'
import { type UnitDocument, Units } from './units.ts'
import { Uploads } from './uploads.ts'

/** Options of {@link mongoImageStore}. */
export interface MongoImageStoreOptions {
  /** The database: `client.db('…')` of a MongoClient of the driver 7. The client stays yours. */
  readonly db: Db
  /** Beginning of the names of its collections: `images.units`, `images.files`, `images.chunks`. Default `'images'`. */
  readonly collection?: string
  /**
   * Outputs of at most so many bytes are kept in the unit's own document, up to four times as many in all; others become
   * files of GridFS. At most 2 MiB. Default 262144 (256 KiB).
   */
  readonly inline?: number
  /**
   * How long a command may take, with finding a server, before it counts as lost, and how long one is repeated that the
   * server takes no more for now; half of it a majority has to confirm a write (`wtimeout`). Up to 24 days. Default `'60s'`.
   */
  readonly timeout?: Duration
  /** An upload that was not heard of for so long is swept: at least twice `timeout`. Default `'1h'`. */
  readonly abandoned?: Duration
}

const NAMES: readonly string[] = [
  'db',
  'collection',
  'inline',
  'timeout',
  'abandoned',
] satisfies (keyof MongoImageStoreOptions)[]
const MAX_INLINE = 2 * 1024 * 1024

/**
 * An image store in a database of MongoDB ({@link MongoImageStoreOptions}); collections and indexes are made by the first
 * upload. Its calls answer NOT_CONNECTED while the database is away and OUTCOME_UNKNOWN where its answer was lost for good:
 * both may be called again. NO_PERMISSION for a wrong password, NO_SPACE for a full disk, MISSING_PACKAGE without the driver.
 * `close` leaves the client open. Throws BAD_OPTION.
 */
export const mongoImageStore = (options: MongoImageStoreOptions): ImageStore => storeOf(storeGiven(options))

/** Options that were looked at; durations in ms. */
interface Given {
  readonly db: Db
  readonly collection: string
  readonly inline: number
  readonly timeout: number
  readonly abandoned: number
}

/** For tests, too: they don't wait until an upload counts as abandoned. */
export function storeOf(given: Given): ImageStore {
  const place = placeOf(given)
  const commands = new Commands(given.timeout)
  let made: Promise<OpenedStore> | undefined

  /** Once; after a failure anew. */
  function opened(): Promise<OpenedStore> {
    made ??= open(given, commands).catch((error) => {
      made = undefined
      throw error
    })
    return made
  }

  async function put(unit: StoreUnit, signal?: AbortSignal): Promise<StoredUnit> {
    const info = checkUnit(unit)
    return (await commands.once(opened, signal)).put(unit, info, signal)
  }

  async function find(key: string, signal?: AbortSignal): Promise<StoredUnit | undefined> {
    checkHash('key', key)
    return (await commands.once(opened, signal)).find(key, signal)
  }

  async function read(key: string, index: number): Promise<AsyncIterable<Uint8Array>> {
    checkHash('key', key)
    const bytes = await (await opened()).read(key, index)
    return told(`read ${key} from ${place}`, bytes)
  }

  async function* keys(): AsyncGenerator<string> {
    yield* (await opened()).units.keys()
  }

  const call = <A>(doing: string, run: () => Promise<A>, signal?: AbortSignal) =>
    task(`${doing} the image store ${place}`, run, signal)

  return {
    put: (unit, signal) => call(`put ${unit.key} into`, () => put(unit, signal), signal),
    find: (key, signal) => call(`find ${key} in`, () => find(key, signal), signal),
    read: (key, index) => call(`read ${key} from`, () => read(key, index)),
    keys: () => told(`list ${place}`, keys()),
    sweep: () => call('sweep', async () => (await opened()).uploads.sweep()),
    close: () => call('close', async () => {}),
  }
}

const placeOf = ({ db, collection }: Given): string => `${db.databaseName}.${collection}`

/** Loads the driver and reaches the database. */
async function open(given: Given, commands: Commands): Promise<OpenedStore> {
  const { db, collection, inline, timeout, abandoned } = given
  const settings = {
    writeConcern: { w: 'majority' as const, journal: true, wtimeoutMS: Math.ceil(timeout / 2) },
    // however the client reads
    ...{
      promoteBuffers: true,
      promoteValues: true,
      promoteLongs: true,
      useBigInt64: false,
      raw: false,
      fieldsAsRaw: {},
    },
  }
  const driver = await loadMongodb()
  const documents = db.collection<UnitDocument>(`${collection}.units`, settings)
  const any = (reading: Reading) => documents.findOne({ _id: '' }, { projection: { _id: 1 }, ...reading })
  await opening(
    () => commands.settle(any),
    () => commands.once(() => db.client.connect()),
  )
  const bytes = new Bytes(db, collection, settings, commands, driver)
  const uploads = new Uploads(db, documents, bytes, commands, abandoned)
  const units = new Units(documents, commands, db.client.options.retryWrites)
  return new OpenedStore({ place: placeOf(given), inline, newId: () => new driver.ObjectId(), units, uploads, bytes })
}

function storeGiven(options: MongoImageStoreOptions): Given {
  const name = 'mongoImageStore'
  const {
    db,
    collection = 'images',
    inline = 256 * 1024,
    timeout: limit = '60s',
    abandoned: age = '1h',
  } = optionsGiven(name, options, "Give { db: client.db('…') }.")
  assertNames(name, options ?? {}, NAMES)
  const isDb = typeof db === 'object' && db !== null && typeof db.collection === 'function'
  if (!isDb) throw badOption('db', db, 'is no database of the driver mongodb', "Give client.db('…').")
  if (typeof collection !== 'string' || !/^[^$\0]{1,100}$/.test(collection) || collection.startsWith('system.'))
    throw badOption('collection', collection, 'is no name of a collection', "Give one like 'images'.")
  if (!Number.isSafeInteger(inline) || inline < 0 || inline > MAX_INLINE)
    throw badOption('inline', inline, 'is no number of bytes up to 2 MiB', 'Give one like 262144.')
  const timeout = milliseconds(limit, 'timeout')
  if (timeout < 1 || timeout > LONGEST_TIMER)
    throw badOption('timeout', limit, 'leaves no time, or is no limit', "Give one like '60s'.")
  const abandoned = milliseconds(age, 'abandoned')
  const slow = 'is less than twice `timeout`: uploads that are only slow would be swept'
  if (abandoned < 2 * timeout) throw badOption('abandoned', age, slow, `Give at least ${2 * timeout}.`)
  return { db, collection, inline, timeout, abandoned }
}

/** A stream whose error says what was being done. */
async function* told<T>(doing: string, stream: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* stream
  } catch (error) {
    throw mongoError(error, doing)
  }
}
