// Reading records by their places: neighbours share one read, so that a replay takes few of them, and no more than a
// batch is in memory (K9). What was damaged since it was written is refused with its place (K7).

import { erased } from '../check.ts'
import { fsError } from '../fs-error.ts'
import type { StoredRecord } from '../port.ts'
import type { Coding } from './coding.ts'
import { damaged } from './damaged.ts'
import { decodeFrame, FRAME_BYTES, frameEnd, HEADER_BYTES } from './format.ts'
import type { Places } from './places.ts'
import type { Segment, SegmentReader } from './segments.ts'
import { PLACE } from './unindexed.ts'

const BATCH_BYTES = 1 << 20
/** Reading over a gap of so many bytes costs less than another read. */
const GAP_BYTES = 1 << 15
/** So many reads of a batch run at the same time. */
const SPANS = 16
/** So many places of a stream are looked up at once. */
const PLACES = 1024

/** A frame begins with its length and its checksum. */
const SUM_BYTES = 8

const CHANGED = 'it is not as it was when it was written'

/** Bytes of one segment with the records that are wanted of them. */
interface Span {
  readonly segment: Segment
  readonly start: number
  end: number
  readonly wanted: { readonly position: number; readonly at: number; readonly end: number }[]
}

/** A record as it was found; it has no text when the key to it is gone for good. */
export interface Found extends Omit<StoredRecord, 'text'> {
  readonly text: string | undefined
}

export const readable = (found: Found): found is StoredRecord => found.text !== undefined

/** The log as it is read. */
export interface Source {
  readonly segments: readonly Segment[]
  readonly reader: SegmentReader
  readonly salt: number
  readonly coding: Coding
  /** Throws when the journal is closed. */
  check(): void
}

/** The records at places (position, offset, length of each), whose positions must ascend. */
export async function* readPlaces(source: Source, places: readonly number[]): AsyncGenerator<Found> {
  source.check()
  for (let index = 0; index < places.length; ) {
    const spans: Span[] = []
    for (let bytes = 0; index < places.length && bytes < BATCH_BYTES; index += PLACE) {
      const [position, at, length] = [places[index]!, places[index + 1]!, places[index + 2]!]
      const segment = segmentOf(source.segments, position)
      const end = at + length
      const span = spans.at(-1)
      if (span !== undefined && span.segment === segment && at >= span.end && at - span.end <= GAP_BYTES) {
        bytes += end - span.end
        span.end = end
        span.wanted.push({ position, at, end })
      } else {
        if (spans.length === SPANS) break
        bytes += length
        spans.push({ segment, start: at, end, wanted: [{ position, at, end }] })
      }
    }
    const buffers = await Promise.all(spans.map(({ segment, start, end }) => bytesOf(source, segment, start, end)))
    for (const [number, { segment, start, wanted }] of spans.entries()) {
      for (const { position, at, end } of wanted) {
        source.check()
        yield recordIn(source, segment, buffers[number]!, start, position, at, end)
      }
    }
  }
}

/** The records from … to of a stream. Rejects with ERASED at the first whose key is gone. */
export async function* readStream(
  source: Source,
  places: Places,
  name: string,
  from: number,
  to: number,
): AsyncGenerator<StoredRecord> {
  let distrusted = false
  for (let seq = from; seq <= to; ) {
    source.check()
    const stream = await places.look(name)
    if (stream === undefined || stream.last === 0) return
    seq = Math.max(seq, stream.trimmed + 1)
    const found = await places.places(stream, seq, Math.min(to, seq + PLACES - 1))
    const before = seq
    for await (const record of readPlaces(source, found)) {
      if (record.stream !== name || record.seq !== seq) break
      if (!readable(record)) throw erased(name)
      yield record
      seq++
    }
    if (seq >= before + found.length / PLACE && seq > before) continue
    if (seq <= (await places.look(name))!.trimmed) continue // they were dropped meanwhile
    const what = `the index leads to another record than ${seq} of ${name}`
    if (distrusted) throw fsError(new Error(what), 'read the journal', { stream: name, seq })
    distrusted = true
    await places.distrust(what)
  }
}

