// What a repair does to the files of a journal, decided before anything is changed, and what it costs.
//
// K7 `cut`: what is left ends before the first damage. `quarantine`: what is left of each stream is its beginning, without a
// gap, or what a trim had left of it; positions and offsets of what stays are as they were.
import { basename } from 'node:path'
import { FRAME_BYTES, HEADER_BYTES } from '../segments/format.ts'
import { segmentName } from '../segments/segments.ts'
import type { LostRecords } from './check.ts'
import { judge, Order, type Span } from './check-order.ts'
import { type Visitor, walk } from './check-walk.ts'
import { Window } from './check-window.ts'
import type { Damage, Examination, ExaminedPart, ExaminedSegment } from './findings.ts'

/** Bytes of a segment that become a hole. */
export interface HoleRange {
  readonly offset: number
  readonly bytes: number
  readonly from: number
  readonly positions: number
}

/**
 * One step; `file`: the name in the journal's folder. Each can be done again.
 * - `move`: the file goes into quarantine
 * - `create`: a segment of which nothing is left
 * - `cut`: the segment ends there
 * - `holes`: instead of ranges of frames
 * - `header`: is written anew
 */
export type Step =
  | { readonly kind: 'move'; readonly file: string }
  | { readonly kind: 'create'; readonly file: string; readonly first: number; readonly positions: number }
  | { readonly kind: 'cut'; readonly file: string; readonly offset: number; readonly bytes: number }
  | { readonly kind: 'holes'; readonly file: string; readonly ranges: readonly HoleRange[] }
  | { readonly kind: 'header'; readonly file: string; readonly first: number }

/** What a repair gives up. All of it is kept in quarantine. */
export interface RepairLosses {
  /** Records that are as they were written, and are given up because of others; those that are damaged are not counted. */
  readonly records: number
  /** By stream: the first record that is not there any more. */
  readonly lost: readonly LostRecords[]
  /** As in `JournalReport`. */
  readonly lostIsAll: boolean
  /** Bytes that go into quarantine. */
  readonly bytes: number
  readonly damages: readonly Damage[]
}

/** `cut`: the journal ends before its first damage. `quarantine`: what is damaged is given up, and what is no use without. */
export type RepairWay = 'cut' | 'quarantine'

export interface RepairPlan {
  readonly how: RepairWay
  readonly salt: number
  readonly steps: readonly Step[]
  readonly losses: RepairLosses
}

/** The journal ends before the first damage. A header is mended: nothing is lost with it. */
export async function planCut(found: Examination): Promise<RepairPlan> {
  const kept = new Order({ starts: new Map() })
  const steps: Step[] = []
  let bytes = 0
  let cutting = false
  for (const part of found.parts) {
    if (part.kind === 'segment' && !cutting) {
      if (part.headerDamaged) steps.push({ kind: 'header', file: basename(part.file), first: part.first })
      const { soundTo } = part
      await take(part, found.salt, kept, soundTo)
      if (soundTo === undefined) continue
      cutting = true
      steps.push({ kind: 'cut', file: basename(part.file), offset: soundTo, bytes: part.size - soundTo })
      bytes += part.size - soundTo
    } else {
      cutting = true
      if (part.kind === 'missing') continue
      steps.push({ kind: 'move', file: basename(part.file) })
      bytes += part.size
    }
  }
  const { torn } = found
  if (!cutting && torn !== undefined && found.damages.some(({ kind }) => kind === 'end')) {
    steps.push({ kind: 'cut', file: basename(torn.file), offset: torn.offset, bytes: torn.bytes })
    bytes += torn.bytes
  }
  return { how: 'cut', salt: found.salt, steps, losses: await losses(found, kept, bytes) }
}

