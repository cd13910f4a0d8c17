// Where the demo uploads to: a folder, or a database.
import { fileSystemStore } from '../adapters/filesystem/index.ts'
import { mongoImageStore } from '../adapters/mongodb/index.ts'
import { loadMongodb } from '../adapters/mongodb/load.ts'
import { must } from '../machines/image/work.ts'
import { DuramenError } from '../ports/errors.ts'
import type { ImageStore } from '../ports/image.ts'

/** How long a database may take to be found, ms. */
const PATIENCE = 5000

export interface OpenStore {
  readonly images: ImageStore
  /** Where it is and what is where in it, for people: without a password. */
  readonly place: string
  readonly order: string
  close(): Promise<void>
}

/** The store in a database, which has to be there now, or in the folder. Rejects with DuramenError. */
export async function openStore(uri: string | undefined, folder: string): Promise<OpenStore> {
  if (uri !== undefined) return openMongo(uri)
  const order = 'named by their SHA-256; units/ says which are whose'
  return { images: fileSystemStore(folder), place: folder, order, close: async () => {} }
}

async function openMongo(uri: string): Promise<OpenStore> {
  const { MongoClient } = await loadMongodb()
  const client = newClient(() => new MongoClient(uri, { serverSelectionTimeoutMS: PATIENCE, appName: 'duramen demo' }))
  try {
    const db = client.db(nameIn(uri))
    const images = mongoImageStore({ db })
    await must(images.find('0'.repeat(64))) // wrong passwords and hosts are told before anything is made
    const hosts = client.options.hosts.join(', ')
    const order = 'images.units says which are whose; large ones are in GridFS'
    return { images, place: `database ${db.databaseName} on ${hosts}`, order, close: () => client.close() }
  } catch (error) {
    await client.close()
    throw error
  }
}

function newClient<C>(make: () => C): C {
  try {
    return make()
  } catch (cause) {
    // the URI itself is not said: it may hold a password
    throw new DuramenError('BAD_OPTION', `--store is no URI of a MongoDB: ${(cause as Error).message}`, {
      cause,
      hint: 'Give one like mongodb://127.0.0.1:27017/archive.',
    })
  }
}

/** Database of a URI that names none. */
const NAME = 'duramen-demo'

/** `mongodb://a,b` is no URL to Node: it has two hosts. */
const nameIn = (uri: string): string => /^mongodb(?:\+srv)?:\/\/[^/]+\/([^?]+)/.exec(uri)?.[1] ?? NAME
