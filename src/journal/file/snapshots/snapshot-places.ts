// Where the newest snapshot of each stream is in the file of snapshots: a table on disk, so that neither memory nor the time
// to open grow with their number (K9). A page of it is read to find one, and written to note one.
//
// K3 what it says is a hint: whoever follows it looks whether that very snapshot is there. So it is not synced, and what is
// lost or damaged of it is a snapshot that is not found.
//
// head   8 magic | u32 salt | u8 2-logarithm of the number of pages | u8 1: no text is plain | u16 0 | f64 how many slots
//        are taken | f64 bytes of all snapshots that are named | u32 crc of all before; the pages begin at 4096
// page   slots: u32 hash of the stream's name | u32 another hash | f64 seq | f64 where it begins | u32 bytes, 0: free |
//        u32 crc of all before
import { type FileHandle, open } from 'node:fs/promises'
import { writeAll } from '../../files.ts'
import { hashOf } from '../index/names.ts'
import { PAGE_BYTES } from '../index/pages.ts'
import { crc } from '../segments/crc.ts'
import { readFrom } from '../segments/segments.ts'

const MAGIC = 'duramenp'
const HEAD_BYTES = 36
const SLOT_BYTES = 32
const SLOTS = PAGE_BYTES / SLOT_BYTES
/** The table is made twice as large before more than that of it is taken: a page that is full forgets its oldest. */
const FULL = 0.6

export interface SnapshotPlace {
  readonly seq: number
  readonly at: number
  readonly bytes: number
}

export class SnapshotPlaces {
  readonly #handle: FileHandle
  readonly #salt: number
  readonly #coded: boolean
  #bits: number
  #count: number
  /** Bytes of the snapshots that it names. */
  live: number

  private constructor(handle: FileHandle, salt: number, coded: boolean, bits = 0, count = 0, live = 0) {
    this.#handle = handle
    this.#salt = salt
    this.#coded = coded
    this.#bits = bits
    this.#count = count
    this.live = live
  }

  /** Opens what is there for snapshots of that salt; undefined where it is of no use, as where plain texts are to be coded. */
  static async open(path: string, salt: number, coded: boolean): Promise<SnapshotPlaces | undefined> {
    const handle = await open(path, 'r+').catch(() => undefined)
    if (handle === undefined) return undefined
    try {
      const head = await readFrom(handle, 0, HEAD_BYTES)
      const whole = head.length === HEAD_BYTES && crc(head, 0, HEAD_BYTES - 4, 0) === head.readUInt32LE(HEAD_BYTES - 4)
      const own = whole && head.toString('latin1', 0, 8) === MAGIC && head.readUInt32LE(8) === salt
      if (own && head[13]! >= +coded) {
        return new SnapshotPlaces(handle, salt, coded, head[12]!, head.readDoubleLE(16), head.readDoubleLE(24))
      }
    } catch {
      // It is made anew.
    }
    await handle.close()
    return undefined
  }