/** Damaged bytes become holes, and so does what is no use without them. */
export async function planQuarantine(found: Examination): Promise<RepairPlan> {
  const { starts } = await judge(found.order, (stream) => found.index.trimmedBefore(stream))
  const ranges: HoleRange[] = []
  const kept = new Order({
    starts,
    onGivenUp: (span) => {
      const { offset, end, position } = span as PlacedSpan
      ranges.push({ offset, bytes: end - offset, from: position, positions: 1 })
    },
  })
  const steps: Step[] = []
  let bytes = 0
  for (const [number, part] of found.parts.entries()) {
    if (part.kind !== 'segment') {
      kept.lost()
      if (part.kind === 'missing' && found.parts[number - 1]?.first === part.first) continue
      const file = basename(part.file)
      if (part.kind === 'stray') {
        steps.push({ kind: 'move', file })
        bytes += part.size
      } else insertCreate(steps, part.first, part.positions)
      continue
    }
    if (part.headerDamaged) steps.push({ kind: 'header', file: basename(part.file), first: part.first })
    ranges.length = 0
    for (const { offset, end, from, positions } of part.bads)
      ranges.push({ offset, bytes: end - offset, from, positions })
    await take(part, found.salt, kept, undefined)
    const end = endHole(found, part) ?? wholeHole(part, found.parts[number + 1])
    if (end !== undefined) ranges.push(end)
    const merged = mergedRanges(ranges)
    if (merged.length > 0) steps.push({ kind: 'holes', file: basename(part.file), ranges: merged })
    bytes += merged.reduce((sum, range) => sum + Math.max(0, Math.min(range.bytes, part.size - range.offset)), 0)
  }
  return { how: 'quarantine', salt: found.salt, steps, losses: await losses(found, kept, bytes) }
}

/** Steps are done from the last to the first: a file that has the name now is moved away before. */
function insertCreate(steps: Step[], first: number, positions: number): void {
  const file = segmentName(first)
  const moved = steps.findIndex((step) => step.kind === 'move' && step.file === file)
  steps.splice(moved < 0 ? steps.length : moved, 0, { kind: 'create', file, first, positions })
}

/** Of a segment of which no frame is left: it has the name of the one that is missing. */
function wholeHole({ first, size }: ExaminedSegment, next: ExaminedPart | undefined): HoleRange | undefined {
  if (next?.kind !== 'missing' || next.first !== first) return undefined
  const offset = Math.max(size, HEADER_BYTES)
  return { offset, bytes: next.positions * FRAME_BYTES, from: first, positions: next.positions }
}

/** What the index knows behind the end: those positions are not used again. */
function endHole({ damages, last, index, torn }: Examination, part: ExaminedSegment): HoleRange | undefined {
  if (!part.last || !damages.some(({ kind }) => kind === 'end')) return undefined
  const positions = index.last - last
  const bytes = Math.max(positions * FRAME_BYTES, torn?.file === part.file ? torn.offset + torn.bytes - part.end : 0)
  return { offset: part.end, bytes, from: last + 1, positions }
}

interface PlacedSpan extends Span {
  readonly position: number
}

/** Reads a segment again, without what is damaged of it, up to `until`. */
async function take(part: ExaminedSegment, salt: number, kept: Order, until = part.end): Promise<void> {
  const window = await Window.open(part.file, until)
  try {
    const bads = part.bads.values()
    let position = part.first
    const visitor: Visitor = {
      follows: () => true,
      bad() {
        const { from, positions } = bads.next().value!
        position = from + positions
        kept.lost()
      },
      frame({ frame, offset, end }) {
        const span: PlacedSpan = { offset, end, position }
        kept.take(frame, span)
        position += frame.hole ? frame.seq : 1
      },
    }
    await walk(window, visitor, { salt, last: false, known: part.bads })
    if (!part.last) kept.segmentEnds()
  } finally {
    await window.close()
  }
}

/** Ranges in order; those that touch are one. Each has room for a hole. */
function mergedRanges(ranges: readonly HoleRange[]): HoleRange[] {
  const merged: HoleRange[] = []
  for (const range of ranges.slice().sort((one, other) => one.offset - other.offset)) {
    const before = merged.at(-1)
    const bytes = Math.max(range.bytes, FRAME_BYTES, range.positions * FRAME_BYTES)
    if (before === undefined || before.offset + before.bytes < range.offset) merged.push({ ...range, bytes })
    else {
      const positions = before.positions + range.positions
      merged[merged.length - 1] = { ...before, bytes: range.offset + bytes - before.offset, positions }
    }
  }
  return merged
}

async function losses({ order, index, damages }: Examination, kept: Order, bytes: number): Promise<RepairLosses> {
  const lost = new Map<string, number>()
  const note = (stream: string, seq: number) => {
    const last = kept.streams.get(stream)?.last ?? 0
    if (seq > last) lost.set(stream, last + 1)
  }
  for (const [stream, { last }] of order.streams) note(stream, last)
  for (const [stream, gaps] of order.gaps) note(stream, gaps.at(-1)!)
  await index.lasts(note)
  const behind = Math.max(0, ...damages.map(({ to = 0 }) => to))
  return {
    records: order.records - kept.records,
    lost: Array.from(lost, ([stream, from]) => ({ stream, from })),
    lostIsAll: index.last >= behind,
    bytes,
    damages,
  }
}
