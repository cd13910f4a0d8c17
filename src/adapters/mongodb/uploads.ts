// What is under way: the ids of files stand in their unit's document before the first byte is sent, so that whatever ends
// an upload, a sweep finds what it left.
//
// An upload is swept in two steps, `abandoned` apart: taken, so that it can't be published, and its bytes removed; then
// removed once more, with what came late, and forgotten. A note may come late, too, after the upload was published: what a
// unit has is told by its `rev`, never by the list alone (I1).
import type { Collection, Db } from 'mongodb'
import type { Bytes } from './bytes.ts'
import type { Commands } from './commands.ts'
import { isDuplicate, isUnheardOf, isUnsent } from './errors.ts'
import type { UnitDocument, Upload } from './units.ts'

/** Of `abandoned`: how long an upload goes on before it says again that it does. */
const BEAT = 1 / 10

/** An upload that was taken for abandoned, as this process has slept. */
export class Swept extends Error {}

export class Uploads {
  readonly #db: Db
  readonly #units: Collection<UnitDocument>
  readonly #bytes: Bytes
  readonly #commands: Commands
  readonly #abandoned: number
  /** What the server's clock is ahead of ours, ms: hosts need not agree on the time. */
  #ahead = 0
  /** Own ones that came to nothing. */
  readonly #failed = new Map<Upload, string>()
  #sweptAt = Date.now()

  constructor(db: Db, units: Collection<UnitDocument>, bytes: Bytes, commands: Commands, abandoned: number) {
    this.#db = db
    this.#units = units
    this.#bytes = bytes
    this.#commands = commands
    this.#abandoned = abandoned
  }

  async prepare(signal?: AbortSignal): Promise<void> {
    await this.#commands.index(() => this.#units.createIndex({ 'uploads.at': 1 }), signal)
  }

  /** Notes an upload before it begins. What earlier ones have left is removed first, as far as that works. */
  async begin(key: string, upload: Omit<Upload, 'at'>, signal?: AbortSignal): Promise<Upload> {
    await this.#tidy(signal).catch((error) => {
      if (isUnsent(error)) throw error // else it stays for the next time; who calls `sweep` is told
    })
    await this.#setClock(signal)
    const noted = { ...upload, at: this.now() }
    // again on a duplicate: another upload has made the document just now; and if it stays, this one is noted already
    if (!(await this.#note(key, noted, signal))) await this.#note(key, noted, signal)
    return noted
  }

  async #tidy(signal?: AbortSignal): Promise<void> {
    const isDue = Date.now() - this.#sweptAt > this.#abandoned
    if (isDue) this.#sweptAt = Date.now() // also where it fails: not before each upload
    await (isDue ? this.sweep(signal) : this.clear(signal))
  }

  /** False for a duplicate. */
  async #note(key: string, upload: Upload, signal?: AbortSignal): Promise<boolean> {
    const isNew = { _id: key, 'uploads.id': { $ne: upload.id } }
    const note = () => this.#units.updateOne(isNew, { $push: { uploads: upload } }, { upsert: true })
    try {
      await this.#commands.ask(note, signal)
      return true
    } catch (error) {
      if (!isDuplicate(error)) throw error
      return false
    }
  }

  /** Says that an upload goes on, where it was not said for long. Throws Swept. */
  beat(key: string, upload: Upload, signal?: AbortSignal): () => Promise<void> {
    let last = Date.now()
    return async () => {
      // by the clock on the wall, which goes on while the machine is suspended, and may be put back
      if (Math.abs(Date.now() - last) < this.#abandoned * BEAT) return
      const at = this.now()
      const { matchedCount } = await this.#commands.ask(
        () => this.#units.updateOne(open(key, upload), { $set: { 'uploads.$.at': at } }),
        signal,
      )
      if (matchedCount === 0) throw new Swept()
      last = Date.now()
    }
  }

  /** Remembers an upload that came to nothing, for the next `clear`. */
  failed(key: string, upload: Upload): void {
    this.#failed.set(upload, key)
  }

  /** Removes what uploads of this store have left that came to nothing. */
  async clear(signal?: AbortSignal): Promise<void> {
    for (const [upload, key] of this.#failed) {
      const taken = await this.#take(upload, open(key, upload), signal)
      // swept meanwhile, with what came before; or published after all, though nobody could say so
      if (!taken && !(await this.#isPublished(key, upload, signal))) await this.#bytes.remove(upload.files, signal)
      this.#failed.delete(upload)
    }
  }

  /** The answer: how many uploads it has removed bytes of. */
  async sweep(signal?: AbortSignal): Promise<number> {
    await this.clear(signal)
    await this.#setClock(signal)
    const before = new Date(this.now().getTime() - this.#abandoned)
    const left = await this.#commands.ask(
      () =>
        this.#units
          .find({ 'uploads.at': { $lt: before } }, { projection: { uploads: 1 }, ...this.#commands.reading })
          .toArray(),
      signal,
    )
    let swept = 0
    for (const { _id: key, uploads = [] } of left) {
      for (const upload of uploads) {
        if (upload.at >= before) continue
        const { id, at } = upload
        const seen = { _id: key, rev: { $ne: id }, uploads: { $elemMatch: { id, at } } }
        const taken = await this.#take(upload, seen, signal)
        if (taken?.hadBytes) swept++
        // of one that is published only the note goes
        const isOver = taken ? upload.swept : await this.#isPublished(key, upload, signal)
        if (isOver) await this.#commands.ask(() => this.#forget(key, upload), signal)
      }
      await this.#commands.ask(
        () => this.#units.deleteOne({ _id: key, rev: { $exists: false }, uploads: { $size: 0 } }),
        signal,
      )
    }
    this.#sweptAt = Date.now()
    return swept
  }

  /** From here on it can't be published; then its bytes go. Undefined: somebody else has it, or it is published. */
  async #take({ files }: Upload, filter: object, signal?: AbortSignal): Promise<{ hadBytes: boolean } | undefined> {
    const at = this.now()
    const { matchedCount } = await this.#commands.ask(
      () => this.#units.updateOne(filter, { $set: { 'uploads.$.swept': true, 'uploads.$.at': at } }),
      signal,
    )
    return matchedCount > 0 ? { hadBytes: await this.#bytes.remove(files, signal) } : undefined
  }

  async #isPublished(key: string, { id }: Upload, signal?: AbortSignal): Promise<boolean> {
    const published = () =>
      this.#units.findOne({ _id: key, rev: id }, { projection: { _id: 1 }, ...this.#commands.reading })
    return (await this.#commands.ask(published, signal)) !== null
  }

  #forget(key: string, { id }: Upload) {
    return this.#units.updateOne({ _id: key }, { $pull: { uploads: { id } } })
  }

  /** By the server's clock, as it was last looked at. */
  now(): Date {
    return new Date(Date.now() + this.#ahead)
  }

  async #setClock(signal?: AbortSignal): Promise<void> {
    const { localTime } = await this.#commands
      .ask(() => this.#db.command({ hello: 1 }), signal)
      .catch((error) => {
        if (isUnheardOf(error)) return { localTime: undefined } // before 4.2.10: the hosts' clocks have to do
        throw error
      })
    this.#ahead = localTime instanceof Date ? localTime.getTime() - Date.now() : 0
  }
}

/** The upload, unless a sweep has it, or it is published. */
const open = (key: string, { id }: Upload) => ({
  _id: key,
  rev: { $ne: id },
  uploads: { $elemMatch: { id, swept: { $exists: false } } },
})
