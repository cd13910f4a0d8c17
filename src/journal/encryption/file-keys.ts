// Keys in files, one per stream, so that a single stream can be erased by forgetting its key (K12).
//
// file    SHA-256 of the stream's name, in hex, and '.key': 32 random bytes; or FORGOTTEN, once it was forgotten
//
// K7 a key is on disk, its name in the folder as well, before anything is encrypted with it.
// K12 folder 0700, files 0600. A key is overwritten where it stands, by a mark of the same size within one sector: it is
// gone and known as forgotten at the same moment, and no new one is made for its stream.
// K9 so many keys are remembered; others are read again.
import { createHash, randomBytes } from 'node:crypto'
import * as fs from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { DuramenError } from '../../ports/errors.ts'
import { assertPath, shown } from '../../ports/given.ts'
import { asDuramen } from '../fs-error.ts'
import { makeFoldersSync } from '../make-folders.ts'
import { type Key, type Keys, SECRET_BYTES } from './aes-gcm.ts'

/** So many keys are remembered. */
const REMEMBERED = 4096
const FORGOTTEN = Buffer.from('duramen: this key was forgotten\n')
/** Each stream has one. */
const ONLY = 1

/** Keys in a folder, for `aesGcm({ keys })`. */
export interface FileKeys extends Keys {
  /**
   * Forgets the key of a stream (`machine/instance`) for good: on return it is overwritten on disk. What it has encrypted is
   * erased, and appends to the stream are refused with ERASED. Forgetting twice is no error, nor is forgetting a stream
   * that has no key. Throws what the file system says; then call it again.
   */
  forget(stream: string): void
}

/**
 * Keys in files, one for each stream, made when a stream is first written to (two syncs of the disk, during which the
 * process waits). For one journal, and the one process that writes it; others see a key that was forgotten once they are
 * started again. Keep the folder apart from the journal and from its backups: whoever has both can read it, and whoever
 * loses it has lost the journal. Throws BAD_OPTION, and what the file system says.
 */
export function fileKeys(folder: string): FileKeys {
  assertPath('fileKeys', folder)
  const path = resolve(folder)
  attempt(path, () => createFolder(path))
  /** Undefined: forgotten. */
  const known = new Map<string, Key | undefined>()

  const remember = (stream: string, key: Key | undefined) => {
    known.delete(stream)
    known.set(stream, key)
    if (known.size > REMEMBERED) known.delete(known.keys().next().value!)
    return key
  }
  const find = (stream: string, id?: number): Key | undefined => {
    const file = fileOf(path, stream)
    return attempt(file, () => {
      const secret = read(file)
      if (secret === undefined && id !== undefined) throw lost(stream, file)
      if (secret?.equals(FORGOTTEN)) return remember(stream, undefined)
      return remember(stream, { id: ONLY, secret: secret ?? create(path, file, randomBytes(SECRET_BYTES)) })
    })
  }
  const keys = (stream: string, id?: number) => {
    if (id !== undefined && id !== ONLY) throw lost(stream, fileOf(path, stream))
    return known.has(stream) ? known.get(stream) : find(stream, id)
  }
  const forget = (stream: string) => {
    if (typeof stream !== 'string' || stream === '') {
      throw new DuramenError('BAD_ID', `A stream can't be named ${shown(stream)}`, {
        hint: "Give the name of a stream: 'machine/instance'.",
      })
    }
    const file = fileOf(path, stream)
    attempt(file, () => (fs.existsSync(file) ? overwrite(file) : create(path, file, FORGOTTEN)))
    known.get(stream)?.secret.fill(0)
    remember(stream, undefined)
  }
  return Object.assign(keys, { forget })
}

const fileOf = (folder: string, stream: string) =>
  join(folder, `${createHash('sha256').update(stream).digest('hex')}.key`)

function read(file: string): Buffer | undefined {
  let bytes: Buffer
  try {
    bytes = fs.readFileSync(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  if (bytes.length === SECRET_BYTES) return bytes
  throw new DuramenError('CODEC_FAILED', `${file} has ${bytes.length} bytes instead of ${SECRET_BYTES}`, {
    where: { file },
    hint: 'Restore the key from a copy; without it the records of its stream are lost.',
  })
}

/** Under another name first: a crash leaves no half of a key. */
function create(folder: string, file: string, bytes: Buffer): Buffer {
  fs.writeFileSync(`${file}.new`, bytes, { mode: 0o600, flush: true })
  fs.renameSync(`${file}.new`, file)
  syncFolder(folder)
  return bytes
}

function overwrite(file: string): void {
  const fd = fs.openSync(file, 'r+')
  try {
    fs.writeSync(fd, FORGOTTEN, 0, FORGOTTEN.length, 0)
    fs.fsyncSync(fd)
  } finally {
    fs.closeSync(fd)
  }
}

function createFolder(folder: string): void {
  for (const made of makeFoldersSync(folder)) syncFolder(dirname(made))
}

/** Windows does that by itself and has no call for it. */
function syncFolder(folder: string): void {
  if (process.platform === 'win32') return
  const fd = fs.openSync(folder, 'r')
  try {
    fs.fsyncSync(fd)
  } finally {
    fs.closeSync(fd)
  }
}

function attempt<T>(file: string, run: () => T): T {
  try {
    return run()
  } catch (error) {
    throw asDuramen(error, `see to the key in ${file}`, { file })
  }
}

/** An accident is no erasure: what was not forgotten must be there. */
function lost(stream: string, file: string): DuramenError {
  return new DuramenError('WRONG_KEY', `There is no key for what was written of ${stream}`, {
    where: { stream, file },
    hint: 'Give the folder of keys that the journal was written with. If its records are to be erased, call forget(stream).',
  })
}
