// A journal made again from a backup, or from any folder with a journal; on request, as it was at a position.
//
// K7 Every frame is checked on the way. The folder has a journal once all of it is on disk, or none; the segment that others
// follow gets its name after them, so that what a crash leaves is no journal, or one that is refused.
// K12 0700, 0600.
import { rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { DuramenError } from '../../../ports/errors.ts'
import { assertPath, badOption } from '../../../ports/given.ts'
import { asDuramen } from '../../fs-error.ts'
import { acquireLock } from '../../lock.ts'
import { assertNoOthers } from '../index/caches.ts'
import { damaged } from '../segments/damaged.ts'
import { createFolder, listSegments, segmentFile } from '../segments/segments.ts'
import { type CopyOptions, progressOf } from './backup.ts'
import { acknowledgedEnd, identityOf, type PlannedSegment, planOf } from './backup-plan.ts'
import { checkSegment, copyParts } from './copy-segment.ts'
import { draftFile, filesOf, isWrittenTo, type Manifest, putInPlace, readManifest, removeDrafts } from './manifest.ts'
import { assertOutside } from './outside.ts'
import { cutAt } from './restore-until.ts'

/** What of a backup is wanted. */
export interface RestoreOptions extends CopyOptions {
  /**
   * The last position that is wanted; an append that goes beyond it is left out as a whole. Default: all that the backup holds.
   */
  readonly until?: number
}

/** What was restored. */
export interface Restored {
  /** The last position of the new journal. */
  readonly position: number
  /** How many bytes were copied. */
  readonly bytes: number
}

/** A segment that is to be restored: a file and what it must hold. */
export interface SourceSegment {
  readonly file: string
  /** How many bytes of it are copied. */
  readonly bytes: number
  readonly first: number
  /** Its last position. */
  readonly last: number
  /** Where its last frame ends; undefined: where the file does. */
  readonly end: number | undefined
  /** What changes when another file takes its place, or it is written to; undefined for the time of one that grows. */
  readonly inode: string
  readonly modified: string | undefined
}

/** A segment was rewritten while it was copied, by a reclaim or by another backup. */
class Rewritten extends Error {}

export interface Origin {
  readonly salt: number
  readonly segments: readonly SourceSegment[]
}

/**
 * Makes the journal of a backup again in `dir`, which must not have one. `from` may be any folder with a journal.
 *
 * Rejects with NOT_EMPTY (`dir` has a journal, or other files under the name of a journal's), JOURNAL_DAMAGED (the backup is;
 * `where` names file and offset), BAD_OPTION, LOCKED, FOLDER_MISSING, NO_SPACE, NO_PERMISSION, READ_ONLY, IO. Whatever it rejects with, `dir` has no journal.
 */
export async function restoreJournal(from: string, dir: string, options?: RestoreOptions): Promise<Restored> {
  assertPath('restoreJournal: from', from)
  assertPath('restoreJournal: dir', dir)
  const onProgress = progressOf('restoreJournal', options, ['until'])
  const { until } = options ?? {}
  if (until !== undefined && (!Number.isSafeInteger(until) || until < 1)) {
    throw badOption('until', until, 'is no position', 'Give the position of the last record that is wanted.')
  }
  try {
    for (;;) {
      const restored = await restoreOnce(from, dir, until, onProgress).catch((error) => {
        if (!(error instanceof Rewritten)) throw error
      })
      if (restored !== undefined) return restored
    }
  } catch (error) {
    throw asDuramen(error, `restore ${from} to ${dir}`, { file: (error as NodeJS.ErrnoException).path ?? dir })
  }
}

async function restoreOnce(
  from: string,
  dir: string,
  until: number | undefined,
  onProgress: NonNullable<CopyOptions['onProgress']>,
): Promise<Restored> {
  const origin = await originIn(from)
  const wanted = until === undefined ? origin : await cutAt(origin, until)
  await assertOutside('restoreJournal', dir, from)
  await createFolder(resolve(dir))
  const lock = await acquireLock(join(dir, 'lock'))
  try {
    await assertNoJournal(dir)
    await removeDrafts(dir)
    return await copyAll(wanted, dir, onProgress)
  } finally {
    await lock.release()
  }
}

/** Rejects with NOT_EMPTY for a folder that has a journal or a backup, or other files under the name of a journal's. */
export async function assertNoJournal(dir: string): Promise<void> {
  const segments = await listSegments(dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  if (segments.length > 0 || (await readManifest(dir)) !== undefined) throw notEmpty(dir)
  await assertNoOthers(dir)
}

/** What a folder holds: what its manifest says, unless it has none or was written to since; else what is committed. */
async function originIn(from: string): Promise<Origin> {
  const manifest = await readManifest(from)
  if (manifest !== undefined && !(await isWrittenTo(from, manifest))) return backedUp(from, manifest)
  const { salt, segments } = await planOf(from, () => acknowledgedEnd(from))
  if (salt === undefined) throw badOption('restoreJournal', from, 'holds no journal', 'Give the folder of a backup.')
  return { salt, segments: segments.map(ofJournal) }
}

const ofJournal = (one: PlannedSegment): SourceSegment => ({
  ...one,
  bytes: one.end ?? one.size,
  modified: one.end === undefined ? one.modified : undefined,
})

async function backedUp(from: string, manifest: Manifest): Promise<Origin> {
  const { salt = 0, position, segments } = manifest
  const files = await filesOf(from, manifest)
  const found = segments.map(async ({ first, bytes, end }, number): Promise<SourceSegment> => {
    const here = files.get(first)
    const next = segments[number + 1]
    const last = next === undefined ? position : next.first - 1
    if (here === undefined || here.size < bytes) {
      const file = here?.file ?? join(from, `the segment from position ${first}`)
      throw damaged(file, here?.size ?? 0, 'it is not whole')
    }
    const { inode, modified } = await identityOf(here.file)
    return { file: here.file, bytes, first, last, end, inode, modified }
  })
  return { salt, segments: await Promise.all(found) }
}

async function copyAll(
  { salt, segments }: Origin,
  dir: string,
  onProgress: (done: number, total: number) => void,
): Promise<Restored> {
  const total = segments.reduce((sum, { bytes }) => sum + bytes, 0)
  let done = 0
  try {
    for (const segment of segments) {
      const { file, bytes, first, last, end } = segment
      const draft = draftFile(dir, first, 0)
      const wrote = (more: number) => onProgress((done += more), total)
      try {
        await copyParts([{ file, start: 0, end: bytes, wrote }], draft)
        await checkSegment(draft, { of: file, salt, first, last, end })
      } catch (error) {
        throw (await isAsItWas(segment)) ? error : new Rewritten()
      }
      if (!(await isAsItWas(segment))) throw new Rewritten()
    }
    await putInPlace(dir, { number: 0, segments })
  } catch (error) {
    await removeDrafts(dir).catch(() => {})
    // the folder had no segment before
    for (const { first } of segments) await rm(segmentFile(dir, first), { force: true }).catch(() => {})
    throw error
  }
  return { position: segments.at(-1)?.last ?? 0, bytes: done }
}

async function isAsItWas({ file, inode, modified }: SourceSegment): Promise<boolean> {
  const now = await identityOf(file).catch(() => undefined)
  return now?.inode === inode && (modified === undefined || now.modified === modified)
}

const notEmpty = (dir: string) =>
  new DuramenError('NOT_EMPTY', `${dir} has a journal already`, {
    where: { file: dir },
    hint: 'Give a new folder, or move that journal away first.',
  })