  /** An empty one; as large as another, if that is to be written anew. */
  static async create(path: string, salt: number, coded: boolean, like?: SnapshotPlaces): Promise<SnapshotPlaces> {
    const made = new SnapshotPlaces(await open(path, 'w+', 0o600), salt, coded, like === undefined ? 0 : like.#bits)
    try {
      await made.#save()
    } catch (error) {
      await made.close()
      throw error
    }
    return made
  }

  async find(stream: string): Promise<SnapshotPlace | undefined> {
    const hash = hashOf(stream)
    const page = await this.#read(this.#pageOf(hash))
    const slot = slotOf(page, hash, otherHashOf(stream))
    return slot === undefined ? undefined : placeAt(page, slot)
  }

  /** Notes where snapshots are. */
  async note(places: readonly (SnapshotPlace & { readonly stream: string })[]): Promise<void> {
    while (this.#count + places.length > FULL * SLOTS * 2 ** this.#bits) await this.#double()
    const hashed = places.map((place) => ({ place, hash: hashOf(place.stream) }))
    hashed.sort((one, other) => one.hash - other.hash)
    for (let next = 0; next < hashed.length; ) {
      const number = this.#pageOf(hashed[next]!.hash)
      const page = await this.#read(number)
      for (; next < hashed.length && this.#pageOf(hashed[next]!.hash) === number; next++) {
        const { place, hash } = hashed[next]!
        this.#put(page, hash, otherHashOf(place.stream), place)
      }
      await this.#write(number, page)
    }
    await this.#save()
  }

  /** Names all that another names, where `move` says that they are now; in the order of its pages. */
  async take(other: SnapshotPlaces, move: (place: SnapshotPlace) => Promise<SnapshotPlace | undefined>): Promise<void> {
    for (let number = 0; number < 2 ** this.#bits; number++) {
      const page = await other.#read(number)
      const moved = Buffer.alloc(PAGE_BYTES)
      for (const slot of taken(page)) {
        const there = placeAt(page, slot)
        const place = there && (await move(there))
        if (place !== undefined) this.#put(moved, page.readUInt32LE(slot), page.readUInt32LE(slot + 4), place)
      }
      await this.#write(number, moved)
    }
    await this.#save()
  }

  async #save(): Promise<void> {
    const head = Buffer.alloc(HEAD_BYTES)
    head.write(MAGIC, 'latin1')
    head.writeUInt32LE(this.#salt, 8)
    head[12] = this.#bits
    head[13] = +this.#coded
    head.writeDoubleLE(this.#count, 16)
    head.writeDoubleLE(this.live, 24)
    head.writeUInt32LE(crc(head, 0, HEAD_BYTES - 4, 0), HEAD_BYTES - 4)
    await writeAll(this.#handle, head, 0)
  }

  close(): Promise<void> {
    return this.#handle.close()
  }

  #put(page: Buffer, hash: number, other: number, { seq, at, bytes }: SnapshotPlace): void {
    let slot = slotOf(page, hash, other) ?? slotOf(page, 0, 0, true)
    if (slot === undefined) {
      slot = 0
      for (const one of taken(page)) if (page.readDoubleLE(one + 16) < page.readDoubleLE(slot + 16)) slot = one
    }
    if (page.readUInt32LE(slot + 24) === 0) this.#count++
    this.live += bytes - (placeAt(page, slot)?.bytes ?? 0)
    page.writeUInt32LE(hash, slot)
    page.writeUInt32LE(other, slot + 4)
    page.writeDoubleLE(seq, slot + 8)
    page.writeDoubleLE(at, slot + 16)
    page.writeUInt32LE(bytes, slot + 24)
    page.writeUInt32LE(sumOf(page, slot), slot + 28)
  }

  /** Each page becomes two, from the last to the first, so that none is overwritten before it is read. */
  async #double(): Promise<void> {
    const shift = 31 - this.#bits
    for (let number = 2 ** this.#bits - 1; number >= 0; number--) {
      const page = await this.#read(number)
      const halves = [Buffer.alloc(PAGE_BYTES), Buffer.alloc(PAGE_BYTES)]
      for (const slot of taken(page)) {
        const half = halves[(page.readUInt32LE(slot) >>> shift) & 1]!
        page.copy(half, slotOf(half, 0, 0, true)!, slot, slot + SLOT_BYTES)
      }
      await this.#write(2 * number + 1, halves[1]!)
      await this.#write(2 * number, halves[0]!)
    }
    this.#bits++
  }

  #pageOf(hash: number): number {
    return this.#bits === 0 ? 0 : hash >>> (32 - this.#bits)
  }

  async #read(number: number): Promise<Buffer> {
    const start = (number + 1) * PAGE_BYTES
    const bytes = await readFrom(this.#handle, start, start + PAGE_BYTES)
    return bytes.length === PAGE_BYTES ? bytes : Buffer.alloc(PAGE_BYTES)
  }

  #write(number: number, page: Buffer): Promise<void> {
    return writeAll(this.#handle, page, (number + 1) * PAGE_BYTES)
  }
}

function otherHashOf(stream: string): number {
  const bytes = Buffer.from(stream)
  return crc(bytes, 0, bytes.length, 0)
}

/** The slot of a stream, or the first free one. */
function slotOf(page: Buffer, hash: number, other: number, free = false): number | undefined {
  for (let slot = 0; slot < PAGE_BYTES; slot += SLOT_BYTES) {
    if ((page.readUInt32LE(slot + 24) === 0) !== free) continue
    if (free || (page.readUInt32LE(slot) === hash && page.readUInt32LE(slot + 4) === other)) return slot
  }
  return undefined
}

function* taken(page: Buffer): Generator<number> {
  for (let slot = 0; slot < PAGE_BYTES; slot += SLOT_BYTES) if (page.readUInt32LE(slot + 24) > 0) yield slot
}

const sumOf = (page: Buffer, slot: number) => crc(page, slot, slot + SLOT_BYTES - 4, 0)

/** Undefined where the slot is free or not as it was written. */
function placeAt(page: Buffer, slot: number): SnapshotPlace | undefined {
  const bytes = page.readUInt32LE(slot + 24)
  if (bytes === 0 || page.readUInt32LE(slot + 28) !== sumOf(page, slot)) return undefined
  return { seq: page.readDoubleLE(slot + 8), at: page.readDoubleLE(slot + 16), bytes }
}
