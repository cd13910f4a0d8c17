// A file of log lines with rotation. Each line is written at once, synchronously: whatever ends the process, what was logged
// before it is in the file. (rotating-file-stream writes later, and is destroyed by the first failure.)
// Several may write to one file, also of several processes: lines go to its end as a whole, each writer looks before each
// line whether the file is still the one that it has open, and a rotation is one rename, to a name that nobody else takes.
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  openSync,
  readdirSync,
  renameSync,
  type Stats,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { makeFoldersSync } from '../../journal/make-folders.ts'
import { textOf } from '../../ports/thrown.ts'

/** When a file is put aside, and how many of those are kept. */
export interface Rotation {
  /** Bytes. */
  readonly size: number
  readonly keep: number
}

// NONBLOCK: a named pipe that nobody reads must not stop the process
const FLAGS = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | (constants.O_NONBLOCK ?? 0)
/** `app.log.2025-12-17T10-30-00.123Z.4711`: when it was put aside, and by which process. */
const PUT_ASIDE = /^\.\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z\.\d+$/
/** No two files of this process are put aside in the same millisecond. */
let lastAside = 0

export class LogFile {
  readonly #path: string
  readonly #rotation: Rotation
  readonly #tell: (message: string) => void
  #fd: number | undefined
  #open: Stats | undefined
  /** Lines that are not in it, since it can't be written. */
  #missing = 0
  /** The last write ended in the middle of a line. */
  #torn = false
  /** Whether the last one worked: that it fails is told once. */
  #rotationWorks = true
  #pruningWorks = true
  #closed = false

  /** `tell` hears once of what fails, and once that the file, with lines missing, can be written again. */
  constructor(path: string, rotation: Rotation, tell: (message: string) => void) {
    this.#path = path
    this.#rotation = rotation
    this.#tell = tell
  }

  /** Whether it was written. Never throws. */
  write(line: string): boolean {
    if (this.#closed) return false
    try {
      const fd = this.#ready(Buffer.byteLength(line))
      const behindHalf = this.#torn && this.#open!.size > 0 // else it is another file now
      this.#put(fd, Buffer.from(behindHalf ? `\n${line}` : line))
    } catch (error) {
      this.#leave()
      if (this.#missing++ === 0)
        this.#tell(`${this.#path} can't be written, its lines go to the console until it can: ${textOf(error)}`)
      return false
    }
    const missing = this.#missing
    if (missing > 0) {
      this.#missing = 0
      this.#tell(`${this.#path} is written again; ${missing} lines are missing in it`)
    }
    return true
  }

  close(): void {
    this.#closed = true
    this.#leave()
  }

  /** The descriptor, of the file that is there now, with room for so many bytes. */
  #ready(bytes: number): number {
    const there = statSync(this.#path, { throwIfNoEntry: false })
    if (there === undefined || there.ino !== this.#open?.ino || there.dev !== this.#open.dev) this.#leave()
    if (there?.isFile() && there.size > 0 && there.size + bytes > this.#rotation.size) this.#rotate()
    return this.#fd ?? this.#enter()
  }

  #enter(): number {
    const fd = opened(this.#path)
    this.#fd = fd
    this.#open = fstatSync(fd)
    return fd
  }

  #leave(): void {
    if (this.#fd === undefined) return
    const fd = this.#fd
    this.#fd = this.#open = undefined
    try {
      closeSync(fd)
    } catch {} // what it says is of writes, and those have been answered
  }

  #put(fd: number, bytes: Buffer): void {
    let written = 0
    try {
      while (written < bytes.length) written += writeSync(fd, bytes, written)
      this.#torn = false
    } catch (error) {
      if (written > 0) this.#torn = true
      throw error
    }
  }

  /** One that fails keeps nobody from writing on. */
  #rotate(): void {
    try {
      this.#putAside()
      this.#rotationWorks = true
    } catch (error) {
      const isNew = this.#rotationWorks
      this.#rotationWorks = false // before it is told: that is a line, too
      if (isNew) this.#tell(`${this.#path} can't be rotated, and grows: ${textOf(error)}`)
      return
    }
    this.#leave()
    const failed = this.#prune()
    const isNew = this.#pruningWorks
    this.#pruningWorks = failed === undefined
    if (failed !== undefined && isNew)
      this.#tell(`more than ${this.#rotation.keep} files are kept beside ${this.#path}: ${failed}`)
  }

  #putAside(): void {
    try {
      renameSync(this.#path, this.#aside())
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error // else another process was first
    }
  }

  #aside(): string {
    for (;;) {
      lastAside = Math.max(Date.now(), lastAside + 1)
      const name = `${this.#path}.${new Date(lastAside).toISOString().replaceAll(':', '-')}.${process.pid}`
      if (!existsSync(name)) return name
    }
  }

  /** Why some are still there, where they are: one that can't be removed keeps no other. */
  #prune(): string | undefined {
    const folder = dirname(this.#path)
    const base = basename(this.#path)
    let failed: string | undefined
    try {
      const names = readdirSync(folder).filter(
        (name) => name.startsWith(base) && PUT_ASIDE.test(name.slice(base.length)),
      )
      for (const name of names.toSorted().slice(0, Math.max(names.length - this.#rotation.keep, 0)))
        try {
          unlinkSync(join(folder, name))
        } catch (error) {
          if (codeOf(error) !== 'ENOENT') failed ??= textOf(error) // else another process was first
        }
    } catch (error) {
      failed = textOf(error)
    }
    return failed
  }
}

function opened(path: string): number {
  const open = () => openSync(path, FLAGS, 0o600)
  try {
    return open()
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
    makeFoldersSync(dirname(path))
    return open()
  }
}

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code
