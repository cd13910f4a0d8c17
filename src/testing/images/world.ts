// What a contract suite needs of an adapter under test.
import { createHash } from 'node:crypto'
import { right, type TaskEither } from 'fp-ts/lib/TaskEither.js'
import type { DuramenError } from '../../ports/errors.ts'
import type { ImageFolders, ImageStore, StoreUnit } from '../../ports/image.ts'

/** A folder that images lie in. */
export type FolderName = 'source' | 'images_sources' | 'images_old' | 'quarantined'

/** Empty folders for one test, not opened yet; files count as complete at once. */
export interface FoldersWorld {
  readonly folders: ImageFolders
  /** Another object on the same folders, as another process would have it. */
  another(): ImageFolders
  /** Puts a file there, as a user would. */
  drop(folder: FolderName, name: string, content: string | Uint8Array): Promise<void>
  /** Names of the files there, sorted. */
  names(folder: FolderName): Promise<string[]>
  content(folder: FolderName, name: string): Promise<string>
  /** Releases everything; called after each test. */
  dispose(): Promise<void>
}

/** An empty store for one test. */
export interface StoreWorld {
  readonly store: ImageStore
  /** Another object on the same store, as another process would have it. */
  another(): ImageStore
  /** Changes the stored bytes of an output behind the store's back, so that they are no longer what was sent. */
  damage(sha256: string): Promise<void>
  dispose(): Promise<void>
}

/** Lower-case hex SHA-256. */
export const sha256 = (content: string | Uint8Array): string => createHash('sha256').update(content).digest('hex')

/** A unit with these contents as outputs, codes `c0`, null, `c2` …; `read` gives them in small chunks. */
export function unitOf(name: string, contents: readonly string[], sent: readonly string[] = contents): StoreUnit {
  return {
    key: sha256(name),
    name,
    info: { format: 'png', width: 3 },
    outputs: contents.map((content, i) => ({
      code: i % 2 === 0 ? `c${i}` : null,
      size: Buffer.byteLength(content),
      sha256: sha256(content),
      read: (): TaskEither<DuramenError, AsyncIterable<Uint8Array>> => right(slowly(sent[i] ?? '')),
    })),
  }
}

async function* slowly(content: string): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(content)
  for (let at = 0; at < bytes.length; at += 7) yield bytes.subarray(at, at + 7)
}
