// An archive of segments: a folder with each one as it was before it first lost something.
//
// K7 a copy is durable before the segment loses anything, and is never replaced. One that is there already counts only where
// every frame that the segment still has stands in it, at the same place, byte for byte: a journal that was restored from a
// backup has the salt and the names of the one that has written the archive, and from some record on another history.
import { type FileHandle, open, rename } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { DuramenError } from '../../../ports/errors.ts'
import { damaged } from './damaged.ts'
import { decodeHeader, HEADER_BYTES } from './format.ts'
import { copySegment, NEW, segmentSize } from './holes.ts'
import { createFolder, listSegments, readFrom, type Segment, syncFolder } from './segments.ts'
import { walkIn } from './walk.ts'

/** Makes the folder where it is not there. Rejects with BACKUP_MISMATCH where it has segments that the journal has not. */
export async function openArchive(folder: string, segments: readonly Segment[]): Promise<void> {
  await createFolder(folder)
  const known = new Set(segments.map(({ first }) => first))
  const other = (await listSegments(folder)).find(({ first }) => !known.has(first))
  if (other !== undefined) throw mismatch(other.file)
}

/**
 * A copy of a segment as it is, unless the archive has one; `check` is called for each frame. Resolves with whether it was
 * made. Rejects with BACKUP_MISMATCH where what is there is no copy of it, and with JOURNAL_DAMAGED.
 */
export async function archiveSegment(
  segment: Segment,
  salt: number,
  folder: string,
  check: () => void,
): Promise<boolean> {
  const file = join(folder, basename(segment.file))
  if (await isKept(file, segment, salt, check)) return false
  await copySegment(segment, salt, [], `${file}${NEW}`, check)
  await rename(`${file}${NEW}`, file)
  await syncFolder(folder)
  return true
}

async function isKept(kept: string, segment: Segment, salt: number, check: () => void): Promise<boolean> {
  const copy = await open(kept, 'r').catch((error) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (copy === undefined) return false
  try {
    const header = decodeHeader(await readFrom(copy, 0, HEADER_BYTES))
    const same = typeof header === 'object' && header.salt === salt && header.first === segment.first
    if (!same || (await segmentSize(kept)) !== segment.size) throw mismatch(kept)
    const original = await open(segment.file, 'r')
    try {
      await assertHolds(kept, copy, original, segment, salt, check)
      return true
    } finally {
      await original.close()
    }
  } finally {
    await copy.close()
  }
}

/** Both are read side by side, so that a frame is at the same place of what was read of either. */
async function assertHolds(
  kept: string,
  copy: FileHandle,
  original: FileHandle,
  { file, size }: Segment,
  salt: number,
  check: () => void,
): Promise<void> {
  let beside: Buffer
  const read = async (from: number, to: number) => {
    beside = await readFrom(copy, from, to)
    return readFrom(original, from, to)
  }
  const ended = await walkIn(read, HEADER_BYTES, size, salt, ({ hole }, start, end, bytes, at) => {
    check()
    const length = end - start
    if (hole || bytes.subarray(at, at + length).equals(beside.subarray(at, at + length))) return
    throw mismatch(kept, start)
  })
  if (ended !== size) throw damaged(file, ended, 'a frame is not as it was written')
}

const mismatch = (file: string, offset?: number) =>
  new DuramenError('BACKUP_MISMATCH', `${file} is of another history of this journal, or of another journal`, {
    where: { file, ...(offset !== undefined && { offset }) },
    hint: 'Give another archive folder, and keep this one, too: it has what was given up before.',
  })
