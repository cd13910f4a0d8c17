// Does what a repair has planned. Each step may have been done already, in part or as a whole.
import { type FileHandle, open, rename, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { writeAll, writeSynced } from '../../files.ts'
import { removeCaches } from '../index/caches.ts'
import { encodeHeader, encodeHole, FRAME_BYTES, HEADER_BYTES } from '../segments/format.ts'
import { syncFolder } from '../segments/segments.ts'
import { Window } from './check-window.ts'
import { savedName } from './quarantine.ts'
import type { HoleRange, RepairPlan, Step } from './repair-plan.ts'

const PIECE = 1 << 20
const ZEROS = Buffer.alloc(PIECE)

/** `kept`: the quarantine's folder, which holds all that is changed here. */
export async function apply(folder: string, kept: string, { salt, steps }: RepairPlan): Promise<void> {
  await removeCaches(folder) // they would tell of records that are not there any more
  await syncFolder(folder)
  for (const step of steps.toReversed()) await applyStep(folder, kept, salt, step)
}

async function applyStep(folder: string, kept: string, salt: number, step: Step): Promise<void> {
  const path = join(folder, step.file)
  if (step.kind === 'move') await move(folder, path, kept, step.file)
  else if (step.kind === 'create') await create(folder, path, salt, step.first, step.positions)
  else if (step.kind === 'header') {
    await changing(path, (handle) => writeAll(handle, encodeHeader({ salt, first: step.first }), 0))
  } else if (step.kind === 'holes') {
    await changing(path, async (handle) => {
      for (const range of step.ranges.toReversed()) await makeHole(handle, salt, range)
    })
  } else await cut(path, step.offset, join(kept, savedName(step)))
}

async function move(folder: string, path: string, kept: string, file: string): Promise<void> {
  if (await isThere(join(kept, file))) return
  await rename(path, join(kept, file))
  await syncFolder(kept)
  await syncFolder(folder)
}

async function create(folder: string, path: string, salt: number, first: number, positions: number): Promise<void> {
  if (await isThere(path)) return
  const bytes = Math.max(positions, 1) * FRAME_BYTES
  const content = [encodeHeader({ salt, first }), encodeHole(salt, HEADER_BYTES, bytes, positions)]
  await writeSynced(`${path}.new`, Buffer.concat(content))
  await rename(`${path}.new`, path)
  await syncFolder(folder)
}

async function makeHole(handle: FileHandle, salt: number, { offset, bytes, positions }: HoleRange): Promise<void> {
  const { size } = await handle.stat()
  if (size < offset + bytes) await handle.truncate(offset + bytes)
  await writeAll(handle, encodeHole(salt, offset, bytes, positions), offset)
  for (let at = offset + FRAME_BYTES; at < offset + bytes; at += ZEROS.length) {
    await writeAll(handle, ZEROS.subarray(0, Math.min(ZEROS.length, offset + bytes - at)), at)
  }
}

/** Only what is kept is cut off: when it was done before, others may be there by now. */
async function cut(path: string, offset: number, saved: string): Promise<void> {
  if (await endsLike(path, offset, saved)) await changing(path, (handle) => handle.truncate(offset))
}

/** Whether a file has, from `offset` to its end, the bytes of another one. */
async function endsLike(path: string, offset: number, saved: string): Promise<boolean> {
  const [file, expected] = await Promise.all([Window.open(path), Window.open(saved)])
  try {
    if (file.size !== offset + expected.size) return false
    for (let at = 0; at < expected.size; at += PIECE) {
      await Promise.all([file.load(offset + at, PIECE), expected.load(at, PIECE)])
      if (!file.buffer.equals(expected.buffer)) return false
    }
    return true
  } finally {
    await Promise.all([file.close(), expected.close()])
  }
}

async function changing(path: string, change: (handle: FileHandle) => Promise<void>): Promise<void> {
  const handle = await open(path, 'r+')
  try {
    await change(handle)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

const isThere = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  )
