// Gives back the space of what was trimmed: its frames become holes (holes.ts), in all segments but the last, one segment
// after the other, beside appends and reads.
//
// K3 what is given up is decided by the log alone: the trim frames that are on disk. Records before the last trim of their
// stream go, and trims that a later one has overtaken. What goes of a stream is always its beginning, whenever a crash
// comes: a log without its index can be read on from any hole.
// K7 a segment is archived, durably, before it loses anything, and replaced as a whole.
// K9 one segment at a time; in memory: how far each stream is trimmed, of all that ever were, which grows with them. When it is done: reclaiming.ts.

import type { Places } from './index/places.ts'
import type { Source } from './reading/read.ts'
import { archiveSegment, openArchive } from './segments/archive.ts'
import { damaged } from './segments/damaged.ts'
import { type Frame, HEADER_BYTES } from './segments/format.ts'
import { type GivenUp, rewriteSegment } from './segments/holes.ts'
import type { Segment } from './segments/segments.ts'
import { walk } from './segments/walk.ts'

/** What a reclaim has done. */
export interface Reclaimed {
  /** So many bytes of the log are holes now that were none. */
  readonly bytes: number
  /** So many segments have lost something. */
  readonly segments: number
  /** So many of them were copied into the archive. */
  readonly archived: number
}

/** What a reclaim has left on disk. */
export interface Left {
  /** It has looked at all segments before the one that begins with that position. */
  readonly from: number
  /** So many bytes of them are no holes. */
  readonly bytes: number
}

/** Of each stream that was trimmed, the seq of the first record that is kept. */
type Kept = Map<string, number>

/** What a segment is to lose. */
interface Loss {
  readonly ranges: readonly GivenUp[]
  /** Of them, those that are no hole yet. */
  readonly bytes: number
  /** Nothing is left of it. */
  readonly all: boolean
  /** What stays although it was dropped keeps what follows in its stream. */
  readonly lowered: Kept
  /** Some of that stays because the index names it. */
  readonly named: boolean
}

/**
 * `empty`: segments of which nothing is left, which are not looked at; those that become so are added. Rejects with
 * JOURNAL_DAMAGED, BACKUP_MISMATCH (of the archive), CLOSED, or what the file system says; what was given up until then is.
 */
export async function reclaim(
  source: Source,
  places: Places,
  archive: string | undefined,
  empty: Set<Segment>,
): Promise<{ reclaimed: Reclaimed; left: Left }> {
  const segments = source.segments.slice(0, -1).filter((segment) => !empty.has(segment))
  const from = source.segments.at(-1)!.first
  if (archive !== undefined) await openArchive(archive, source.segments)
  const { kept, chained } = await trimsOf(source, empty)
  const listed = await source.listings.positions()
  const reclaimed = { bytes: 0, segments: 0, archived: 0 }
  let left = segments.reduce((sum, { size }) => sum + size, 0)
  /** Undefined where the index must be written first. */
  const give = async (segment: Segment, last: boolean): Promise<Loss | undefined> => {
    const loss = await lossOf(source, segment, kept, places.named(segment.first), listed)
    if (loss.named && !last) return undefined
    for (const [stream, seq] of loss.lowered) kept.set(stream, seq)
    if (chained && !loss.all) return loss
    if (loss.bytes > 0) {
      if (archive !== undefined && (await archiveSegment(segment, source.salt, archive, source.check)))
        reclaimed.archived++
      await rewriteSegment(segment, source.salt, loss.ranges, source.check)
      await source.reader.forget(segment)
      reclaimed.bytes += loss.bytes
      reclaimed.segments++
    }
    for (const { bytes } of loss.ranges) left -= bytes
    if (loss.all) empty.add(segment)
    return loss
  }
  const stopped = () => {
    source.check()
    return false
  }
  for (const segment of segments) {
    let loss = await places.still(() => give(segment, false))
    if (loss === undefined) {
      // Where the index can't be written, what it names stays.
      await places.condense(stopped).catch(() => {})
      loss = await places.still(() => give(segment, true))
    }
    if (chained && !loss!.all) break
  }
  return { reclaimed, left: { from, bytes: left } }
}

/** What all trims on disk say together, and whether groups are chained. */
async function trimsOf(source: Source, empty: ReadonlySet<Segment>): Promise<{ kept: Kept; chained: boolean }> {
  const kept: Kept = new Map()
  let chained = false
  for (const segment of source.segments.slice()) {
    if (empty.has(segment)) continue
    await walkAll(source, segment, (frame) => {
      chained ||= frame.chained
      if (frame.trim && frame.seq > (kept.get(frame.stream) ?? 0)) kept.set(frame.stream, frame.seq)
    })
  }
  return { kept, chained }
}

/**
 * What is dropped of a segment. What a listing still has to read stays, and so does what the index names, each with all
 * that follows in its stream.
 */
async function lossOf(
  source: Source,
  segment: Segment,
  kept: Kept,
  named: ReadonlySet<number>,
  listed: (position: number) => boolean,
): Promise<Loss> {
  const ranges = new Ranges()
  const lowered: Kept = new Map()
  let [position, bytes, isNamed] = [segment.first, 0, false]
  await walkAll(source, segment, ({ stream, seq, hole, trim }, start, end) => {
    const at = position
    position += hole ? seq : 1
    if (!hole && seq >= (lowered.get(stream) ?? kept.get(stream) ?? 0)) return
    if (named.has(start) || (!hole && listed(at))) {
      if (!hole && !trim) lowered.set(stream, seq)
      if (!hole && named.has(start)) isNamed = true
      return
    }
    if (!hole) bytes += end - start
    ranges.add(start, end, position - at)
  })
  const all = ranges.all[0]?.bytes === segment.size - HEADER_BYTES
  return { ranges: ranges.all, bytes, all, lowered, named: isNamed }
}

/** What follows one another becomes one. */
class Ranges {
  readonly all: GivenUp[] = []

  add(start: number, end: number, positions: number): void {
    const before = this.all.at(-1)
    if (before === undefined || before.offset + before.bytes < start) {
      this.all.push({ offset: start, bytes: end - start, positions })
    } else {
      const { offset } = before
      this.all[this.all.length - 1] = { offset, bytes: end - offset, positions: before.positions + positions }
    }
  }
}

async function walkAll(
  source: Source,
  { file, size }: Segment,
  visit: (frame: Frame, start: number, end: number) => void,
): Promise<void> {
  const ended = await walk(file, HEADER_BYTES, size, source.salt, (frame, start, end) => {
    source.check()
    visit(frame, start, end)
  })
  if (ended !== size) throw damaged(file, ended, 'a frame is not as it was written')
}
