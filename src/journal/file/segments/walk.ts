// The frames of a part of a segment file, one after the other, checked. What a hole covers is not read and need not be
// there (K9: no more than a chunk, or one frame, is in memory). Whatever the process does beside it has its turn after a
// moment: appends go on while a log of any length is walked.
import { open } from 'node:fs/promises'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { decodeFrame, FRAME_BYTES, type Frame, frameEnd, neededEnd } from './format.ts'
import { readFrom } from './segments.ts'

const CHUNK = 1 << 20
/** After so much time, which is looked at after so many bytes, others have their turn. With less, a reclaim falls behind appends. */
const TURN_MS = 1
const LOOK_BYTES = 8 << 10

/**
 * Takes a frame: where it begins and ends in the file, and in which bytes it begins at what place. It is waited for; `false`
 * ends the walk.
 */
export type Visit = (
  frame: Frame,
  start: number,
  end: number,
  bytes: Buffer,
  at: number,
) => Promise<void> | undefined | false

/**
 * Visits every frame from `start` on, up to `size` or the first bytes that are no whole frame of this journal. Resolves with
 * where it has ended.
 */
export async function walk(file: string, start: number, size: number, salt: number, visit: Visit): Promise<number> {
  const handle = await open(file, 'r')
  try {
    return await walkIn((from, to) => readFrom(handle, from, to), start, size, salt, visit)
  } finally {
    await handle.close()
  }
}

/** The same in what `read` gives: the bytes from one offset to another, or fewer at the end. */
export async function walkIn(
  read: (from: number, to: number) => Promise<Buffer>,
  start: number,
  size: number,
  salt: number,
  visit: Visit,
): Promise<number> {
  let from = start
  let since = performance.now()
  for (let wanted = CHUNK; from + FRAME_BYTES <= size; ) {
    const chunk = await read(from, Math.min(size, from + wanted))
    const short = chunk.length < Math.min(size - from, wanted)
    wanted = CHUNK
    let at = 0
    let looked = 0
    while (at + FRAME_BYTES <= chunk.length) {
      const end = frameEnd(chunk, at)
      if (end === undefined || from + end > size) return from + at
      const needed = neededEnd(chunk, at, end)
      if (needed > chunk.length) {
        if (short) return from + at
        wanted = Math.max(CHUNK, needed - at)
        break
      }
      const frame = decodeFrame(chunk, at, end, salt, from + at)
      if (frame === undefined) return from + at
      const visited = visit(frame, from + at, from + end, chunk, at)
      if (visited === false) return from + end
      if (visited !== undefined) await visited
      at = end
      if (at - looked < LOOK_BYTES) continue
      looked = at
      if (performance.now() - since < TURN_MS) continue
      await nextTurn()
      since = performance.now()
    }
    if (at === 0 && wanted === CHUNK) return from
    from += at
  }
  return from
}
