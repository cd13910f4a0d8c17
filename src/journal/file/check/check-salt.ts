// The salt of a journal, which all its checksums begin with: from its headers, and where none of them is whole, from its frames.
//
// K7 a damaged header costs nothing, that of a journal's only segment neither: a frame's checksum goes with one salt only, and
// that one counts once a second frame, or the header's own checksum, says the same.
import {
  encodeHeader,
  FRAME_BYTES,
  frameEnd,
  HEADER_BYTES,
  type Header,
  neededEnd,
  saltOfFrame,
} from '../segments/format.ts'
import { Window } from './check-window.ts'

interface File {
  readonly file: string
  readonly first: number
  readonly header: Header | string
}

/** So much of a segment is looked at for its salt. */
const LOOKED_AT = 1 << 20

/** The salt that most headers name; where none is whole, the one of the frames; else what the first header has there. */
export async function saltOf(files: readonly File[]): Promise<number> {
  const counts = new Map<number, number>()
  for (const { header } of files) if (typeof header !== 'string') count(counts, header.salt)
  const named = most(counts)
  if (named !== undefined) return named[0]
  let there: number | undefined
  for (const { file, first } of files) {
    const window = await Window.open(file, LOOKED_AT)
    try {
      await window.load(0, LOOKED_AT)
      const { buffer } = window
      if (buffer.length < HEADER_BYTES) continue
      const found = most(saltsOf(buffer))
      if (found !== undefined && (found[1] > 1 || hasSum(buffer, found[0], first))) return found[0]
      there ??= buffer.readUInt32LE(12)
    } finally {
      await window.close()
    }
  }
  return there ?? 0
}

/** By salt: how many frames go with it. */
function saltsOf(buffer: Buffer): Map<number, number> {
  const counts = new Map<number, number>()
  for (let at = HEADER_BYTES; at + FRAME_BYTES <= buffer.length; ) {
    const end = frameEnd(buffer, at)
    if (end === undefined || neededEnd(buffer, at, end) > buffer.length) break
    count(counts, saltOfFrame(buffer, at, end, at))
    at = end
  }
  return counts
}

const hasSum = (buffer: Buffer, salt: number, first: number) =>
  encodeHeader({ salt, first }).subarray(28).equals(buffer.subarray(28, HEADER_BYTES))

const count = (counts: Map<number, number>, salt: number) => counts.set(salt, (counts.get(salt) ?? 0) + 1)

const most = (counts: ReadonlyMap<number, number>) => [...counts].sort((one, other) => other[1] - one[1])[0]
