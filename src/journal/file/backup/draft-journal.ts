// A journal that is filled beside its place, and gets it once it is whole.
//
// K7 the folder has the journal once all of it is on disk, or none: the segment that others follow comes last. What one that
// was killed has left is removed by the next, by the names of a journal's files.
// K2 nobody else has the folder's journal meanwhile: its lock.
import { rename, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { acquireLock } from '../../lock.ts'
import { removeCaches, removeFiles, removeFolder } from '../index/caches.ts'
import { createFolder, listSegments, segmentFile, syncFolder } from '../segments/segments.ts'
import { assertNoJournal } from './restore.ts'

const DRAFT = 'importing.new'
const OURS = /^(\d{16}\.log(\.new)?|next|lock(\..+)?)$/

/** Has a journal made in a folder inside `dir`, and then makes it that of `dir`. `fill` leaves it closed. */
export async function throughDraft<T>(dir: string, fill: (draft: string) => Promise<T>): Promise<T> {
  await createFolder(resolve(dir))
  const lock = await acquireLock(join(dir, 'lock'))
  const draft = join(dir, DRAFT)
  try {
    await assertNoJournal(dir)
    await clear(draft)
    const filled = await fill(draft)
    await moveSegments(draft, dir)
    return filled
  } finally {
    await clear(draft).finally(lock.release)
  }
}

async function moveSegments(from: string, dir: string): Promise<void> {
  const segments = await listSegments(from)
  await removeCaches(dir)
  try {
    for (const { file, first } of segments.toReversed()) await rename(file, segmentFile(dir, first))
    await syncFolder(dir)
  } catch (error) {
    for (const { first } of segments) await rm(segmentFile(dir, first), { force: true }).catch(() => {})
    throw error
  }
}

async function clear(draft: string): Promise<void> {
  await removeCaches(draft)
  await removeFiles(draft, (entry) => (entry.isFile() || entry.isSocket()) && OURS.test(entry.name))
  await removeFolder(draft)
}
