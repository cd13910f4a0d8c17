// Outputs as GridFS files: `<collection>.files` and `<collection>.chunks`, which every GridFS tool reads. A file has an id
// of its own for each upload, and is only ever found by it: another's file of the same name is none of ours.
//
// I1 what counts is what is read back: length and hash of each file before anyone says that it is there.
// Written here and not by the driver's bucket: that sends a chunk at a time, and a lost answer ends it. Chunks with ids of
// ours can be sent again, several at once.
import { createHash } from 'node:crypto'
import type { Collection, Db, ObjectId } from 'mongodb'
import { must } from '../../ports/answer.ts'
import { DuramenError } from '../../ports/errors.ts'
import type { StoreOutput } from '../../ports/image.ts'
import type { Commands } from './commands.ts'
import { isDuplicate } from './errors.ts'
import type { Driver } from './load.ts'

/** Of GridFS. */
const CHUNK = 255 * 1024
/** Chunks of one command; one more such batch is filled meanwhile. */
const BATCH = 16

interface FileDocument {
  _id: ObjectId
  length: number
  chunkSize: number
  uploadDate: Date
  filename: string
  metadata: { key: string; sha256: string }
}

interface ChunkDocument {
  _id: ObjectId
  files_id: ObjectId
  n: number
  data: Buffer
}

/** What bytes are known by. */
export type Digest = Pick<StoreOutput, 'size' | 'sha256'>

/** Whose file it is, as tools show it. */
interface Owner {
  readonly key: string
  readonly name: string
}

export class Bytes {
  readonly #files: Collection<FileDocument>
  readonly #chunks: Collection<ChunkDocument>
  readonly #commands: Commands
  readonly #driver: Driver

  constructor(db: Db, collection: string, options: object, commands: Commands, driver: Driver) {
    this.#files = db.collection(`${collection}.files`, options)
    this.#chunks = db.collection(`${collection}.chunks`, options)
    this.#commands = commands
    this.#driver = driver
  }

  /** The indexes that GridFS wants: chunks in order, files by name. Each id and number is new by itself. */
  async prepare(signal?: AbortSignal): Promise<void> {
    await this.#commands.index(() => this.#chunks.createIndex({ files_id: 1, n: 1 }, { unique: true }), signal)
    await this.#commands.index(() => this.#files.createIndex({ filename: 1, uploadDate: 1 }), signal)
  }

  /** Writes an output under `id`. `beat` is awaited before each batch. STORE_MISMATCH for other bytes than announced. */
  async write(
    id: ObjectId,
    { key, name }: Owner,
    output: StoreOutput,
    beat: () => Promise<void>,
    signal?: AbortSignal,
  ) {
    const { ObjectId } = this.#driver
    const sent = await must('output.read', output.read())
    let n = 0
    let flying: Promise<void> = Promise.resolve()
    try {
      for await (const batch of batches(checked(sent, output))) {
        await flying
        await beat()
        flying = this.#insert(
          batch.map((data) => ({ _id: new ObjectId(), files_id: id, n: n++, data })),
          signal,
        )
        flying.catch(() => {}) // seen by the next await
      }
    } catch (error) {
      await flying.catch(() => {}) // nothing of it arrives once this has ended; what came first is told
      throw error
    }
    await flying
    const { size: length, sha256 } = output
    const metadata = { key, sha256 }
    const document = { _id: id, length, chunkSize: CHUNK, uploadDate: new Date(), filename: name, metadata }
    await this.#once(() => this.#files.insertOne(document), signal)
  }

  #insert(chunks: ChunkDocument[], signal?: AbortSignal): Promise<void> {
    return this.#once(() => this.#chunks.insertMany(chunks, { ordered: false }), signal)
  }

  /** What is there already came with an earlier try, whose answer was lost. */
  async #once(insert: () => Promise<unknown>, signal?: AbortSignal): Promise<void> {
    try {
      await this.#commands.ask(insert, signal)
    } catch (error) {
      if (!isDuplicate(error)) throw error
    }
  }

  /**
   * The chunks in order, up to the first that is missing. Each batch is a command of its own, and put in order here: no
   * cursor has to last for as long as the reader takes, and a server that has no index for it need not sort.
   */
  async *read(id: ObjectId, signal?: AbortSignal): AsyncGenerator<Buffer> {
    for (let first = 0; ; first += BATCH) {
      const some = { files_id: id, n: { $gte: first, $lt: first + BATCH } }
      const options = { projection: { _id: 0, n: 1, data: 1 }, limit: BATCH, batchSize: BATCH } as const
      const chunks = await this.#commands.ask(
        () => this.#chunks.find(some, { ...options, ...this.#commands.reading }).toArray(),
        signal,
      )
      chunks.sort((a, b) => a.n - b.n)
      for (const [i, { n, data }] of chunks.entries()) {
        if (n !== first + i) return
        yield data
      }
      if (chunks.length < BATCH) return
    }
  }

  /** Reads a file back. STORE_MISMATCH when it is not what it should be, or is missing. */
  async verify(id: ObjectId, output: Digest, beat: () => Promise<void>, signal?: AbortSignal): Promise<void> {
    for await (const _ of checked(this.read(id, signal), output, `the file ${id}`)) await beat()
  }

  /** Removes files, also such as were never finished. The answer: whether there was anything. */
  async remove(ids: readonly ObjectId[], signal?: AbortSignal): Promise<boolean> {
    let removed = 0
    for (const id of ids) {
      const chunks = await this.#commands.ask(() => this.#chunks.deleteMany({ files_id: id }), signal)
      const file = await this.#commands.ask(() => this.#files.deleteOne({ _id: id }), signal)
      removed += chunks.deletedCount + file.deletedCount
    }
    return removed > 0
  }
}

/** A small output as a whole. STORE_MISMATCH for other bytes than announced. */
export async function collect(output: StoreOutput): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for await (const part of checked(await must('output.read', output.read()), output)) parts.push(part)
  return Buffer.concat(parts)
}

/** Throws STORE_MISMATCH when bytes are not what they should be: at their end, or once there are too many. */
export async function* checked(
  bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  { size, sha256 }: Digest,
  stored?: string,
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256')
  let length = 0
  for await (const part of bytes) {
    length += part.length
    if (length > size) break
    hash.update(part)
    yield part
  }
  const found = hash.digest('hex')
  if (length === size && found === sha256) return
  const count = length > size ? 'more' : length
  throw stored === undefined
    ? mismatch(`an output was announced with ${size} bytes (${sha256}), but ${count} were sent (${found})`)
    : mismatch(`${stored} is not what was stored: it has ${count} bytes (${found}) in place of ${size} (${sha256})`)
}

const mismatch = (message: string): DuramenError =>
  new DuramenError('STORE_MISMATCH', message, {
    hint: 'Put the image again: what is missing or damaged in the store is then written anew.',
  })

/** Chunks of GridFS's length, several at once; each batch has memory of its own, as it is on its way while the next is filled. */
async function* batches(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer[]> {
  let batch: Buffer[] = []
  let chunk = Buffer.allocUnsafe(CHUNK)
  let at = 0
  for await (const part of bytes) {
    for (let from = 0; from < part.length; ) {
      const count = Math.min(part.length - from, CHUNK - at)
      chunk.set(part.subarray(from, from + count), at)
      from += count
      at += count
      if (at < CHUNK) continue
      batch.push(chunk)
      chunk = Buffer.allocUnsafe(CHUNK)
      at = 0
      if (batch.length < BATCH) continue
      yield batch
      batch = []
    }
  }
  if (at > 0) batch.push(chunk.subarray(0, at))
  if (batch.length > 0) yield batch
}
