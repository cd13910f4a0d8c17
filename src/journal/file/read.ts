// Reading records by their positions: neighbours share one read, so that a replay takes few of them, and no more than
// a batch is in memory (K9). What was damaged since it was opened is refused with its place (K7).
import { fsError } from '../fs-error.ts'
import type { StoredRecord } from '../port.ts'
import { damaged } from './damaged.ts'
import { decodeFrame } from './format.ts'
import type { Places } from './places.ts'
import type { Segment, SegmentReader } from './segments.ts'

const BATCH_BYTES = 1 << 20
/** Reading over a gap of so many bytes costs less than another read. */
const GAP_BYTES = 1 << 15
/** So many reads of a batch run at the same time. */
const SPANS = 16

/** A frame begins with its length and its checksum. */
const SUM_BYTES = 8

const CHANGED = 'it is not as it was when the journal was opened'

/** Bytes of one segment with the records that are wanted of them. */
interface Span {
  readonly segment: Segment
  readonly start: number
  end: number
  readonly wanted: { readonly position: number; readonly at: number; readonly end: number }[]
}

export interface Source {
  readonly places: Places
  readonly segments: readonly Segment[]
  readonly reader: SegmentReader
  readonly salt: number
  /** Throws when the journal is closed. */
  check(): void
}

/** The records at the positions that `positionAt` gives for 0 … count - 1, which must ascend; it leaves out with undefined. */
export async function* readRecords(
  source: Source,
  count: number,
  positionAt: (index: number) => number | undefined,
): AsyncGenerator<StoredRecord> {
  source.check()
  for (let index = 0; index < count; ) {
    const spans: Span[] = []
    for (let bytes = 0; index < count && bytes < BATCH_BYTES; index++) {
      const position = positionAt(index)
      if (position === undefined) continue
      const place = placeOf(source, position)
      const span = spans.at(-1)
      if (span !== undefined && span.segment === place.segment && place.at - span.end <= GAP_BYTES) {
        bytes += place.end - span.end
        span.end = place.end
        span.wanted.push({ position, at: place.at, end: place.end })
      } else {
        if (spans.length === SPANS) break
        bytes += place.end - place.at
        const wanted = [{ position, at: place.at, end: place.end }]
        spans.push({ segment: place.segment, start: place.at, end: place.end, wanted })
      }
    }
    const buffers = await Promise.all(spans.map((span) => bytesOf(source, span)))
    for (const [number, { segment, start, wanted }] of spans.entries()) {
      for (const { position, at, end } of wanted) {
        source.check()
        const frame = decodeFrame(buffers[number]!, at - start, end - start, source.salt)
        if (frame === undefined) throw damaged(segment.file, at, CHANGED)
        const text = buffers[number]!.toString('utf8', frame.textAt, end - start)
        yield { stream: frame.stream, seq: frame.seq, position, text }
      }
    }
  }
}

/** The checksum of a record's frame; undefined for a record that is not there, or is trimmed, or can't be read. */
export async function recordSum(source: Source, stream: string, seq: number): Promise<number | undefined> {
  const found = source.places.find(stream)
  const position = found?.positions[seq - 1 - found.trimmed]
  if (position === undefined) return undefined
  const { segment, at } = placeOf(source, position)
  const bytes = await source.reader.read(segment, at, at + SUM_BYTES).catch(() => undefined)
  return bytes?.length === SUM_BYTES ? bytes.readUInt32LE(SUM_BYTES - 4) : undefined
}

async function bytesOf(source: Source, { segment, start, end }: Span): Promise<Buffer> {
  try {
    const bytes = await source.reader.read(segment, start, end)
    if (bytes.length === end - start) return bytes
  } catch (error) {
    throw fsError(error, `read ${segment.file}`, { file: segment.file, offset: start })
  }
  throw damaged(segment.file, start, CHANGED)
}

function placeOf({ places, segments }: Source, position: number): { segment: Segment; at: number; end: number } {
  const number = segmentOf(segments, position)
  const segment = segments[number]!
  const inSegment = position < places.last && position + 1 !== segments[number + 1]?.first
  return { segment, at: places.offset(position), end: inSegment ? places.offset(position + 1) : segment.size }
}

/** The last segment that begins at or before a position. */
function segmentOf(segments: readonly Segment[], position: number): number {
  let low = 0
  let high = segments.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (segments[middle]!.first <= position) low = middle
    else high = middle - 1
  }
  return low
}
