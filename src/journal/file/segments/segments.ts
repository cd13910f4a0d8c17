// The segment files of one folder: the folder itself, their names, and open files for reading.
//
// K9 at most OPEN_FILES files are open for reading, however long the journal is.
// K12 files 0600, folders 0700.
import { type FileHandle, open, readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { makeFolders } from '../../make-folders.ts'
import { assertHeader } from './damaged.ts'
import { decodeHeader, HEADER_BYTES } from './format.ts'

const OPEN_FILES = 16
const NAME = /^(\d{16})\.log$/

export interface Segment {
  readonly file: string
  /** Position of its first record. */
  readonly first: number
  /** Bytes that are committed. */
  size: number
}

/** The segment files that are there, in order of position. */
export async function listSegments(folder: string): Promise<{ file: string; first: number }[]> {
  const names = (await readdir(folder)).filter((name) => NAME.test(name)).sort()
  return names.map((name) => ({ file: join(folder, name), first: Number(NAME.exec(name)?.[1]) }))
}

/** The name of the file of the segment that begins with a position, and its path. */
export const segmentName = (first: number) => `${String(first).padStart(16, '0')}.log`
export const segmentFile = (folder: string, first: number) => join(folder, segmentName(first))

/** Makes what was created, renamed or removed in a folder durable. Windows does that by itself and has no call for it. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

interface OpenFile {
  readonly handle: Promise<FileHandle>
  users: number
}

/** Reads from segments, keeping the files that were used last open. */
export class SegmentReader {
  readonly #open = new Map<Segment, OpenFile>()
  readonly #salt: number
  #limit = OPEN_FILES

  constructor(salt: number) {
    this.#salt = salt
  }

  /** The bytes of a segment from `start` up to `end`, fewer where the file is shorter. Rejects with JOURNAL_DAMAGED as well. */
  async read(segment: Segment, start: number, end: number): Promise<Buffer> {
    const file = this.#open.get(segment) ?? { handle: this.#openFile(segment), users: 0 }
    this.#open.delete(segment)
    this.#open.set(segment, file)
    file.users++
    try {
      return await readFrom(await this.#handleOf(segment, file), start, end)
    } finally {
      file.users--
      if (file.users === 0 && this.#open.get(segment) !== file) await closeFile(file)
      await this.#closeUnused()
    }
  }

  /** K7 the bytes of one segment may stand in the file of another, and every frame of them be whole: the header tells. */
  async #openFile({ file, first }: Segment): Promise<FileHandle> {
    const handle = await open(file, 'r')
    try {
      assertHeader(decodeHeader(await readFrom(handle, 0, HEADER_BYTES)), file, first, this.#salt)
      return handle
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  /** One that can't be opened now may be later. */
  #handleOf(segment: Segment, file: OpenFile): Promise<FileHandle> {
    return file.handle.catch((error) => {
      if (this.#open.get(segment) === file) this.#open.delete(segment)
      throw error
    })
  }

  /** Another file has the name of the segment's: the next read opens that. */
  async forget(segment: Segment): Promise<void> {
    const file = this.#open.get(segment)
    this.#open.delete(segment)
    if (file?.users === 0) await closeFile(file)
  }

  /** Closes the files; a read that is under way closes its own when it ends. */
  close(): Promise<void> {
    this.#limit = 0
    return this.#closeUnused()
  }

  async #closeUnused(): Promise<void> {
    for (const [segment, file] of this.#open) {
      if (this.#open.size <= this.#limit) return
      if (file.users > 0) continue
      this.#open.delete(segment)
      await closeFile(file)
    }
  }
}

/** One that could not be opened is none to close. */
function closeFile({ handle }: OpenFile): Promise<void> {
  return handle.then(
    (opened) => opened.close(),
    () => {},
  )
}

/** Creates a folder and the folders above it, each durably, where they are not there yet. */
export async function createFolder(folder: string): Promise<void> {
  for (const made of await makeFolders(folder)) await syncFolder(dirname(made))
}

/** The bytes of a file from `start` up to `end`, fewer where it is shorter. */
export async function readFrom(handle: FileHandle, start: number, end: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(end - start)
  let done = 0
  while (done < buffer.length) {
    const { bytesRead } = await handle.read(buffer, done, buffer.length - done, start + done)
    if (bytesRead === 0) break
    done += bytesRead
  }
  return buffer.subarray(0, done)
}
