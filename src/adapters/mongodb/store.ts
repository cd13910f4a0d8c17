// An image store in MongoDB, or in what speaks its protocol: nothing but single-document writes, no transaction, no
// change stream. Any number of processes and hosts may use it at once.
//
// I1 an answer is built from what was read back, as a majority has it. I3 a unit is there once its document says so: one
// write, after all bytes were read back. I5 the same content is stored once, and nothing is replaced but what is damaged.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Db, ObjectId } from 'mongodb'
import { LONGEST_TIMER } from '../../ports/clock.ts'
import { DuramenError } from '../../ports/errors.ts'
import { assertNames, badOption, checkHash, optionsGiven } from '../../ports/given.ts'
import type { ImageStore, StoredUnit, StoreUnit } from '../../ports/image.ts'
import { type Duration, milliseconds } from '../../runtime/duration.ts'
import { Bytes, checked, collect } from './bytes.ts'
import { Commands, opening, type Reading } from './commands.ts'
import { mongoError, task } from './errors.ts'
import { loadMongodb } from './load.ts'
import { checkUnit, placesFor } from './sent.ts'
import { type StoredOutput, type Unit, type UnitDocument, Units, type Upload } from './units.ts'
import { Swept, Uploads } from './uploads.ts'

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
/** How often a put begins anew: another one is publishing the same unit, or this one was taken for abandoned. */
const TRIES = 5
/** Before it does, ms: what another has published a majority may not have yet. */
const PAUSE = 100

/** What a store does its work with, once the driver is loaded. */
interface Parts {
  readonly newId: () => ObjectId
  readonly units: Units
  readonly uploads: Uploads
  readonly bytes: Bytes
}

/**
 * An image store in a database of MongoDB ({@link MongoImageStoreOptions}); collections and indexes are made by the first
 * upload. Its calls answer NOT_CONNECTED while the database is away and OUTCOME_UNKNOWN where its answer was lost for good:
 * both may be called again. NO_PERMISSION for a wrong password, NO_SPACE for a full disk, MISSING_PACKAGE without the driver.
 * `close` leaves the client open. Throws BAD_OPTION.
 */
export const mongoImageStore = (options: MongoImageStoreOptions): ImageStore => storeOf(given(options))

/** Options that were looked at; durations in ms. */
interface Given {
  readonly db: Db
  readonly collection: string
  readonly inline: number
  readonly timeout: number
  readonly abandoned: number
}

