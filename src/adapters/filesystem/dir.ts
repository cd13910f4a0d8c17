// One folder, used through a handle of its own, so that nobody can put a link in its place and have files read from or
// moved to somewhere else. Node has no openat; on Linux `/proc/self/fd/<handle>/<name>` is the same. Elsewhere the
// plain path is used after a look at the folder, which leaves a moment for the swap.
//
// I7 a missing folder is an error with its name; a folder that was made again is used again by itself.
import { existsSync, type Stats } from 'node:fs'
import { join } from 'node:path'
import { DuramenError } from '../../ports/errors.ts'
import { errnoOf } from './errors.ts'
import { type Files, FOLDER, type Handle, syncFolder } from './files.ts'

const hasProc = process.platform === 'linux' && existsSync('/proc/self/fd')

/** A path that stays this very file while the handle is open, for other processes and threads as well. */
export function pathOfHandle(handle: Handle, path: string): string {
  if (hasProc) return `/proc/${process.pid}/fd/${handle.fd}`
  return process.platform === 'darwin' ? `/dev/fd/${handle.fd}` : path
}

/** A folder while it is in use. */
export interface Folder {
  /** The path of its entry `name`, for file operations. */
  at(name: string): string
  /** The path of its entry `name`, for people. */
  shown(name: string): string
  /** The folder itself, for listing. */
  readonly itself: string
  /** Makes what was created, renamed and removed in it durable. */
  sync(): Promise<void>
}

interface Opened extends Folder {
  readonly handle: Handle
  readonly stat: Stats
  users: number
}

export class Dir {
  readonly path: string
  readonly #files: Files
  #opened: Opened | undefined

  constructor(path: string, files: Files) {
    this.path = path
    this.#files = files
  }

  /** Runs `work` in the folder. Rejects with FOLDER_MISSING when it is not there, or is no folder (any more). */
  async use<A>(work: (folder: Folder) => Promise<A>): Promise<A> {
    const opened = await this.#enter()
    try {
      return await work(opened)
    } catch (error) {
      // In a folder that was deleted under our hands every file is missing.
      if (errnoOf(error) === 'ENOENT') await this.#look()
      throw error
    } finally {
      opened.users--
      if (opened !== this.#opened) await closeUnused(opened)
    }
  }

  async close(): Promise<void> {
    const opened = this.#opened
    this.#opened = undefined
    await closeUnused(opened)
  }

  /** Counts the user in before anyone else can run: the number of a closed handle may be given to another folder. */
  async #enter(): Promise<Opened> {
    const now = await this.#look()
    if (this.#opened === undefined || !sameFile(this.#opened.stat, now)) {
      const fresh = await this.#open()
      const old = this.#opened
      this.#opened = fresh
      fresh.users++
      await closeUnused(old)
      return fresh
    }
    this.#opened.users++
    return this.#opened
  }

  async #look(): Promise<Stats> {
    const stat = await this.#files.lstat(this.path).catch((error) => {
      throw errnoOf(error) === 'ENOENT' ? this.#missing('is missing', error) : error
    })
    if (!stat.isDirectory()) throw this.#missing('is no folder (a link is not followed)')
    return stat
  }

  async #open(): Promise<Opened> {
    const handle = await this.#files.open(this.path, FOLDER).catch((error) => {
      throw ['ENOENT', 'ENOTDIR', 'ELOOP'].includes(errnoOf(error) ?? '') ? this.#missing('is missing', error) : error
    })
    const itself = hasProc ? `/proc/self/fd/${handle.fd}` : this.path
    return {
      handle,
      stat: await handle.stat(),
      users: 0,
      itself,
      at: (name) => `${itself}/${entry(name)}`,
      shown: (name) => join(this.path, name),
      sync: () => syncFolder(handle),
    }
  }

  #missing(how: string, cause?: unknown): DuramenError {
    return new DuramenError('FOLDER_MISSING', `The folder ${this.path} ${how}`, {
      cause,
      where: { file: this.path },
      retryable: true,
      hint: 'Make it again, or mount the file system it is on; work then goes on by itself.',
    })
  }
}

const sameFile = (a: Stats, b: Stats): boolean => a.ino === b.ino && a.dev === b.dev

async function closeUnused(opened: Opened | undefined): Promise<void> {
  if (opened?.users === 0) await opened.handle.close()
}

/** Names come from outside: one that could lead out of the folder is no name. */
function entry(name: string): string {
  if (name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name)) return name
  throw new DuramenError('BAD_INPUT', `${JSON.stringify(name)} is no file name`, {
    where: { file: name },
    hint: 'Give the name of a file in the folder, without a path.',
  })
}
