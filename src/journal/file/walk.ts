// The frames of a part of a segment file, one after the other, without taking them into anything.
import { open } from 'node:fs/promises'
import { decodeFrame, FRAME_BYTES, type Frame, frameEnd } from './format.ts'
import { readFrom } from './segments.ts'

const CHUNK = 1 << 20

/**
 * Calls `each` with every frame from `start` on, and where it begins and ends, up to `size` or the first bytes that are no
 * whole frame. Of a hole, what it covers is not read, and need not be there.
 */
export async function walk(
  file: string,
  start: number,
  size: number,
  salt: number,
  each: (frame: Frame, start: number, end: number) => void,
): Promise<void> {
  const handle = await open(file, 'r')
  try {
    let wanted = CHUNK
    for (let from = start; from + FRAME_BYTES <= size; ) {
      const chunk = await readFrom(handle, from, Math.min(size, from + wanted))
      let at = 0
      while (at + FRAME_BYTES <= chunk.length) {
        const end = frameEnd(chunk, at)
        if (end === undefined) return
        const frame = decodeFrame(chunk, at, end, salt, from + at)
        if (frame === undefined || (end > chunk.length && !frame.hole)) break
        each(frame, from + at, from + end)
        at = end
      }
      if (at === 0) {
        // It is no frame, or longer than what was read.
        const end = chunk.length < FRAME_BYTES ? undefined : frameEnd(chunk, 0)
        if (end === undefined || end <= chunk.length || from + end > size) return
        wanted = end
      } else {
        from += at
        wanted = CHUNK
      }
    }
  } finally {
    await handle.close()
  }
}
