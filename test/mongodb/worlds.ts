// Stores in databases of their own, on a server of the tests.
import { type Db, MongoClient, type MongoClientOptions } from 'mongodb'
import { onTestFinished } from 'vitest'
import { type MongoImageStoreOptions, mongoImageStore } from '../../src/adapters/mongodb/index.ts'
import type { StoreWorld } from '../../src/testing/images/index.ts'
import { freshName } from '../support/mongodb/server.ts'

/** Gives up soon, and tries nothing again by itself: what is tried again is our doing. */
const IMPATIENT: MongoClientOptions = { serverSelectionTimeoutMS: 1000, retryWrites: false, retryReads: false }

/** Closed at the end of the test. */
export function clientOf(uri: string, options: MongoClientOptions = {}): MongoClient {
  const client = new MongoClient(uri, { ...IMPATIENT, ...options })
  onTestFinished(() => client.close())
  return client
}

export interface MongoWorld extends StoreWorld {
  readonly db: Db
  open(options?: Partial<MongoImageStoreOptions>): StoreWorld['store']
}

/** An empty database that is gone afterwards. */
export async function mongoWorld(uri: string, options: Partial<MongoImageStoreOptions> = {}): Promise<MongoWorld> {
  const client = new MongoClient(uri, IMPATIENT)
  const db = client.db(freshName())
  const open = (more: Partial<MongoImageStoreOptions> = {}) => mongoImageStore({ db, ...options, ...more })
  return {
    db,
    open,
    store: open(),
    another: open,
    damage: async (sha256) => {
      const bytes = Buffer.from('damaged')
      const units = db.collection('images.units')
      await units.updateMany({ 'outputs.sha256': sha256, 'outputs.bytes': { $exists: true } }, [
        {
          $set: {
            outputs: {
              $map: {
                input: '$outputs',
                in: {
                  $cond: [{ $eq: ['$$this.sha256', sha256] }, { $mergeObjects: ['$$this', { bytes }] }, '$$this'],
                },
              },
            },
          },
        },
      ])
      const files = await db.collection('images.files').find({ 'metadata.sha256': sha256 }).toArray()
      for (const { _id } of files)
        await db.collection('images.chunks').updateMany({ files_id: _id }, { $set: { data: bytes } })
    },
    dispose: async () => {
      await db.dropDatabase()
      await client.close()
    },
  }
}
