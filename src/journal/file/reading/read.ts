// Reading records by their places: neighbours share one read, so that a replay takes few of them, and no more than a
// batch is in memory (K9). What was damaged since it was written is refused with its place (K7).
//
// While it is read, the log may give up what was trimmed (holes.ts). Places and offsets that lead there lead to no frame, and
// never to another one: then the stream, or the segment, is looked at again.

import { isDuramenError } from '../../../ports/errors.ts'
import { erased } from '../../check.ts'
import { fsError } from '../../fs-error.ts'
import type { StoredRecord } from '../../port.ts'
import { hashOf } from '../index/names.ts'
import { HEAD, type Places } from '../index/places.ts'
import { PLACE } from '../index/unindexed.ts'
import type { Coding } from '../segments/coding.ts'
import { damaged } from '../segments/damaged.ts'
import { decodeFrame, FRAME_BYTES, frameEnd, HEADER_BYTES, isHole, neededEnd } from '../segments/format.ts'
import type { Segment, SegmentReader } from '../segments/segments.ts'
import type { Listings } from './listings.ts'

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
  readonly wanted: { readonly index: number; readonly position: number; readonly at: number; readonly end: number }[]
}

/** A record as it was found; it has no text when the key to it is gone for good. */
interface Found extends Omit<StoredRecord, 'text'> {
  readonly text: string | undefined
}

/** Is told of a place that leads to no record. */
type Missed = (index: number) => void

const readable = (found: Found): found is StoredRecord => found.text !== undefined

/** The log as it is read. */
export interface Source {
  readonly segments: readonly Segment[]
  readonly reader: SegmentReader
  readonly salt: number
  readonly coding: Coding
  readonly listings: Listings
  /** Throws when the journal is closed. */
  check(): void
}

/**
 * The records at places (position, offset, length of each), whose positions must ascend; `stride` numbers are between them.
 * With `missed`, a place that leads to no record is no error: it is told where that place begins in `places`.
 */
