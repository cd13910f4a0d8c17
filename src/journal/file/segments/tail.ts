// What is behind the last whole append of a journal's last segment: nothing but zeros where the journal was not closed,
// a torn group where a crash came between its write and its sync, or damage.
//
// K7 Only the last group can be torn, and no one was told that any of it had happened. So a bad frame is torn when no
// group begins behind it; when one does, the bad frame was on disk, and something happened to it there.
import { open } from 'node:fs/promises'
import { damaged } from './damaged.ts'
import { decodeFrame, FRAME_BYTES, findGroup, frameEnd } from './format.ts'
import { readFrom } from './segments.ts'

/** How many bytes a torn group has left behind `end`; 0 when it is the end. Rejects with JOURNAL_DAMAGED. */
export async function tornBytes(file: string, end: number, size: number, salt: number): Promise<number> {
  const handle = await open(file, 'r')
  try {
    const rest = await readFrom(handle, end, size)
    const bad = firstBad(rest, salt, end)
    const group = findGroup(rest, bad + 1, salt, end)
    if (group === undefined) return written(rest)
    throw damaged(file, end + bad, `a frame is not as it was written, and whole ones follow from ${end + group} on`)
  } finally {
    await handle.close()
  }
}

/** Where the whole frames of an append that was cut short end. */
function firstBad(buffer: Buffer, salt: number, offset: number): number {
  let at = 0
  while (at + FRAME_BYTES <= buffer.length) {
    const end = frameEnd(buffer, at)
    if (end === undefined || end > buffer.length || decodeFrame(buffer, at, end, salt, offset + at) === undefined) break
    at = end
  }
  return at
}

/** Where the zeros begin that the buffer ends with. */
function written(buffer: Buffer): number {
  let end = buffer.length
  while (end > 0 && buffer[end - 1] === 0) end--
  return end
}
