// The file of snapshots: frames as in a segment, one behind the other, the last of each stream counts. It is a cache
// (K3): not synced, cut at the first frame that is not as it was written, deleted by whoever likes to.
//
// frame   as in format.ts, its seq is that of the record it was taken after; its text begins with that record's checksum
//
// K12 texts go through the journal's codec; a file with plain texts is begun anew once there is one.
// K9 once more than half of it is out of date it is written anew, so that it stays in proportion to what it holds.
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises'
import type { Coding } from './coding.ts'
import { type Coded, decodeFrame, encodeCoded, encodeFrame, FRAME_BYTES, frameEnd, frameRoom } from './format.ts'
import { readFrom } from './segments.ts'

const CHUNK = 1 << 20
/** So many bytes may be out of date before it is written anew, however little it holds. */
const SLACK_BYTES = 1 << 24
/** Mixed into the journal's salt, so that neither can be taken for the other. Changes with the format. */
const FORMAT = 0x736e6170
/** Digits of the record's checksum. */
const SUM_DIGITS = 8

export interface Kept {
  readonly stream: string
  readonly seq: number
  readonly text: string
  /** The checksum of the record with its seq. */
  readonly sum: number
}

interface Place {
  readonly seq: number
  readonly at: number
  readonly end: number
}

export class SnapshotFile {
  readonly #path: string
  readonly #salt: number
  readonly #coding: Coding
  #handle: FileHandle
  #places = new Map<string, Place>()
  #end = 0
  /** Bytes of it that are not out of date. */
  #live = 0

  private constructor(path: string, salt: number, coding: Coding, handle: FileHandle) {
    this.#path = path
    this.#salt = salt
    this.#coding = coding
    this.#handle = handle
  }

  static exists(path: string): Promise<boolean> {
    return stat(path).then(
      () => true,
      () => false,
    )
  }

