// Opening a journal: reads what the index does not have, checks every frame of it, and takes it into the places. Without
// an index that is all of it.
//
// K7 What a crash leaves of a group that nobody was told about is a torn tail (tail.ts): it is cut off and reported.
// Everything else that is not as it was written is damage: the journal refuses to open and says where, for what follows
// a damaged place must not be lost in silence. So it is where the index knows of records behind the log's end: it is written
// of what is on disk and acknowledged, so no crash leaves it so. Nothing is cut off before all of that is looked at.
import { type FileHandle, open, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { NOT_URGENT, type Urgency, urgencyOf } from '../../records.ts'
import type { Places } from '../index/places.ts'
import type { RunHead } from '../index/run.ts'
import { knownBehind } from '../index/runs.ts'
import type { Coding } from '../segments/coding.ts'
import { assertHeader, damaged, endLost, gap } from '../segments/damaged.ts'
import {
  decodeFrame,
  decodeHeader,
  FRAME_BYTES,
  type Frame,
  frameEnd,
  HEADER_BYTES,
  neededEnd,
} from '../segments/format.ts'
import { segmentSize } from '../segments/holes.ts'
import { listSegments, readFrom, type Segment, syncFolder } from '../segments/segments.ts'
import { tornBytes } from '../segments/tail.ts'
import { walk } from '../segments/walk.ts'

/** What was found of an unfinished group at the end of the journal and cut off. */
export interface TornTail {
  readonly file: string
  readonly offset: number
  /** Up to the last one that is not zero. */
  readonly bytes: number
}

/** The segments of a folder with their sizes as their files tell them, and the salt that the first names; undefined for a new journal. */
export async function survey(folder: string): Promise<{ files: Segment[]; salt: number | undefined }> {
  const found = await listSegments(folder)
  const files = await Promise.all(found.map(async (one) => ({ ...one, size: await segmentSize(one.file) })))
  const header = files[0] && (await headerOf(files[0].file))
  return { files, salt: typeof header === 'object' ? header.salt : undefined }
}

/**
 * Fills `segments` with those of the folder and `places` with what is behind `known`, the newest of the index. What a process
 * that was killed has written and not synced is there to be read: it is made durable first, also because the index is
 * written meanwhile, and is never ahead of the log. Resolves with what is to be cut off. Rejects with JOURNAL_DAMAGED, or what
 * the file system says.
 */
export async function recover(
  files: readonly Segment[],
  salt: number,
  segments: Segment[],
  places: Places,
  known: RunHead | undefined,
  coding: Coding,
): Promise<TornTail | undefined> {
  const indexedFrom = known?.segments.at(-1)?.[0] ?? 0
  let torn: TornTail | undefined
  for (const [number, { file, first, size }] of files.entries()) {
    const last = number === files.length - 1
    if (first < indexedFrom) {
      segments.push({ file, first, size })
      continue
    }
    if (last && size <= HEADER_BYTES && typeof (await headerOf(file)) === 'string') {
      torn = { file, offset: 0, bytes: size }
      break
    }
    const indexed = first === indexedFrom
    if (!indexed && first !== places.last + 1) throw gap(file, places.last + 1, first)
    assertHeader(await headerOf(file), file, first, salt)
    const segment = { file, first, size: indexed ? known!.end : HEADER_BYTES }
    segments.push(segment)
    if (last) await changing(file, (handle) => handle.datasync())
    await scan(segment, size, salt, places, coding)
    const end = segment.size
    if (end < size) {
      if (!last) throw damaged(file, end, 'a frame is not as it was written')
      const bytes = await tornBytes(file, end, size, salt)
      if (bytes > 0) torn = { file, offset: end, bytes }
    }
  }
  return torn
}

/** Refuses a journal of whose end records are lost, as the index in a folder tells. Rejects with JOURNAL_DAMAGED. */
export async function assertEnd(
  index: string,
  salt: number,
  segments: readonly Segment[],
  { last }: Places,
): Promise<void> {
  const segment = segments.at(-1)
  // A journal of which no segment is left has no salt.
  const known = await knownBehind(index, segment && salt, last)
  if (known !== undefined) throw endLost(index, segment?.file ?? dirname(index), last + 1, known)
}

/** Cuts off what was found of an unfinished group. */
export async function cutOff({ file, offset }: TornTail): Promise<void> {
  if (offset === 0) await unlink(file)
  else {
    await changing(file, async (handle) => {
      await handle.truncate(offset)
      await handle.sync()
    })
  }
  await syncFolder(dirname(file))
}

/** Gives all frames up to a position to places that have none. Rejects with JOURNAL_DAMAGED. */
export async function refill(
  segments: readonly Segment[],
  salt: number,
  places: Places,
  until: number,
  coding: Coding,
): Promise<void> {
  for (const { file, first, size } of segments.slice()) {
    if (first > until) return
    if (first !== places.last + 1) throw gap(file, places.last + 1, first)
    const read = { file, first, size: HEADER_BYTES }
    await scan(read, size, salt, places, coding, until)
    if (read.size < size && places.last < until) throw damaged(file, read.size, 'a frame is not as it was written')
  }
}

/** Reads a segment on from its size, which becomes where its last whole append ends. */
export async function scan(
  segment: Segment,
  size: number,
  salt: number,
  places: Places,
  coding: Coding,
  until = Number.POSITIVE_INFINITY,
) {
  const appends = new Appends(segment, places)
  await walk(segment.file, segment.size, size, salt, (frame, start, end, bytes, at) => {
    if (places.last >= until) return false
    if (frame.newer) throw damaged(segment.file, start, 'a later version of duramen wrote it')
    const take = () => {
      const { stream, hole, trim, more } = frame
      let urgency = NOT_URGENT
      if (!hole && !trim && !more) {
        const text = coding.decode(frame, 'record', bytes, at + end - start, { file: segment.file, offset: start })
        if (text !== undefined) urgency = urgencyOf(stream, text)
      }
      appends.add(frame, start, end, urgency)
      return places.heavy ? places.write() : undefined
    }
    return mustLook(frame, places) ? places.look(frame.stream).then(take) : take()
  })
}

/** Whether a frame can't be judged without what the index knows of its stream. */
function mustLook({ stream, seq, trim, begins, hole }: Frame, places: Places): boolean {
  return !hole && (trim || begins || (places.afterHole && seq > 1)) && !places.knows(stream)
}

/** Takes frames in, append by append: one that is not whole is not there. */
class Appends {
  readonly #segment: Segment
  readonly #places: Places
  #frames: { offset: number; length: number }[] = []
  #stream: string | undefined
  /** The seq that the append's stream begins behind, where it begins with it and was never whole here. */
  #behind: number | undefined

  constructor(segment: Segment, places: Places) {
    this.#segment = segment
    this.#places = places
  }

  add(frame: Frame, offset: number, end: number, urgency: Urgency): void {
    const { stream, seq, more, trim, begins } = frame
    const { file } = this.#segment
    if (frame.hole) return this.#hole(seq, offset, end)
    const known = this.#places.found(stream)
    const last = known?.last ?? 0
    // The records up to there may have been given up, as a prefix of the stream; by somebody else also after some of them
    // were read here.
    const { afterHole, readOnly } = this.#places
    const lost = afterHole && (readOnly || known === undefined || known.recent.length === 0)
    if (trim) {
      if (seq < 1 || this.#stream !== undefined || (seq > last && !lost)) {
        throw damaged(file, offset, `it trims ${stream} before ${seq}, which is out of order`)
      }
      if (known === undefined || seq > last) this.#places.pastTrim(offset, end - offset)
      else this.#places.trim(known, offset, end - offset, seq)
      this.#segment.size = end
      return
    }
    // Of a stream that the index has, the first record here may have any seq; the index tells when it is asked.
    const any = known !== undefined && !known.loaded && known.recent.length === 0 && this.#frames.length === 0
    const behind = begins ? last === 0 : lost && seq > last + 1
    if (behind && this.#stream === undefined) this.#behind = seq - 1
    else if (any && seq > 1) known.last = seq - 1
    else if (seq !== (this.#behind ?? last) + this.#frames.length + 1 || (this.#stream ?? stream) !== stream) {
      throw damaged(file, offset, `it is record ${seq} of ${stream}, which is out of order`)
    }
    this.#frames.push({ offset, length: end - offset })
    this.#stream = stream
    if (more) return
    const places = known ?? this.#places.begin(stream)
    if (this.#behind !== undefined) this.#places.adopt(places, this.#behind)
    for (const one of this.#frames) this.#places.add(places, one.offset, one.length, urgency)
    places.claimed = places.last
    this.#frames = []
    this.#stream = this.#behind = undefined
    this.#segment.size = end
  }

  #hole(positions: number, offset: number, end: number): void {
    if (this.#stream !== undefined) throw damaged(this.#segment.file, offset, 'an append ends in a hole')
    this.#places.hole(offset, end - offset, positions)
    this.#segment.size = end
  }
}

/** Whether these segments are those that a file of the index was made from. */
export async function holds(files: readonly Segment[], salt: number, head: RunHead): Promise<boolean> {
  const { offset, end, sum, segments, last } = head
  const before = files.filter(({ first }) => first <= last)
  const same = before.every(({ first, size }, number) => {
    const [knownFirst, knownSize] = segments[number] ?? []
    return first === knownFirst && (knownSize === 0 || size === knownSize)
  })
  if (!same || before.length !== segments.length) return false
  const handle = await open(before.at(-1)!.file, 'r')
  try {
    const start = await readFrom(handle, offset, offset + FRAME_BYTES)
    if (start.length < FRAME_BYTES || frameEnd(start, 0) !== end - offset || start.readUInt32LE(4) !== sum) return false
    const needed = neededEnd(start, 0, end - offset)
    const bytes = needed > start.length ? await readFrom(handle, offset, offset + needed) : start
    return bytes.length >= needed && decodeFrame(bytes, 0, end - offset, salt, offset) !== undefined
  } finally {
    await handle.close()
  }
}

export async function headerOf(file: string) {
  const handle = await open(file, 'r')
  try {
    return decodeHeader(await readFrom(handle, 0, HEADER_BYTES))
  } finally {
    await handle.close()
  }
}

async function changing(file: string, change: (handle: FileHandle) => Promise<void>): Promise<void> {
  const handle = await open(file, 'r+')
  try {
    await change(handle)
  } finally {
    await handle.close()
  }
}
