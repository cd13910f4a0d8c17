// Bytes into files, and small files as a whole: the lock, a plan, a manifest.
//
// K7 what was written synced is on disk. K12 files 0600.
import { type FileHandle, open, readFile } from 'node:fs/promises'

/** Writes all of the bytes; a single write may end early. */
export async function writeAll(handle: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await handle.write(bytes, done, bytes.length - done, offset + done)).bytesWritten
  }
}

/** Writes a file of these bytes, in place of one that is there; 'wx' refuses then. The folder is the caller's to sync. */
export async function writeSynced(path: string, content: Uint8Array | string, flags: 'w' | 'wx' = 'w'): Promise<void> {
  const handle = await open(path, flags, 0o600)
  try {
    await writeAll(handle, typeof content === 'string' ? Buffer.from(content) : content, 0)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** The text of a file; undefined where there is none. */
export async function contentOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
