// Opening a journal: reads all its segments, checks every frame, and builds the index.
//
// K7 What a crash leaves of a group that nobody was told about is a torn tail (tail.ts): it is cut off and reported.
// Everything else that is not as it was written is damage: the journal refuses to open and says where, for what follows
// a damaged place must not be lost in silence.
import { open, stat, truncate, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { damaged, gap } from './damaged.ts'
import { decodeFrame, decodeHeader, FRAME_BYTES, type Frame, frameEnd, HEADER_BYTES } from './format.ts'
import { lastSeq, type Places } from './places.ts'
import { listSegments, readFrom, type Segment, syncFolder } from './segments.ts'
import { tornBytes } from './tail.ts'

const CHUNK = 1 << 20

/** What was found of an unfinished group at the end of the journal and cut off. */
export interface TornTail {
  readonly file: string
  readonly offset: number
  /** Up to the last one that is not zero. */
  readonly bytes: number
}

export interface Recovered {
  readonly segments: Segment[]
  /** Undefined for a new journal. */
  readonly salt: number | undefined
  readonly torn: TornTail | undefined
}

/** Fills the index from the segments of a folder. Rejects with JOURNAL_DAMAGED, or what the file system says. */
export async function recover(folder: string, places: Places): Promise<Recovered> {
  const found = await listSegments(folder)
  const segments: Segment[] = []
  let salt: number | undefined
  let torn: TornTail | undefined
  for (const [number, { file, first }] of found.entries()) {
    const last = number === found.length - 1
    const { size } = await stat(file)
    if (last && size <= HEADER_BYTES && typeof (await headerOf(file)) === 'string') {
      torn = { file, offset: 0, bytes: size }
      await unlink(file)
      await syncFolder(folder)
      break
    }
    if (first !== places.last + 1) throw gap(file, places.last + 1, first)
    const header = await headerOf(file)
    if (typeof header === 'string') throw damaged(file, 0, header)
    if (header.first !== first) throw damaged(file, 16, `its header names position ${header.first} as its first`)
    if (salt !== undefined && header.salt !== salt) throw damaged(file, 12, 'it belongs to another journal')
    salt = header.salt
    const end = await scan(file, size, salt, places)
    if (end < size) {
      if (!last) throw damaged(file, end, 'a frame is not as it was written')
      const bytes = await tornBytes(file, end, size, salt)
      if (bytes > 0) {
        torn = { file, offset: end, bytes }
        await cut(file, end)
      }
    }
    segments.push({ file, first, size: end })
  }
  return { segments, salt, torn }
}

/** Reads a segment into the index; returns where its last whole append ends. */
async function scan(file: string, size: number, salt: number, places: Places): Promise<number> {
  const handle = await open(file, 'r')
  try {
    const appends = new Appends(file, places)
    let start = HEADER_BYTES
    let wanted = CHUNK
    while (start < size) {
      const chunk = await readFrom(handle, start, Math.min(size, start + wanted))
      let at = 0
      wanted = CHUNK
      while (at + FRAME_BYTES <= chunk.length) {
        const end = frameEnd(chunk, at)
        if (end === undefined || start + end > size) return appends.end
        if (end > chunk.length) {
          wanted = Math.max(CHUNK, end - at)
          break
        }
        const frame = decodeFrame(chunk, at, end, salt)
        if (frame === undefined) return appends.end
        appends.add(frame, start + at, start + end)
        at = end
      }
      if (at === 0 && wanted === CHUNK) break
      start += at
    }
    return appends.end
  } finally {
    await handle.close()
  }
}

/** Takes frames in, append by append: one that is not whole is not there. */
class Appends {
  /** Where the last whole append ends. */
  end = HEADER_BYTES
  readonly #file: string
  readonly #places: Places
  #offsets: number[] = []
  #stream: string | undefined

  constructor(file: string, places: Places) {
    this.#file = file
    this.#places = places
  }

  add({ stream, seq, codec, more, trim }: Frame, offset: number, end: number): void {
    if (codec !== 0) throw damaged(this.#file, offset, `it is written with codec ${codec}, which is not known here`)
    const known = this.#places.find(stream)
    const last = known === undefined ? 0 : lastSeq(known)
    if (trim) {
      if (known === undefined || seq < 1 || seq > last || this.#stream !== undefined) {
        throw damaged(this.#file, offset, `it trims ${stream} before ${seq}, which is out of order`)
      }
      this.#places.trim(known, offset, seq)
      this.end = end
      return
    }
    if (seq !== last + this.#offsets.length + 1 || (this.#stream ?? stream) !== stream) {
      throw damaged(this.#file, offset, `it is record ${seq} of ${stream}, which is out of order`)
    }
    this.#offsets.push(offset)
    this.#stream = stream
    if (more) return
    const places = known ?? this.#places.begin(stream)
    for (const one of this.#offsets) this.#places.add(places, one)
    places.claimed = lastSeq(places)
    this.#offsets = []
    this.#stream = undefined
    this.end = end
  }
}

async function headerOf(file: string) {
  const handle = await open(file, 'r')
  try {
    return decodeHeader(await readFrom(handle, 0, HEADER_BYTES))
  } finally {
    await handle.close()
  }
}

async function cut(file: string, size: number): Promise<void> {
  await truncate(file, size)
  const handle = await open(file, 'r+')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
  await syncFolder(dirname(file))
}