  /** Opens it, or a new one, and reads which snapshots it holds. */
  static async open(path: string, journalSalt: number, coding: Coding): Promise<SnapshotFile> {
    const handle = await open(path, (await SnapshotFile.exists(path)) ? 'r+' : 'w+', 0o600)
    const file = new SnapshotFile(path, (journalSalt ^ FORMAT) >>> 0, coding, handle)
    try {
      await file.#scan()
      await handle.truncate(file.#end)
    } catch (error) {
      await handle.close()
      throw error
    }
    return file
  }

  /** The seq of the snapshot that is kept of a stream, 0 for none. */
  seqOf(stream: string): number {
    return this.#places.get(stream)?.seq ?? 0
  }

  /** Undefined where there is none, or it is not as it was written, or its key is gone. Rejects with what the codec throws. */
  async read(stream: string): Promise<Kept | undefined> {
    const place = this.#places.get(stream)
    if (place === undefined) return undefined
    const bytes = await readFrom(this.#handle, place.at, place.end)
    const frame =
      bytes.length === place.end - place.at ? decodeFrame(bytes, 0, bytes.length, this.#salt, place.at) : undefined
    if (frame?.stream !== stream || frame.seq !== place.seq) return undefined
    const text = this.#coding.decode(frame, 'snapshot', bytes, bytes.length, { file: this.#path, offset: place.at })
    if (text === undefined) return undefined
    const sum = Number.parseInt(text.slice(0, SUM_DIGITS), 16)
    return { stream, seq: frame.seq, text: text.slice(SUM_DIGITS), sum }
  }

  /**
   * Writes snapshots behind the others, without those that the codec refuses; writes the file anew when that has become
   * worth it.
   */
  async write(snapshots: readonly Kept[]): Promise<void> {
    let bytes = Buffer.allocUnsafe(CHUNK)
    const places: [string, Place][] = []
    let used = 0
    for (const { stream, seq, sum, text } of snapshots) {
      const frameText = sum.toString(16).padStart(SUM_DIGITS, '0') + text
      const coded = this.#encode(stream, seq, frameText)
      if (coded === undefined) continue
      const room =
        used + (typeof coded === 'string' ? frameRoom(stream, coded) : frameRoom(stream, '') + coded.bytes.length)
      if (room > bytes.length) bytes = Buffer.concat([bytes.subarray(0, used)], Math.max(room, bytes.length * 2))
      const end =
        typeof coded === 'string'
          ? encodeFrame(bytes, used, this.#salt, stream, seq, 0, coded)
          : encodeCoded(bytes, used, this.#salt, stream, seq, 0, coded)
      places.push([stream, { seq, at: this.#end + used, end: this.#end + end }])
      used = end
    }
    await writeAll(this.#handle, bytes.subarray(0, used), this.#end)
    this.#end += used
    for (const [stream, place] of places) this.#place(stream, place)
    if (this.#end > 2 * this.#live + SLACK_BYTES) await this.#writeAnew()
  }

  /** Leaves no byte of those that are out of date, or for which `counts` does not hold. */
  async clean(counts: (stream: string, seq: number) => Promise<boolean>): Promise<void> {
    for (const [stream, { seq, at, end }] of this.#places) {
      if (await counts(stream, seq)) continue
      this.#places.delete(stream)
      this.#live -= end - at
    }
    if (this.#end > this.#live) await this.#writeAnew()
  }

  #encode(stream: string, seq: number, text: string): string | Coded | undefined {
    if (this.#coding.codec === undefined) return text
    try {
      return this.#coding.encode(text, { stream, seq, kind: 'snapshot' })
    } catch {
      return undefined
    }
  }

  close(): Promise<void> {
    return this.#handle.close()
  }

  #place(stream: string, place: Place): void {
    const before = this.#places.get(stream)
    if (before !== undefined) this.#live -= before.end - before.at
    this.#places.set(stream, place)
    this.#live += place.end - place.at
  }

  async #scan(): Promise<void> {
    const { size } = await this.#handle.stat()
    let wanted = CHUNK
    while (this.#end < size) {
      const chunk = await readFrom(this.#handle, this.#end, Math.min(size, this.#end + wanted))
      let at = 0
      wanted = CHUNK
      while (at + FRAME_BYTES <= chunk.length) {
        const end = frameEnd(chunk, at)
        if (end === undefined || this.#end + end > size) return void (this.#end += at)
        if (end > chunk.length) {
          wanted = Math.max(CHUNK, end - at)
          break
        }
        const frame = decodeFrame(chunk, at, end, this.#salt, this.#end + at)
        if (frame === undefined) return void (this.#end += at)
        if (frame.codec === 0 && this.#coding.codec !== undefined) return this.#beginAnew()
        this.#place(frame.stream, { seq: frame.seq, at: this.#end + at, end: this.#end + end })
        at = end
      }
      if (at === 0 && wanted === CHUNK) return
      this.#end += at
    }
  }

  /** What was kept in plain text goes as soon as there is a codec. */
  #beginAnew(): void {
    this.#places.clear()
    this.#end = 0
    this.#live = 0
  }

  /** Copies what is not out of date; a reader that has begun reads on in the old file. */
  async #writeAnew(): Promise<void> {
    const path = `${this.#path}.new`
    const handle = await open(path, 'w+', 0o600)
    const places = new Map<string, Place>()
    let end = 0
    try {
      for (const [stream, { seq, at, end: until }] of this.#places) {
        const bytes = await readFrom(this.#handle, at, until)
        await writeAll(handle, bytes, end)
        places.set(stream, { seq, at: end, end: end + bytes.length })
        end += bytes.length
      }
      await rename(path, this.#path)
    } catch (error) {
      await handle.close()
      await rm(path, { force: true })
      throw error
    }
    const old = this.#handle
    this.#handle = handle
    this.#places = places
    this.#end = end
    this.#live = end
    await old.close()
  }
}

async function writeAll(handle: FileHandle, bytes: Buffer, offset: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await handle.write(bytes, done, bytes.length - done, offset + done)).bytesWritten
  }
}
