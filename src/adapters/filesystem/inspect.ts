// What a file is: its kind, size and hash, found out without following a link or waiting for a FIFO.
//
// I6 what cannot be read, or can't be an image whatever is in it, is told with a reason, for quarantine.
// I7 the file's own fsync: what was hashed is on disk.
import type { Stats } from 'node:fs'
import { DuramenError } from '../../ports/errors.ts'
import type { Folder } from './dir.ts'
import { errnoOf } from './errors.ts'
import { digestOf, type Files, type Handle, READ, withFile } from './files.ts'

export interface Inspected {
  readonly size: number
  /** Empty where there is no content that could be read. */
  readonly sha256: string
  readonly refused?: string
  /** Changes when the file or its content is replaced. */
  readonly identity: string
}

/** Looks at a file and syncs it. Rejects with the errno of a file that is gone, or FILE_CHANGED. */
export async function inspectFile(
  files: Files,
  folder: Folder,
  name: string,
  signal?: AbortSignal,
): Promise<Inspected> {
  const path = folder.at(name)
  const stat = await files.lstat(path)
  if (!stat.isFile()) return refuse(stat, kindOf(stat))
  const handle = await files.open(path, READ).catch((error) => reasonNotToOpen(error))
  if (typeof handle === 'string') return refuse(stat, handle)
  return withFile(Promise.resolve(handle), async () => {
    const before = await handle.stat()
    if (!before.isFile()) return refuse(before, kindOf(before))
    await handle.sync()
    const read = await digestOf(handle, signal).catch((error) => {
      if (errnoOf(error) === 'EIO') return 'it cannot be read from the disk (EIO)'
      throw error
    })
    if (typeof read === 'string') return refuse(before, read)
    const after = await handle.stat()
    if (identityOf(after) !== identityOf(before)) throw changed(folder.shown(name))
    return { ...read, identity: identityOf(after), ...(read.size === 0 ? { refused: 'empty file' } : {}) }
  })
}

/** Opens a regular file for reading; the caller closes it. NOT_A_FILE for anything else. */
export async function openRegular(files: Files, path: string, shown: string): Promise<Handle> {
  const stat = await files.lstat(path)
  if (!stat.isFile()) throw notAFile(shown, kindOf(stat))
  const handle = await files.open(path, READ)
  const opened = await handle.stat()
  if (opened.isFile()) return handle
  await handle.close()
  throw notAFile(shown, kindOf(opened))
}

export const identityOf = (stat: Stats): string => [stat.dev, stat.ino, stat.size, stat.mtimeMs, stat.ctimeMs].join(':')

export const changed = (file: string): DuramenError =>
  new DuramenError('FILE_CHANGED', `${file} changed while it was being used`, {
    where: { file },
    retryable: true,
    hint: 'Let programs write elsewhere and move the finished file into source/, or write a .done file beside it.',
  })

export const notAFile = (file: string, kind: string): DuramenError =>
  new DuramenError('NOT_A_FILE', `${file} is ${kind}`, { where: { file }, hint: 'Remove it, or put a file there.' })

function refuse(stat: Stats, refused: string): Inspected {
  return { size: stat.size, sha256: '', refused, identity: identityOf(stat) }
}

export function kindOf(stat: Stats): string {
  if (stat.isSymbolicLink()) return 'a symbolic link'
  if (stat.isDirectory()) return 'a folder'
  if (stat.isFIFO()) return 'a FIFO'
  if (stat.isSocket()) return 'a socket'
  return 'a device'
}

function reasonNotToOpen(error: unknown): string {
  switch (errnoOf(error)) {
    case 'ELOOP':
      return 'a symbolic link'
    case 'ENXIO':
      return 'a socket'
    case 'EACCES':
    case 'EPERM':
      return `no permission to read it (${errnoOf(error)})`
    case 'EIO':
      return 'it cannot be read from the disk (EIO)'
    default:
      throw error
  }
}