/** For tests, too: they don't wait until an upload counts as abandoned. */
export function storeOf({ db, collection, inline, timeout, abandoned }: Given): ImageStore {
  const place = `${db.databaseName}.${collection}`
  const commands = new Commands(timeout)
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
  let made: Promise<Parts> | undefined
  let isIndexed = false

  async function make(): Promise<Parts> {
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
    return { newId: () => new driver.ObjectId(), units, uploads, bytes }
  }

  /** Once; after a failure anew. */
  function parts(): Promise<Parts> {
    made ??= make().catch((error) => {
      made = undefined
      throw error
    })
    return made
  }

  async function put(unit: StoreUnit, signal?: AbortSignal): Promise<StoredUnit> {
    const info = checkUnit(unit)
    const { units } = await commands.once(parts, signal)
    for (let tries = 1; ; tries++) {
      const before = await units.get(unit.key, signal)
      if (before !== undefined && (await isWhole(before, signal))) return answer(unit.key, before, true)
      const stored = await upload(unit, info, before, signal)
      if (stored !== undefined) return answer(unit.key, stored, false)
      if (tries === TRIES) throw contended(unit.key)
      await sleep(PAUSE, undefined, { signal })
    }
  }

  /** One try. Undefined: something else is published, or it was taken for abandoned. */
  async function upload(unit: StoreUnit, info: string, replaced: Unit | undefined, signal?: AbortSignal) {
    const { newId, units, uploads, bytes } = await parts()
    const { key, name } = unit
    const rev = newId()
    const places = placesFor(unit.outputs, inline, newId)
    const files = places.flatMap((file) => file ?? [])
    const begun = files.length > 0 ? await begin(key, { id: rev, files }, signal) : undefined
    const beat = begun ? uploads.beat(key, begun, signal) : async () => {}
    let stored: Unit | undefined
    try {
      const outputs: StoredOutput[] = []
      for (const [i, output] of unit.outputs.entries()) {
        const { code, size, sha256 } = output
        const file = places[i]
        if (file === undefined) outputs.push({ code, size, sha256, bytes: await collect(output) })
        else {
          await bytes.write(file, { key, name }, output, beat, signal)
          outputs.push({ code, size, sha256, file })
        }
      }
      for (const output of outputs) if (output.file) await bytes.verify(output.file, output, beat, signal)
      const now = await units.publish(
        key,
        { rev, name, info, outputs },
        { replaced, upload: begun, at: uploads.now() },
        signal,
      )
      if (now?.rev.equals(rev)) stored = now
    } catch (error) {
      if (!(error instanceof Swept)) throw error
    } finally {
      if (begun && stored === undefined) uploads.failed(key, begun)
    }
    if (stored !== undefined) await verifyInline(stored)
    return stored
  }

  async function begin(key: string, upload: Omit<Upload, 'at'>, signal?: AbortSignal): Promise<Upload> {
    const { uploads, bytes } = await parts()
    if (!isIndexed) {
      await bytes.prepare(signal)
      await uploads.prepare(signal)
      isIndexed = true
    }
    return await uploads.begin(key, upload, signal)
  }

  /** Reads all of a unit. STORE_MISMATCH. */
  async function verify(unit: Unit, signal?: AbortSignal): Promise<void> {
    const { bytes } = await parts()
    await verifyInline(unit)
    for (const output of unit.outputs) if (output.file) await bytes.verify(output.file, output, async () => {}, signal)
  }

  async function isWhole(unit: Unit, signal?: AbortSignal): Promise<boolean> {
    try {
      await verify(unit, signal)
      return true
    } catch (error) {
      if (error instanceof DuramenError && error.code === 'STORE_MISMATCH') return false
      throw error
    }
  }

  async function find(key: string, signal?: AbortSignal): Promise<StoredUnit | undefined> {
    checkHash('key', key)
    const { units } = await commands.once(parts, signal)
    const unit = await units.get(key, signal)
    if (unit === undefined) return undefined
    await verify(unit, signal)
    return answer(key, unit, true)
  }

  async function read(key: string, index: number): Promise<AsyncIterable<Uint8Array>> {
    checkHash('key', key)
    const { units, bytes } = await parts()
    const output = (await units.get(key))?.outputs[index]
    if (output === undefined)
      throw new DuramenError('FILE_GONE', `The store ${place} has no output ${index} of ${key}`, {
        hint: 'Ask `find` what the unit holds.',
      })
    const stored = output.file ? bytes.read(output.file) : [output.bytes]
    return told(`read ${key} from ${place}`, checked(stored, output, nameOf(output)))
  }

  async function* keys(): AsyncGenerator<string> {
    yield* (await parts()).units.keys()
  }

  const call = <A>(doing: string, run: () => Promise<A>, signal?: AbortSignal) =>
    task(`${doing} the image store ${place}`, run, signal)

  return {
    put: (unit, signal) => call(`put ${unit.key} into`, () => put(unit, signal), signal),
    find: (key, signal) => call(`find ${key} in`, () => find(key, signal), signal),
    read: (key, index) => call(`read ${key} from`, () => read(key, index)),
    keys: () => told(`list ${place}`, keys()),
    sweep: () => call('sweep', async () => (await parts()).uploads.sweep()),
    close: () => call('close', async () => {}),
  }
}

function given(options: MongoImageStoreOptions): Given {
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

async function verifyInline({ outputs }: Unit): Promise<void> {
  for (const output of outputs)
    if (output.bytes) for await (const _ of checked([output.bytes], output, nameOf(output)));
}

const nameOf = ({ file }: StoredOutput): string => (file ? `the file ${file}` : 'an output in the document')

const answer = (key: string, { name, info, outputs }: Unit, existed: boolean): StoredUnit => ({
  key,
  name,
  outputs: outputs.map(({ code, size, sha256 }) => ({ code, size, sha256 })),
  info: JSON.parse(info),
  existed,
})

const contended = (key: string) =>
  new DuramenError('OUTCOME_UNKNOWN', `${key} was not published in ${TRIES} tries: others were at it`, {
    hint: 'Put it again. If it stays, see whether the hosts are suspended or very slow, or raise `abandoned`.',
    retryable: true,
  })

/** A stream whose error says what was being done. */
async function* told<T>(doing: string, stream: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* stream
  } catch (error) {
    throw mongoError(error, doing)
  }
}
