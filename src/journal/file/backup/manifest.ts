// What a backup folder says of itself, in the file `backup.json`.
//
// K7 it is what a backup becomes valid by: written once all its new segments are on disk beside the old ones, each under its
// name and `.new-` with the number of the backup. Then they take the places of the old ones. Where that was cut short, they
// are still there, and count.
import { readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { DuramenError } from '../../../ports/errors.ts'
import { contentOf, writeSynced } from '../../files.ts'
import { removeCaches } from '../index/caches.ts'
import { listSegments, segmentFile, syncFolder } from '../segments/segments.ts'

const NAME = 'backup.json'
const VERSION = 1

/** A segment as it was when it was copied. */
export interface CopiedSegment {
  readonly first: number
  /** The size of the file here. */
  readonly bytes: number
  /** Where the copied part ended in the file that it was copied from; more than `bytes` where it ends with a hole. */
  readonly end: number
  /** Inode and time of that file, which change when it is rewritten. */
  readonly inode: string
  readonly modified: string
}

export interface Manifest {
  readonly duramen: 'backup'
  readonly version: number
  /** 1 for the first backup into the folder, 2 for the next … */
  readonly number: number
  /** Of the journal; absent for an empty one. */
  readonly salt?: number
  /** The last position. */
  readonly position: number
  readonly segments: readonly CopiedSegment[]
  /** The last frame: where it begins in the last segment, and its checksum. */
  readonly last: { readonly offset: number; readonly sum: number }
}

export const manifestOf = (content: Omit<Manifest, 'duramen' | 'version'>): Manifest => ({
  duramen: 'backup',
  version: VERSION,
  ...content,
})

const manifestFile = (folder: string) => join(folder, NAME)

/** Undefined for a folder that has none. Rejects with JOURNAL_DAMAGED, or with what the file system says. */
export async function readManifest(folder: string): Promise<Manifest | undefined> {
  const file = manifestFile(folder)
  const text = await contentOf(file)
  if (text === undefined) return undefined
  const manifest = parsed(text)
  if (manifest?.duramen === 'backup' && manifest.version === VERSION) return manifest
  const newer = manifest?.duramen === 'backup' && manifest.version > VERSION
  throw new DuramenError('JOURNAL_DAMAGED', `${file} is ${newer ? 'of a newer duramen' : 'not as it was written'}`, {
    where: { file },
    hint: newer ? 'Upgrade duramen.' : 'Take another backup; without that file, the folder is a journal as any other.',
  })
}

function parsed(text: string): Manifest | undefined {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Replaces the manifest, durably. */
export async function writeManifest(folder: string, manifest: Manifest): Promise<void> {
  const draft = `${manifestFile(folder)}.new`
  await writeSynced(draft, `${JSON.stringify(manifest)}\n`)
  await rename(draft, manifestFile(folder))
  await syncFolder(folder)
}

/** Where a new segment of a backup is until it is in its place. */
export const draftFile = (folder: string, first: number, number: number) =>
  `${segmentFile(folder, first)}.new-${number}`

/** The files of a backup's segments, wherever they are, with their sizes; undefined for one that is missing. */
export async function filesOf(folder: string, { number, segments }: Manifest) {
  const sizeOf = (file: string) =>
    stat(file).then(
      ({ size }) => ({ file, size }),
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return undefined
        throw error
      },
    )
  const found = new Map<number, { readonly file: string; readonly size: number }>()
  for (const { first } of segments) {
    const file = (await sizeOf(draftFile(folder, first, number))) ?? (await sizeOf(segmentFile(folder, first)))
    if (file !== undefined) found.set(first, file)
  }
  return found
}

/** Whether somebody has opened a backup as a journal and written to it since: it has more, or longer, files than it says. */
export async function isWrittenTo(folder: string, manifest: Manifest): Promise<boolean> {
  const files = await filesOf(folder, manifest)
  const there = await listSegments(folder)
  const isMore = there.some(({ first }) => !manifest.segments.some((one) => one.first === first))
  return isMore || manifest.segments.some(({ first, bytes }) => (files.get(first)?.size ?? 0) > bytes)
}

/** Gives new segments their places, the last ones first: a journal whose beginning fits what follows, or one with a gap. */
export async function putInPlace(
  folder: string,
  { number, segments }: { readonly number: number; readonly segments: readonly { readonly first: number }[] },
): Promise<void> {
  await removeCaches(folder)
  await syncFolder(folder)
  for (const { first } of segments.toReversed()) {
    await rename(draftFile(folder, first, number), segmentFile(folder, first)).catch((error) => {
      if (error.code !== 'ENOENT') throw error
    })
  }
  await removeDrafts(folder)
  await syncFolder(folder)
}

/** Removes what was on its way into a folder and does not count. */
export async function removeDrafts(folder: string): Promise<void> {
  for (const name of await readdir(folder)) if (DRAFT.test(name)) await rm(join(folder, name))
}

const DRAFT = /^\d{16}\.log\.new-\d+$/
