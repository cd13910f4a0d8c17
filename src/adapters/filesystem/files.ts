// The file operations that this adapter uses, as one object: tests wrap it to count, to fail, and to die at each of them.
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import * as promises from 'node:fs/promises'

/** The part of node:fs/promises that is used here. */
export type Files = Pick<
  typeof promises,
  | 'access'
  | 'link'
  | 'lstat'
  | 'mkdir'
  | 'open'
  | 'readdir'
  | 'readlink'
  | 'realpath'
  | 'rename'
  | 'rm'
  | 'symlink'
  | 'unlink'
  | 'lutimes'
>

export const nodeFiles: Files = promises

export type Handle = promises.FileHandle

const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants

/** Open for reading: never through a link, and never waiting for the other end of a FIFO. */
export const READ = O_RDONLY | O_NOFOLLOW | O_NONBLOCK

/** Open a folder, never through a link. */
export const FOLDER = O_RDONLY | O_NOFOLLOW | O_DIRECTORY

const CHUNK = 256 * 1024

/** The content from the handle's first byte to its last, in chunks of 256 KiB. The handle stays open. */
export async function* chunks(handle: Handle, signal?: AbortSignal): AsyncGenerator<Buffer> {
  for (let position = 0; ; ) {
    signal?.throwIfAborted()
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(CHUNK), 0, CHUNK, position)
    if (bytesRead === 0) return
    position += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}

/** Size and hash of what was read or written. */
export interface Digest {
  readonly size: number
  /** Lower-case hex SHA-256. */
  readonly sha256: string
}

export const digestOf = (handle: Handle, signal?: AbortSignal): Promise<Digest> => digest(chunks(handle, signal))

/** Hashes all bytes; each chunk is also given to `write`, if there is one, before the next is asked for. */
export async function digest(
  bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  write?: (chunk: Uint8Array) => Promise<unknown>,
): Promise<Digest> {
  const hash = createHash('sha256')
  let size = 0
  for await (const chunk of bytes) {
    hash.update(chunk)
    size += chunk.byteLength
    await write?.(chunk)
  }
  return { size, sha256: hash.digest('hex') }
}

/** Writes a new file (0600) and syncs it; leaves none where that fails. */
export async function writeNew<A>(files: Files, path: string, write: (handle: Handle) => Promise<A>): Promise<A> {
  const handle = await files.open(path, 'wx', 0o600)
  try {
    return await withFile(Promise.resolve(handle), async () => {
      const written = await write(handle)
      await handle.sync()
      return written
    })
  } catch (error) {
    await files.unlink(path).catch(() => {})
    throw error
  }
}

/** Makes a folder's entries durable. Network shares (CIFS) have no such call and say EINVAL: they can't do better. */
export async function syncFolder(handle: Handle): Promise<void> {
  await handle.sync().catch((error) => {
    if (error.code !== 'EINVAL') throw error
  })
}

/** Opens, uses and closes a file. */
export async function withFile<A>(opening: Promise<Handle>, use: (handle: Handle) => Promise<A>): Promise<A> {
  const handle = await opening
  try {
    return await use(handle)
  } finally {
    await handle.close()
  }
}
