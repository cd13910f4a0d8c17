// What is made anew from a journal's segments, and so may be removed: the index, the snapshots, and how far it is committed.
//
// K7 only files under the names that this journal gives them, and a folder only once it is empty: whatever else somebody
// keeps in the folder stays.
import type { Dirent } from 'node:fs'
import { readdir, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { DuramenError } from '../../../ports/errors.ts'
import { readCommitted } from '../commit/committed.ts'
import { isOfIndex, SNAPSHOT_PLACES } from './runs.ts'

const INDEX = 'index'
const SNAPSHOTS = 'snapshots'
const COMMITTED = 'committed'

/** Removes what is made from the segments of a folder, and may be of others that were there. */
export async function removeCaches(folder: string): Promise<void> {
  await removeFiles(join(folder, INDEX), isOfIndex)
  await removeFolder(join(folder, INDEX))
  const names = new Set([SNAPSHOTS, `${SNAPSHOTS}.new`, COMMITTED])
  await removeFiles(folder, (entry) => entry.isFile() && names.has(entry.name))
}

/** Removes the files of a folder that are `ours`, where there is such a folder. */
export async function removeFiles(folder: string, ours: (entry: Dirent) => boolean): Promise<void> {
  for (const entry of await entriesOf(folder)) if (ours(entry)) await rm(join(folder, entry.name), { force: true })
}

/** Removes a folder in which nothing is left. */
export async function removeFolder(folder: string): Promise<void> {
  const stays = ['ENOTEMPTY', 'EEXIST', 'ENOENT', 'ENOTDIR']
  await rmdir(folder).catch((error) => {
    if (!stays.includes(error.code)) throw error
  })
}

/** Rejects with NOT_EMPTY for a folder in which somebody keeps something of his own under the name of a cache. */
export async function assertNoOthers(folder: string): Promise<void> {
  const index = await entriesOf(join(folder, INDEX))
  const hasPlaces = index.some((entry) => isOfIndex(entry) && entry.name === SNAPSHOT_PLACES)
  for (const entry of await entriesOf(folder)) {
    const { name } = entry
    const isOurs =
      name === INDEX
        ? entry.isDirectory() && index.every(isOfIndex)
        : name === SNAPSHOTS
          ? entry.isFile() && hasPlaces
          : name !== COMMITTED || (entry.isFile() && (await readCommitted(folder)) !== undefined)
    if (!isOurs) throw notOurs(join(folder, name))
  }
}

/** None where there is no such folder. */
const entriesOf = (folder: string): Promise<Dirent[]> =>
  readdir(folder, { withFileTypes: true }).catch((error) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return []
    throw error
  })

const notOurs = (file: string) =>
  new DuramenError('NOT_EMPTY', `${file} is no part of a journal, and has the name of one`, {
    where: { file },
    hint: 'Give a new folder, or move it away first. Nothing of it was changed.',
  })
