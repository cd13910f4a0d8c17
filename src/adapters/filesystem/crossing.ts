// A move to a folder on another device (a bind mount, a USB stick): copy, verify, sync, then give up the old name, then
// take the new one.
//
// I1, I7 at each step the file is whole in one place: under its old name until the verified copy is durable, then under
// a hidden name in the new folder until the rename. A step that a crash cut off is finished by the repeated call, or by
// `sweep` when the folders are opened. What remains: a program that replaces the file between the last look
// and the unlink loses its new version, which no system call of Node can prevent.
import { randomUUID } from 'node:crypto'
import { DuramenError } from '../../ports/errors.ts'
import type { Folder } from './dir.ts'
import { errnoOf } from './errors.ts'
import { chunks, digest, digestOf, type Files, READ, withFile, writeNew } from './files.ts'
import { changed, identityOf, kindOf, notAFile, openRegular } from './inspect.ts'

const ARRIVED = '.moved-'
const DRAFT = /^\.duramen-.*\.tmp$/

/** A name for what is not finished yet; `sweep` of the folder removes it after a crash. */
export const draftName = (): string => `.duramen-${randomUUID()}.tmp`

export const isDraft = (name: string): boolean => DRAFT.test(name)

/** Moves the file to `target`, which the caller has reserved. */
export async function crossTo(
  files: Files,
  from: Folder,
  name: string,
  to: Folder,
  target: string,
  signal?: AbortSignal,
): Promise<void> {
  const stat = await files.lstat(from.at(name))
  const arrived = to.at(arrivedName(name))
  const draft = to.at(draftName())
  let identity = identityOf(stat)
  if (stat.isSymbolicLink()) await files.symlink(await files.readlink(from.at(name)), draft)
  else if (stat.isFile()) identity = await copy(files, from, name, draft, signal)
  else throw notAFile(from.shown(name), `${kindOf(stat)}, which cannot be moved to another device`)
  await files.rename(draft, arrived)
  await to.sync()
  try {
    if (identityOf(await files.lstat(from.at(name))) !== identity) throw changed(from.shown(name))
    await files.unlink(from.at(name))
  } catch (error) {
    await files.unlink(arrived)
    throw error
  }
  await from.sync()
  await files.rename(arrived, to.at(target))
}

/** Gives the file that came as far as the new folder its name. False when there is none. */
export async function finishCrossing(files: Files, name: string, to: Folder, target: string): Promise<boolean> {
  try {
    await files.rename(to.at(arrivedName(name)), to.at(target))
    return true
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false
    throw error
  }
}

/** The name a hidden file in a folder has arrived under, if it is one. */
export const arrivedAs = (hidden: string): string | undefined =>
  hidden.startsWith(ARRIVED) ? hidden.slice(ARRIVED.length) : undefined

/** Whether the file that arrived is still under its old name too: then the copy goes, and the move is made again. */
export async function dropArrivedTwice(files: Files, from: Folder, name: string, to: Folder): Promise<boolean> {
  const hash = (path: string, shown: string) => withFile(openRegular(files, path, shown), (handle) => digestOf(handle))
  try {
    const there = await hash(from.at(name), from.shown(name))
    const here = await hash(to.at(arrivedName(name)), to.shown(arrivedName(name)))
    if (there.sha256 !== here.sha256) return false
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || (error instanceof DuramenError && error.code === 'NOT_A_FILE')) return false
    throw error
  }
  await files.unlink(to.at(arrivedName(name)))
  return true
}

/** Copies, reads back and syncs; the answer is the identity of what was copied. */
async function copy(files: Files, from: Folder, name: string, draft: string, signal?: AbortSignal): Promise<string> {
  return withFile(openRegular(files, from.at(name), from.shown(name)), async (source) => {
    const before = await source.stat()
    await writeNew(files, draft, async (target) => {
      const sent = await digest(chunks(source, signal), (chunk) => target.writeFile(chunk))
      await target.utimes(before.atime, before.mtime)
      const stored = await withFile(files.open(draft, READ), (copied) => digestOf(copied, signal))
      if (stored.sha256 === sent.sha256) return
      throw new DuramenError('IO', `The copy of ${from.shown(name)} differs from it`, {
        where: { file: from.shown(name) },
        retryable: true,
        hint: 'Look at the disk and its cables; the file is still in its place.',
      })
    })
    return identityOf(before)
  })
}

/** Cut where it would be too long for a file name; such a file is then found under the shorter name after a crash. */
const arrivedName = (name: string): string => {
  const letters = [...name]
  while (Buffer.byteLength(ARRIVED + letters.join('')) > 255) letters.pop()
  return ARRIVED + letters.join('')
}
