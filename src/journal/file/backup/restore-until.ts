// A journal as it was at a position: what comes behind is left out.
//
// K3 What was trimmed after that position may have been given up since (a hole): then the journal can't be made again as it
// was, and that is refused rather than that instances are missing, or begin in their middle.
import { DuramenError } from '../../../ports/errors.ts'
import { type Frame, HEADER_BYTES } from '../segments/format.ts'
import { segmentSize } from '../segments/holes.ts'
import { walk } from '../segments/walk.ts'
import type { Origin, SourceSegment } from './restore.ts'

/** The part of a journal up to a position. Rejects with BAD_OPTION where it is not whole any more. */
export async function cutAt(origin: Origin, until: number): Promise<Origin> {
  const { salt, segments } = origin
  const kept = segments.filter(({ first }) => first <= until)
  const last = kept.pop()
  if (last === undefined || (last.last <= until && kept.length === segments.length - 1)) return origin
  const cut = await cutIn(last, salt, until)
  const wanted = { salt, segments: cut === undefined ? kept : [...kept, cut] }
  await assertWhole(origin, wanted, until)
  return wanted
}

/** A segment up to the end of its last append that is wanted; undefined where none of it is. */
async function cutIn(segment: SourceSegment, salt: number, until: number): Promise<SourceSegment | undefined> {
  let last = segment.first - 1
  let end = HEADER_BYTES
  await framesOf(segment, salt, (frame, position, _, frameEnds) => {
    if (frame.more || position > until) return
    last = position
    end = frameEnds
  })
  return last < segment.first ? undefined : { ...segment, last, end, bytes: Math.min(segment.bytes, end) }
}

/** Calls `each` with every frame of a segment, its (last) position, and where it begins and ends. */
async function framesOf(
  { file, end, first }: SourceSegment,
  salt: number,
  each: (frame: Frame, position: number, start: number, end: number) => void,
): Promise<void> {
  let position = first - 1
  await walk(file, HEADER_BYTES, end ?? (await segmentSize(file)), salt, (frame, start, end) => {
    position += frame.hole ? frame.seq : 1
    each(frame, position, start, end)
  })
}

/** What is known of a stream that is trimmed behind the cut. */
interface Trimmed {
  /** Its first seq behind the cut, before the trim: 1 where it begins there, 0 for none. */
  readonly begins: number
  /** Its first seq before the cut; 0 for none. */
  first: number
  /** Before which seq it has nothing there, as it was trimmed before the cut, too. */
  before: number
}

async function assertWhole(all: Origin, kept: Origin, until: number): Promise<void> {
  if (!(await hasHoles(kept))) return
  const end = kept.segments.at(-1)?.last ?? 0
  const trimmed = await trimmedBehind(all, end)
  for (const segment of kept.segments)
    await framesOf(segment, all.salt, ({ stream, seq, trim, hole, begins }) => {
      const known = hole ? undefined : trimmed.get(stream)
      if (known === undefined) return
      if (trim || begins) known.before = seq
      if (!trim) known.first ||= seq
    })
  for (const [stream, { begins, first, before }] of trimmed)
    if (first === 0 ? begins !== 1 : first > before) throw givenUp(stream, until)
}

async function hasHoles({ salt, segments }: Origin): Promise<boolean> {
  let holes = false
  for (const segment of segments)
    await framesOf(segment, salt, ({ hole }) => {
      holes ||= hole
    })
  return holes
}

async function trimmedBehind({ salt, segments }: Origin, end: number): Promise<Map<string, Trimmed>> {
  const trimmed = new Map<string, Trimmed>()
  const begun = new Map<string, number>()
  for (const segment of segments.filter(({ last }) => last > end))
    await framesOf(segment, salt, ({ stream, seq, trim, hole, begins }, position) => {
      if (position <= end || hole) return
      if (trim) trimmed.set(stream, { begins: begun.get(stream) ?? 0, first: 0, before: 1 })
      else if (!begun.has(stream)) begun.set(stream, begins ? 1 : seq)
    })
  return trimmed
}

const givenUp = (stream: string, until: number) =>
  new DuramenError(
    'BAD_OPTION',
    `until: at position ${until} there were records of ${stream} that were trimmed since`,
    {
      where: { stream, position: until },
      hint: 'Their bytes were given up. Give a later position, leave `until` out, or restore an older backup.',
    },
  )
