// The file of snapshots: frames as in a segment, one behind the other, the last of each stream counts. It is a cache
// (K3): not synced, deleted by whoever likes to. A table beside the index says where they are (snapshot-places.ts).
//
// frame   as in format.ts, its seq is that of the record it was taken after; its text begins with that record's checksum
//
// K3 what is not, with name, seq and checksum, where it should be is not there.
// K12 texts go through the journal's codec; a file with plain texts is begun anew once there is one.
// K9 once more than half of it is out of date it is written anew, so that it stays in proportion to what it holds.
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { writeAll } from '../../files.ts'
import { makeFolders } from '../../make-folders.ts'
import type { Coding } from '../segments/coding.ts'
import {
  type Coded,
  decodeFrame,
  encodeCoded,
  encodeFrame,
  type Frame,
  frameEnd,
  frameRoom,
} from '../segments/format.ts'
import { readFrom } from '../segments/segments.ts'
import { type SnapshotPlace, SnapshotPlaces } from './snapshot-places.ts'

/** Bytes of a buffer for those that are written at once. */
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

/** The file and the table that belongs to it. */
interface Files {
  readonly handle: FileHandle
  readonly places: SnapshotPlaces
}

export class SnapshotFile {
  readonly #path: string
  readonly #placesPath: string
  readonly #salt: number
  readonly #coding: Coding
  #files: Files
  #end: number

  private constructor(path: string, placesPath: string, salt: number, coding: Coding, files: Files, end: number) {
    this.#path = path
    this.#placesPath = placesPath
    this.#salt = salt
    this.#coding = coding
    this.#files = files
    this.#end = end
  }

  static exists(path: string): Promise<boolean> {
    return stat(path).then(
      () => true,
      () => false,
    )
  }

  /** Opens it, or a new one. */
  static async open(path: string, placesPath: string, journalSalt: number, coding: Coding): Promise<SnapshotFile> {
    const salt = (journalSalt ^ FORMAT) >>> 0
    const coded = coding.codec !== undefined
    await makeFolders(dirname(placesPath))
    const handle = await open(path, (await SnapshotFile.exists(path)) ? 'r+' : 'w+', 0o600)
    try {
      const there = await SnapshotPlaces.open(placesPath, salt, coded)
      if (there === undefined) await handle.truncate(0)
      const places = there ?? (await SnapshotPlaces.create(placesPath, salt, coded))
      return new SnapshotFile(path, placesPath, salt, coding, { handle, places }, (await handle.stat()).size)
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  /** The seq of the snapshot that is kept of a stream, 0 for none; may be wrong where the table is. */
  async seqOf(stream: string): Promise<number> {
    return (await this.#files.places.find(stream))?.seq ?? 0
  }

  /** Undefined where there is none, or it is not as it was written, or its key is gone. Rejects with what the codec throws. */
  async read(stream: string): Promise<Kept | undefined> {
    const files = this.#files
    try {
      return await this.#readIn(files, stream)
    } catch (error) {
      if (files === this.#files) throw error
      return this.#readIn(this.#files, stream) // it was written anew meanwhile
    }
  }

  async #readIn({ handle, places }: Files, stream: string): Promise<Kept | undefined> {
    const place = await places.find(stream)
    const found = place && (await this.#frameAt(handle, place))
    if (found === undefined) return undefined
    const { frame, bytes } = found
    if (frame.stream !== stream || frame.seq !== place?.seq) return undefined
    const text = this.#coding.decode(frame, 'snapshot', bytes, bytes.length, { file: this.#path, offset: place.at })
    if (text === undefined) return undefined
    const sum = Number.parseInt(text.slice(0, SUM_DIGITS), 16)
    return { stream, seq: frame.seq, text: text.slice(SUM_DIGITS), sum }
  }

  async #frameAt(handle: FileHandle, place: SnapshotPlace): Promise<{ frame: Frame; bytes: Buffer } | undefined> {
    const bytes = await readFrom(handle, place.at, place.at + place.bytes)
    if (bytes.length !== place.bytes || frameEnd(bytes, 0) !== bytes.length) return undefined
    const frame = decodeFrame(bytes, 0, bytes.length, this.#salt, place.at)
    return frame && { frame, bytes }
  }

  /**
   * Writes snapshots behind the others, without those that the codec refuses; writes the file anew when that has become
   * worth it.
   */
  async write(snapshots: readonly Kept[]): Promise<void> {
    let bytes = Buffer.allocUnsafe(CHUNK)
    const places: (SnapshotPlace & { stream: string })[] = []
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
      places.push({ stream, seq, at: this.#end + used, bytes: end - used })
      used = end
    }
    await writeAll(this.#files.handle, bytes.subarray(0, used), this.#end)
    this.#end += used
    await this.#files.places.note(places)
    if (this.#end > 2 * this.#files.places.live + SLACK_BYTES) await this.#writeAnew()
  }

  /** Leaves no byte of those that are out of date, or for which `counts` does not hold. */
  clean(counts: (stream: string, seq: number) => Promise<boolean>): Promise<void> {
    return this.#writeAnew(counts)
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
    return close(this.#files)
  }

  /** Copies what is not out of date. */
  async #writeAnew(counts?: (stream: string, seq: number) => Promise<boolean>): Promise<void> {
    const old = this.#files
    const path = `${this.#path}.new`
    const placesPath = `${this.#placesPath}.new`
    const handle = await open(path, 'w+', 0o600)
    let places: SnapshotPlaces | undefined
    let end = 0
    try {
      places = await SnapshotPlaces.create(placesPath, this.#salt, this.#coding.codec !== undefined, old.places)
      await places.take(old.places, async (place) => {
        const found = await this.#frameAt(old.handle, place)
        if (found === undefined) return undefined
        if (counts !== undefined && !(await counts(found.frame.stream, found.frame.seq))) return undefined
        const at = end
        await writeAll(handle, found.bytes, at)
        end += found.bytes.length
        return { ...place, at }
      })
      // Between these two, a table that does not fit its file is a file without snapshots.
      await rename(placesPath, this.#placesPath)
      await rename(path, this.#path)
    } catch (error) {
      await handle.close()
      await places?.close()
      await rm(path, { force: true })
      await rm(placesPath, { force: true })
      throw error
    }
    this.#files = { handle, places }
    this.#end = end
    await close(old)
  }
}

async function close({ handle, places }: Files): Promise<void> {
  await handle.close()
  await places.close()
}
