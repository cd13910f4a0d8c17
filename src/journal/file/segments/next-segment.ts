// The segment that comes next, made while the one before still has room, so that appends wait less when it is full.
//
// K7 a file and its name in the folder are on disk before the first record goes into it. It is made under a name that no
// reader looks for: what a crash leaves of it is no part of the journal and is removed when it is opened.
// K12 files 0600.
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { encodeHeader, HEADER_BYTES } from './format.ts'
import { type Segment, segmentFile, syncFolder } from './segments.ts'

const NAME = 'next'

export class NextSegment {
  readonly #folder: string
  readonly #path: string
  readonly #salt: number
  #file: Promise<FileHandle | undefined> | undefined

  constructor(folder: string, salt: number) {
    this.#folder = folder
    this.#path = join(folder, NAME)
    this.#salt = salt
  }

  /** Begins to make it, unless that is done. Where it can't be made, `begin` tries again and says why. */
  prepare(): void {
    this.#file ??= this.#make().catch(() => undefined)
  }

  /**
   * Begins it at a position, durably, beside `meanwhile`, which must be through before it has its name; replaces what an
   * earlier attempt that failed has left. Resolves with the segment and its file, open for writing.
   */
  async begin(first: number, meanwhile: () => Promise<void>): Promise<{ segment: Segment; file: FileHandle }> {
    const made = this.#file
    this.#file = undefined
    const file = (await made) ?? (await this.#make())
    try {
      const header = file.write(encodeHeader({ salt: this.#salt, first }), 0, HEADER_BYTES, 0).then(() => file.sync())
      const results = await Promise.allSettled([meanwhile(), header])
      for (const result of results) if (result.status === 'rejected') throw result.reason
      const segment = { file: segmentFile(this.#folder, first), first, size: HEADER_BYTES }
      await rename(this.#path, segment.file)
      await syncFolder(this.#folder)
      return { segment, file }
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /** Removes what is there of it. */
  async discard(): Promise<void> {
    const file = await this.#file
    this.#file = undefined
    await file?.close()
    await rm(this.#path, { force: true })
  }

  /** Its bytes are on disk, so that only those of its header are new when it begins. */
  async #make(): Promise<FileHandle> {
    const file = await open(this.#path, 'w', 0o600)
    try {
      await file.write(Buffer.alloc(HEADER_BYTES), 0, HEADER_BYTES, 0)
      await file.sync()
      return file
    } catch (error) {
      await file.close()
      throw error
    }
  }
}
