// Where the demo uploads to: a folder, or a database.
import { fileSystemStore } from '../adapters/filesystem/index.ts'
import { mongoConnection, mongoImageStore } from '../adapters/mongodb/index.ts'
import { must } from '../machines/image/work.ts'
import type { ImageStore } from '../ports/image.ts'

/** How long a database may take to be found, ms. */
const PATIENCE = 5000
/** Database of a URI that names none. */
const NAME = 'duramen-demo'

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
  const options = { serverSelectionTimeoutMS: PATIENCE, appName: 'duramen demo' }
  const connection = await mongoConnection({ uri, options, ...(!namesOne(uri) && { db: NAME }) })
  const images = mongoImageStore({ db: connection.db })
  try {
    await must(images.find('0'.repeat(64))) // wrong passwords and hosts are told before anything is made
  } catch (error) {
    await must(connection.close())
    throw error
  }
  const order = 'images.units says which are whose; large ones are in GridFS'
  return { images, place: connection.name, order, close: () => must(connection.close()) }
}

/** Whether an address names a database. No URL to Node where it has several hosts. */
const namesOne = (uri: string): boolean => /^[^:]+:\/\/[^/]+\/[^?]/.test(uri)