async function* readPlaces(
  source: Source,
  places: readonly number[],
  stride = PLACE,
  missed?: Missed,
): AsyncGenerator<Found> {
  source.check()
  for (let index = 0; index < places.length; ) {
    const spans: Span[] = []
    for (let bytes = 0; index < places.length && bytes < BATCH_BYTES; index += stride) {
      const [position, at, length] = [places[index]!, places[index + 1]!, places[index + 2]!]
      const segment = segmentOf(source.segments, position)
      const end = at + length
      const span = spans.at(-1)
      if (span !== undefined && span.segment === segment && at >= span.end && at - span.end <= GAP_BYTES) {
        bytes += end - span.end
        span.end = end
        span.wanted.push({ index, position, at, end })
      } else {
        if (spans.length === SPANS) break
        bytes += length
        spans.push({ segment, start: at, end, wanted: [{ index, position, at, end }] })
      }
    }
    const reads = spans.map(({ segment, start, end }) => bytesOf(source, segment, start, end))
    const buffers = await Promise.all(missed === undefined ? reads : reads.map(unlessReplaced))
    for (const [number, { segment, start, wanted }] of spans.entries()) {
      const bytes = buffers[number]
      for (const { index, position, at, end } of wanted) {
        source.check()
        const record = bytes && recordIn(source, segment, bytes, start, position, at, end)
        if (record !== undefined) yield record
        else if (missed !== undefined) missed(index)
        else throw damaged(segment.file, at, CHANGED)
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
    if (seq > to) return // all that was left was dropped meanwhile
    const found = await places.places(stream, seq, Math.min(to, seq + PLACES - 1))
    const before = seq
    let unreadable: unknown
    try {
      for await (const record of readPlaces(source, found)) {
        if (record.stream !== name || record.seq !== seq) break
        if (!readable(record)) throw erased(name)
        yield record
        seq++
      }
    } catch (error) {
      unreadable = error
    }
    if (unreadable === undefined && seq >= before + found.length / PLACE && seq > before) continue
    if (seq <= (await places.look(name))!.trimmed) continue // they were dropped meanwhile
    if (unreadable !== undefined) throw unreadable
    const what = `the index leads to another record than ${seq} of ${name}`
    if (distrusted) throw fsError(new Error(what), 'read the journal', { stream: name, seq })
    distrusted = true
    await places.distrust(what)
  }
}

/** The last record of a stream. */
export async function readHead(source: Source, places: Places, name: string): Promise<StoredRecord | undefined> {
  for (;;) {
    source.check()
    const last = (await places.look(name))?.last ?? 0
    if (last === 0) return undefined
    for await (const record of readStream(source, places, name, last, last)) return record
    // It was dropped meanwhile: then there is a later one.
  }
}

/** Of some streams only, by the hashes of their names; without those that are not there any more, of which it is told. */
export interface HeadsAgain {
  readonly among: (hash: number) => boolean
  readonly missed: ((hash: number) => void) | undefined
}

const ALL: HeadsAgain = { among: () => true, missed: undefined }

/** The last record of every stream, or of those that a host must look at when it opens; without those whose key is gone. */
export async function* readHeads(
  source: Source,
  places: Places,
  pending: boolean,
  { among, missed }: HeadsAgain = ALL,
): AsyncGenerator<StoredRecord> {
  if (!pending) {
    const listing = places.heads(among).then((found) => ascending(found, places.last))
    source.listings.begin(listing)
    try {
      const found = await listing
      const lost = missed && ((index: number) => missed(found[index + PLACE]!))
      for await (const head of readPlaces(source, found, HEAD, lost)) if (readable(head)) yield head
    } finally {
      source.listings.end(listing)
    }
    return
  }
  for (const stream of await places.pending()) {
    const hash = hashOf(stream)
    if (!among(hash)) continue
    const head = await readHead(source, places, stream).catch((error) => {
      if (missed !== undefined && isReplaced(error)) missed(hash)
      else if (!isDuramenError(error) || error.code !== 'ERASED') throw error
    })
    if (head) yield head
  }
}

/** Whether an error may come of a file that was replaced, or removed, by who writes the journal. */
export const isReplaced = (error: unknown) =>
  isDuramenError(error) && (error.code === 'JOURNAL_DAMAGED' || error.code === 'FOLDER_MISSING')

const unlessReplaced = (read: Promise<Buffer>): Promise<Buffer | undefined> =>
  read.catch((error) => {
    if (!isReplaced(error)) throw error
    return undefined
  })

/** Heads by position. */
function ascending(places: readonly number[], last: number): number[] {
  const count = places.length / HEAD
  const buckets: number[][] = []
  for (let at = 0; at < places.length; at += HEAD) {
    const bucket = Math.floor((places[at]! / (last + 1)) * (count / 8))
    const there = buckets[bucket]
    if (there === undefined) buckets[bucket] = [at]
    else there.push(at)
  }
  const sorted: number[] = []
  for (const bucket of buckets) {
    bucket?.sort((one, other) => places[one]! - places[other]!)
    for (const at of bucket ?? []) sorted.push(places[at]!, places[at + 1]!, places[at + 2]!, places[at + 3]!)
  }
  return sorted
}

/** All records from … to by position, as they follow in the segments, without those whose key is gone. */
export async function* readLog(source: Source, places: Places, from: number, to: number): AsyncGenerator<StoredRecord> {
  source.check()
  await places.trimsKnown()
  /** The position that was not where it should be. */
  let missed = 0
  for (let next = from; next <= to; ) {
    const number = numberOf(source.segments, next)
    const segment = source.segments[number]!
    const until = Math.min(source.segments[number + 1]?.first ?? Number.POSITIVE_INFINITY, to + 1)
    const anchor = places.anchors.before(next)
    const begin = anchor !== undefined && anchor.position >= segment.first ? anchor : beginOf(segment)
    let { position, offset: start } = begin
    let wanted = BATCH_BYTES
    let lost = false
    while (position < until && !lost) {
      source.check()
      const asked = Math.min(segment.size - start, wanted)
      const chunk = await chunkOf(source, segment, start, start + asked)
      wanted = BATCH_BYTES
      let at = 0
      while (at + FRAME_BYTES <= chunk.length && position < until) {
        const end = frameEnd(chunk, at)
        if (end === undefined || start + end > segment.size) break
        const needed = neededEnd(chunk, at, end)
        if (needed > chunk.length) {
          if (chunk.length === asked) wanted = Math.max(BATCH_BYTES, needed - at)
          break
        }
        if (isHole(chunk, at)) {
          const hole = decodeFrame(chunk, at, end, source.salt, start + at)
          if (hole === undefined) break
          position += hole.seq
        } else {
          if (position >= next && !places.gone.has(position)) {
            const record = recordIn(source, segment, chunk, start, position, start + at, start + end)
            if (record === undefined) break
            source.check()
            if (readable(record)) yield record
          }
          position++
        }
        at = end
      }
      start += at
      lost = at === 0 && wanted === BATCH_BYTES
    }
    next = Math.max(next, position)
    if (!lost) continue
    if (begin === anchor && position === anchor.position) places.anchors.remove(position)
    else if (missed === position) throw damaged(segment.file, start, CHANGED)
    else missed = position
  }
}

const beginOf = ({ first }: Segment) => ({ position: first, offset: HEADER_BYTES })

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

/** Undefined where the bytes are not those of a record. */
function recordIn(
  { salt, coding }: Source,
  segment: Segment,
  bytes: Buffer,
  start: number,
  position: number,
  at: number,
  end: number,
): Found | undefined {
  const whole = frameEnd(bytes, at - start) === end - start
  const frame = whole ? decodeFrame(bytes, at - start, end - start, salt, at) : undefined
  if (frame === undefined || frame.hole) return undefined
  const text = coding.decode(frame, 'record', bytes, end - start, { file: segment.file, offset: at })
  return { stream: frame.stream, seq: frame.seq, position, text }
}

async function bytesOf(source: Source, segment: Segment, start: number, end: number): Promise<Buffer> {
  const bytes = await chunkOf(source, segment, start, end)
  if (bytes.length === end - start) return bytes
  throw damaged(segment.file, start, CHANGED)
}

/** Fewer bytes where the file is shorter. */
async function chunkOf({ reader }: Source, segment: Segment, start: number, end: number): Promise<Buffer> {
  try {
    return await reader.read(segment, start, end)
  } catch (error) {
    if (isDuramenError(error)) throw error
    throw fsError(error, `read ${segment.file}`, { file: segment.file, offset: start })
  }
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
