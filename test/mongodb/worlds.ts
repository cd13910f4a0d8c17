// Stores in databases of their own, on a server of the tests.
import { type Db, MongoClient, type MongoClientOptions } from 'mongodb'
import { onTestFinished } from 'vitest'
import { type MongoImageStoreOptions, mongoImageStore } from '../../src/adapters/mongodb/index.ts'
import { storeOf } from '../../src/adapters/mongodb/store.ts'
import type { ImageStore, StoredUnit } from '../../src/ports/image.ts'
import { collect, done, type StoreWorld } from '../../src/testing/images/index.ts'
import type { MongoProxy } from '../support/mongodb/proxy.ts'
import { freshName } from '../support/mongodb/server.ts'

/** Gives up soon, comes back soon, and tries nothing again by itself: what is tried again is our doing. */
const IMPATIENT: MongoClientOptions = { serverSelectionTimeoutMS: 1000, retryWrites: false, retryReads: false }
const QUICK = { minHeartbeatFrequencyMS: 20 } as MongoClientOptions

/** Closed at the end of the test. */
export function clientOf(uri: string, options: MongoClientOptions = {}): MongoClient {
  const client = new MongoClient(uri, { ...IMPATIENT, ...QUICK, ...options })
  onTestFinished(() => client.close())
  return client
}

/**
 * The server behind a proxy says of itself what the primary of a replica set does: the driver then retries by itself. For clients with
 * `serverApi`, whose first words are commands. Ended by what it answers.
 */
export function asReplicaSet(proxy: MongoProxy): () => void {
  const { host } = new URL(proxy.uri)
  const primary = { setName: 'rs', isWritablePrimary: true, secondary: false, hosts: [host], me: host, primary: host }
  const replace = (answer: object) => ({ ...answer, ...primary, logicalSessionTimeoutMinutes: 30 })
  const said = proxy.trouble({ replace }, { command: 'hello', db: 'admin', times: Number.POSITIVE_INFINITY })
  return () => said.lift()
}

type Options = Partial<MongoImageStoreOptions>

/** What is in a database behind a store's back. */
export interface Inside {
  readonly db: Db
  /** How many documents there are: of keys, of published units, of GridFS. */
  count(): Promise<{ keys: number; units: number; files: number; chunks: number }>
  /** I1 I3: what a unit says is what its bytes are; undefined when there is none. */
  whole(key: string): Promise<StoredUnit | undefined>
  /** Sweeps whatever is no unit's, at once: what is taken first, and then forgotten. */
  tidy(): Promise<void>
  /** Removes all documents. */
  empty(): Promise<void>
}

/** A store to which uploads are abandoned so soon, ms. */
export const hasty = (db: Db, abandoned = 0): ImageStore =>
  storeOf({ db, collection: 'images', inline: 256 * 1024, timeout: 60_000, abandoned })

export function inside(db: Db): Inside {
  const store = hasty(db)
  const units = db.collection('images.units')
  return {
    db,
    count: async () => ({
      keys: await units.countDocuments(),
      units: await units.countDocuments({ rev: { $exists: true } }),
      files: await db.collection('images.files').countDocuments(),
      chunks: await db.collection('images.chunks').countDocuments(),
    }),
    empty: async () => {
      for (const name of ['units', 'files', 'chunks']) await db.collection(`images.${name}`).deleteMany({})
    },
    whole: (key) => wholeIn(store, key),
    tidy: async () => {
      for (let round = 0; round < 2; round++) {
        await new Promise((resolve) => setTimeout(resolve, 5)) // ages are in ms
        await done(store.sweep())
      }
    },
  }
}

async function wholeIn(store: ImageStore, key: string): Promise<StoredUnit | undefined> {
  const unit = await done(store.find(key))
  for (let i = 0; i < (unit?.outputs.length ?? 0); i++) await collect(await done(store.read(key, i)))
  return unit
}

/** An empty database that is gone afterwards. */
export async function mongoWorld(uri: string, options: Options = {}): Promise<StoreWorld & { db: Db }> {
  const client = new MongoClient(uri, IMPATIENT)
  const db = client.db(freshName())
  const open = () => mongoImageStore({ db, ...options })
  return {
    db,
    store: open(),
    another: open,
    damage: (sha256) => damage(db, sha256),
    dispose: async () => {
      await db.dropDatabase()
      await client.close()
    },
  }
}

async function damage(db: Db, sha256: string): Promise<void> {
  const bytes = Buffer.from('damaged')
  const units = db.collection('images.units')
  for await (const { _id, outputs } of units.find({ 'outputs.sha256': sha256 })) {
    const changed = outputs.map((output: { sha256: string; bytes?: unknown }) =>
      output.sha256 === sha256 && output.bytes ? { ...output, bytes } : output,
    )
    await units.updateOne({ _id }, { $set: { outputs: changed } })
  }
  for await (const { _id } of db.collection('images.files').find({ 'metadata.sha256': sha256 }))
    await db.collection('images.chunks').updateMany({ files_id: _id }, { $set: { data: bytes } })
}
