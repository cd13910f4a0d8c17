// Where the demo uploads to: a folder, or a database.
import { isLeft } from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import { fileSystemStore } from '../adapters/filesystem/index.ts'
import { mongoConnection, mongoImageStore } from '../adapters/mongodb/index.ts'
import { must } from '../ports/answer.ts'
import { DuramenError } from '../ports/errors.ts'
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

/**
 * The store in a database, or in the folder. A database has to be there now, so that wrong passwords and hosts are told before
 * anything is made; not where there is something to go on with (`begun`), which waits until it is. Rejects with DuramenError.
 */
export async function openStore(uri: string | undefined, folder: string, begun: boolean): Promise<OpenStore> {
  if (uri !== undefined) return openMongo(uri, begun)
  const order = 'named by their SHA-256; units/ says which are whose'
  return { images: fileSystemStore(folder), place: folder, order, close: async () => {} }
}

async function openMongo(uri: string, begun: boolean): Promise<OpenStore> {
  const connection = await connectionTo(uri)
  const images = mongoImageStore({ db: connection.db })
  const look = pipe(
    connection.connect(AbortSignal.timeout(2 * PATIENCE)),
    TE.chainW(() => images.find('0'.repeat(64))), // its rights
  )
  const found = await look()
  if (isLeft(found) && !(begun && found.left.code === 'NOT_CONNECTED')) {
    await must('connection.close', connection.close())
    throw found.left
  }
  const order = 'images.units says which are whose; large ones are in GridFS'
  return { images, place: connection.name, order, close: () => must('connection.close', connection.close()) }
}

async function connectionTo(uri: string) {
  const options = { serverSelectionTimeoutMS: PATIENCE, appName: 'duramen demo' }
  try {
    return await mongoConnection({ uri, options, ...(!namesOne(uri) && { db: NAME }) })
  } catch (error) {
    if ((error as DuramenError).code !== 'BAD_OPTION') throw error
    throw new DuramenError('BAD_OPTION', '--store: it is no address of MongoDB', {
      hint: 'Give one like mongodb://127.0.0.1/images, special characters of a password encoded by encodeURIComponent.',
    })
  }
}

/** Whether an address names a database. No URL to Node where it has several hosts. */
const namesOne = (uri: string): boolean => /^[^:]+:\/\/[^/]+\/[^?]/.test(uri)
