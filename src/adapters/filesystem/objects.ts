// The content of a store: `objects/<aa>/<sha256>`, each file named after what is in it.
//
// I1 what counts is what is read back: each object is opened again and hashed before anyone says that it is there.
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { TaskEither } from 'fp-ts/lib/TaskEither.js'
import { must } from '../../ports/answer.ts'
import { DuramenError } from '../../ports/errors.ts'
import { checkHash } from '../../ports/given.ts'
import { draftName } from './crossing.ts'
import { errnoOf, fileError } from './errors.ts'
import { chunks, type Digest, digest, digestOf, type Files, READ, withFile, writeNew } from './files.ts'

export interface Content extends Digest {
  read(): TaskEither<DuramenError, AsyncIterable<Uint8Array>>
}

export class Objects {
  readonly path: string
  readonly #drafts: string
  readonly #files: Files

  constructor(path: string, drafts: string, files: Files) {
    this.path = path
    this.#drafts = drafts
    this.#files = files
  }

  folderOf(sha256: string): string {
    return join(this.path, sha256.slice(0, 2))
  }

  pathOf(sha256: string): string {
    return join(this.folderOf(sha256), checkHash('hash', sha256))
  }

  /** Reads an object back. Rejects with STORE_MISMATCH when it is missing or is not what it should be. */
  async verify({ sha256, size }: Digest, signal?: AbortSignal): Promise<void> {
    const file = this.pathOf(sha256)
    const found = await withFile(this.#files.open(file, READ), (handle) => digestOf(handle, signal)).catch((error) => {
      throw errnoOf(error) === 'ENOENT' ? mismatch(file, 'is missing from the store', error) : error
    })
    if (found.sha256 !== sha256 || found.size !== size) {
      throw mismatch(file, `is not what was stored: it has ${found.size} bytes with hash ${found.sha256}`)
    }
  }

  /** Whether it is there and whole already; it then counts as new, so that no sweep takes it. */
  async reuse(content: Digest, signal?: AbortSignal): Promise<boolean> {
    const now = new Date()
    try {
      await this.#files.lutimes(this.pathOf(content.sha256), now, now)
      await this.verify(content, signal)
      return true
    } catch (error) {
      if (errnoOf(error) === 'ENOENT' || (error instanceof DuramenError && error.code === 'STORE_MISMATCH'))
        return false
      throw error
    }
  }

  /** Writes and syncs an object; one that is damaged is replaced. The caller syncs its folder. */
  async write(content: Content, signal?: AbortSignal): Promise<void> {
    const draft = join(this.#drafts, draftName())
    const sent = await must('output.read', content.read())
    await writeNew(this.#files, draft, async (handle) => {
      const written = await digest(sent, (chunk) => {
        signal?.throwIfAborted()
        return handle.writeFile(chunk)
      })
      if (written.sha256 === content.sha256 && written.size === content.size) return
      throw mismatch(
        this.pathOf(content.sha256),
        `was announced with ${content.size} bytes, but ${written.size} with hash ${written.sha256} were sent`,
      )
    })
    await this.#files.rename(draft, this.pathOf(content.sha256))
  }

  /** The content as a stream, which throws STORE_MISMATCH at its end when it was not what it should be. */
  async *stream(content: Digest): AsyncGenerator<Uint8Array> {
    const file = this.pathOf(content.sha256)
    try {
      const handle = await this.#files.open(file, READ)
      try {
        const hash = createHash('sha256')
        for await (const chunk of chunks(handle)) {
          hash.update(chunk)
          yield chunk
        }
        if (hash.digest('hex') !== content.sha256) throw mismatch(file, 'is not what was stored')
      } finally {
        await handle.close()
      }
    } catch (error) {
      throw fileError(error, `read ${file}`, file)
    }
  }
}

const mismatch = (file: string, how: string, cause?: unknown): DuramenError =>
  new DuramenError('STORE_MISMATCH', `${file} ${how}`, {
    cause,
    where: { file },
    hint: 'Put the image again: what is missing or damaged in the store is then written anew.',
  })
