// The last group of a journal that is opened: what the next one has to carry where the journal is chained (chain.ts).
//
// K9 it is looked for from the last anchors on, by the heads of frames; not more is read than that takes.

import type { Places } from '../index/places.ts'
import { type Source, segmentOf } from '../reading/read.ts'
import { Chain, hashOfGroup } from '../segments/chain.ts'
import { damaged } from '../segments/damaged.ts'
import { FRAME_BYTES, frameEnd, HEADER_BYTES, marksOf } from '../segments/format.ts'
import type { Segment } from '../segments/segments.ts'

const CHUNK = 1 << 16
/** Positions that are looked at behind an anchor at first; each time that it was not enough, twice as many. */
const STEP = 512

interface Found {
  readonly segment: Segment
  readonly start: number
  end: number
  readonly chained: boolean
}

/** The end of the journal's chain; a new one where it has none and is to have one. Rejects with JOURNAL_DAMAGED. */
export async function openChain(source: Source, places: Places, wanted: boolean): Promise<Chain | undefined> {
  const group = await lastGroup(source, places)
  if (group?.chained) return new Chain(await linkAfter(source, group), places.last)
  return wanted ? new Chain() : undefined
}

async function lastGroup(source: Source, places: Places): Promise<Found | undefined> {
  let step = STEP
  for (let upTo = places.last; upTo > 0; step *= 2) {
    const segment = segmentOf(source.segments, upTo)
    const anchor = places.anchors.before(upTo)
    const inside = anchor !== undefined && anchor.position > segment.first
    const { found, ended } = await lastIn(source, segment, inside ? anchor.offset : HEADER_BYTES)
    const whole = ended === segment.size
    if (found !== undefined && whole) return found
    if (!inside && !whole) throw damaged(segment.file, ended, 'a frame is not as it was written')
    upTo = inside ? Math.max(segment.first, anchor.position - step) : segment.first - 1
  }
  return undefined
}

/** The last group that begins at an offset of a segment or behind it, and where its frames end; holes are none. */
async function lastIn({ reader }: Source, segment: Segment, from: number) {
  let found: Found | undefined
  let start = from
  for (let at = -1; at !== 0 && start < segment.size; start += at) {
    const chunk = await reader.read(segment, start, Math.min(segment.size, start + CHUNK))
    at = 0
    while (at + FRAME_BYTES <= chunk.length) {
      const end = frameEnd(chunk, at)
      if (end === undefined || start + end > segment.size) break
      const { first, hole, chained } = marksOf(chunk, at)
      if (first && !hole) found = { segment, start: start + at, end: start + end, chained }
      else if (found !== undefined && !hole) found.end = start + end
      at = end
    }
  }
  return { found, ended: start }
}

async function linkAfter({ reader }: Source, { segment, start, end }: Found): Promise<Buffer> {
  const hash = hashOfGroup(start === HEADER_BYTES ? await reader.read(segment, 0, HEADER_BYTES) : undefined)
  for (let at = start; at < end; at += CHUNK) hash.update(await reader.read(segment, at, Math.min(end, at + CHUNK)))
  return hash.digest()
}