/** The last record of a stream. */
export async function readHead(source: Source, places: Places, name: string): Promise<StoredRecord | undefined> {
  source.check()
  const last = (await places.look(name))?.last ?? 0
  for await (const record of readStream(source, places, name, Math.max(last, 1), last)) return record
  return undefined
}

/** All records from … to by position, as they follow in the segments, without those whose key is gone. */
export async function* readLog(source: Source, places: Places, from: number, to: number): AsyncGenerator<StoredRecord> {
  source.check()
  await places.trimsKnown()
  for (let next = from; next <= to; ) {
    const number = numberOf(source.segments, next)
    const segment = source.segments[number]!
    const until = source.segments[number + 1]?.first ?? Number.POSITIVE_INFINITY
    const anchor = places.anchors.before(next)
    const inside = anchor !== undefined && anchor.position >= segment.first
    let position = inside ? anchor.position : segment.first
    let start = inside ? anchor.offset : HEADER_BYTES
    let wanted = BATCH_BYTES
    while (position <= to && position < until) {
      source.check()
      const chunk = await bytesOf(source, segment, start, Math.min(segment.size, start + wanted))
      let at = 0
      wanted = BATCH_BYTES
      for (; at + FRAME_BYTES <= chunk.length && position <= to; position++) {
        const end = frameEnd(chunk, at)
        if (end === undefined || start + end > segment.size) throw damaged(segment.file, start + at, CHANGED)
        if (end > chunk.length) {
          wanted = Math.max(BATCH_BYTES, end - at)
          break
        }
        if (position >= next && !places.gone.has(position)) {
          source.check()
          const record = recordIn(source, segment, chunk, start, position, start + at, start + end)
          if (readable(record)) yield record
        }
        at = end
      }
      if (at === 0 && wanted === BATCH_BYTES) throw damaged(segment.file, start, CHANGED)
      start += at
    }
    next = position
  }
}

/** The checksum of a record's frame; undefined for a record that is not there, or is trimmed, or can't be read. */
export async function recordSum(source: Source, places: Places, name: string, seq: number) {
  try {
    const stream = await places.look(name)
    if (stream === undefined || seq > stream.last) return undefined
    const [position, offset] = await places.places(stream, seq, seq)
    return position === undefined ? undefined : await sumAt(source, position, offset!)
  } catch {
    return undefined
  }
}

/** The checksum of the frame at a position. */
export async function sumAt(source: Source, position: number, offset: number): Promise<number> {
  const bytes = await bytesOf(source, segmentOf(source.segments, position), offset, offset + SUM_BYTES)
  return bytes.readUInt32LE(SUM_BYTES - 4)
}

function recordIn(
  { salt, coding }: Source,
  segment: Segment,
  bytes: Buffer,
  start: number,
  position: number,
  at: number,
  end: number,
): Found {
  const frame = decodeFrame(bytes, at - start, end - start, salt, at)
  if (frame === undefined) throw damaged(segment.file, at, CHANGED)
  const text = coding.decode(frame, 'record', bytes, end - start, { file: segment.file, offset: at })
  return { stream: frame.stream, seq: frame.seq, position, text }
}

async function bytesOf({ reader }: Source, segment: Segment, start: number, end: number): Promise<Buffer> {
  try {
    const bytes = await reader.read(segment, start, end)
    if (bytes.length === end - start) return bytes
  } catch (error) {
    throw fsError(error, `read ${segment.file}`, { file: segment.file, offset: start })
  }
  throw damaged(segment.file, start, CHANGED)
}

export const segmentOf = (segments: readonly Segment[], position: number) => segments[numberOf(segments, position)]!

/** The last segment that begins at or before a position. */
function numberOf(segments: readonly Segment[], position: number): number {
  let low = 0
  let high = segments.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (segments[middle]!.first <= position) low = middle
    else high = middle - 1
  }
  return low
}
