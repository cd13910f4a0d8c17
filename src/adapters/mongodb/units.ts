// The document of a key in `<collection>.units`: the unit once it is published, and the uploads that are under way for it.
//
// I3 publishing is one write to one document, which also takes the upload out of those under way: it happens for an upload
// that no sweep has taken, where no other unit has been published, or not at all.
import type { Collection, ObjectId, UpdateFilter } from 'mongodb'
import { DuramenError } from '../../ports/errors.ts'
import { isHash } from '../../ports/given.ts'
import type { Commands } from './commands.ts'
import { isDuplicate, isUnknown, isUnsent } from './errors.ts'

/** Keys that are listed by one command. */
const PAGE = 1000

/** An output is in its unit's document, or a file of GridFS. */
export type StoredOutput = { code: string | null; size: number; sha256: string } & (
  | { bytes: Buffer; file?: undefined }
  | { file: ObjectId; bytes?: undefined }
)

/** A unit as it is stored. */
export interface Unit {
  /** New with each publication. */
  rev: ObjectId
  name: string
  /** JSON: its keys may have dots and dollars. */
  info: string
  outputs: StoredOutput[]
}

/** Files that no unit has, or not yet. */
export interface Upload {
  /** The `rev` of the unit it is to become, or that it was. */
  id: ObjectId
  files: ObjectId[]
  /** When it was last heard of, by the server's clock. */
  at: Date
  /** No unit will ever have these files. */
  swept?: true
}

export interface UnitDocument extends Partial<Unit> {
  _id: string
  uploads?: Upload[]
}

export class Units {
  readonly #units: Collection<UnitDocument>
  readonly #commands: Commands
  /** The driver sends a write again by itself: that it found no server then does not say that nothing was sent. */
  readonly #isResent: boolean

  constructor(units: Collection<UnitDocument>, commands: Commands, isResent: boolean) {
    this.#units = units
    this.#commands = commands
    this.#isResent = isResent
  }

  /** The unit as a majority has it; undefined when there is none. */
  async get(key: string, signal?: AbortSignal): Promise<Unit | undefined> {
    const document = await this.#commands.ask(
      () => this.#units.findOne({ _id: key }, { projection: { uploads: 0 }, ...this.#commands.reading }),
      signal,
    )
    if (document === null || Object.keys(document).length === 1) return undefined
    const unit = parse(document, this.#units.namespace)
    return this.#commands.seesMajority || (await this.#stays(key, unit, signal)) ? unit : await this.get(key, signal)
  }

  /** I1: where no majority can be read from, the unit is written as it is, and a majority has to have that. */
  async #stays(key: string, { rev }: Unit, signal?: AbortSignal): Promise<boolean> {
    const asItIs = () => this.#units.updateOne({ _id: key, rev }, { $set: { rev } })
    return (await this.#commands.ask(asItIs, signal)).matchedCount > 0
  }

  /**
   * Publishes a unit in place of `replaced`, whose files are then left to the sweep, or of none. The answer: what is
   * published now, which may be somebody else's. OUTCOME_UNKNOWN.
   */
  async publish(
    key: string,
    unit: Unit,
    { replaced, upload, at }: { replaced: Unit | undefined; upload: Upload | undefined; at: Date },
    signal?: AbortSignal,
  ): Promise<Unit | undefined> {
    const filter = {
      _id: key,
      rev: replaced?.rev ?? { $exists: false },
      ...(upload && { uploads: { $elemMatch: { id: upload.id, swept: { $exists: false } } } }),
    }
    const change = () =>
      this.#units.updateOne(filter, changeTo(unit, upload, replaced && leftOf(replaced, at)), {
        upsert: !upload && !replaced,
      })
    try {
      await this.#commands.ask(change, signal)
    } catch (error) {
      // a duplicate: somebody was first, or this very command, whose answer was lost
      const isUnsure = isUnknown(error) && (this.#isResent || !isUnsent(error))
      if (isUnsure) return await this.#decided(key, unit, error, signal)
      if (!isDuplicate(error)) throw error
    }
    return await this.get(key, signal)
  }

  /** K11: what the server would not say is read from it. */
  async #decided(key: string, unit: Unit, cause: unknown, signal?: AbortSignal): Promise<Unit> {
    const now = await this.get(key, signal).catch(() => undefined)
    if (now?.rev.equals(unit.rev)) return now
    throw new DuramenError(
      'OUTCOME_UNKNOWN',
      `Whether ${key} was published is not known: ${(cause as Error).message}`,
      {
        cause,
        hint: 'Put it again: if it was, it is recognised.',
        retryable: true,
      },
    )
  }

  /** In order, by pages: no cursor has to last for as long as the caller takes, and each page is asked for as any read is. */
  async *keys(): AsyncGenerator<string> {
    for (let last = ''; ; ) {
      const after = { _id: { $gt: last }, rev: { $exists: true } }
      const options = { projection: { _id: 1 }, sort: { _id: 1 }, limit: PAGE, batchSize: PAGE } as const
      const page = await this.#commands.ask(() =>
        this.#units.find(after, { ...options, ...this.#commands.reading }).toArray(),
      )
      for (const { _id } of page) if (isHash(_id)) yield _id
      if (page.length < PAGE) return
      last = page.at(-1)!._id
    }
  }
}

/** The files of a unit that is replaced, for the sweep. */
function leftOf({ rev, outputs }: Unit, at: Date): Upload | undefined {
  const files = outputs.flatMap(({ file }) => file ?? [])
  return files.length > 0 ? { id: rev, files, at, swept: true } : undefined
}

function changeTo(unit: Unit, upload: Upload | undefined, left: Upload | undefined): UpdateFilter<UnitDocument> {
  // in the place of its own upload: one write can't take from a list and add to it
  if (left && upload) return { $set: { ...unit, 'uploads.$': left } as object }
  if (left) return { $set: unit, $push: { uploads: left } }
  return upload ? { $set: unit, $pull: { uploads: { id: upload.id } } } : { $set: unit }
}

/** STORE_MISMATCH for a document that this store did not write, or that was changed. It is never replaced. */
function parse(document: UnitDocument, collection: string): Unit {
  const { _id: key, rev, name, info = '', outputs = [] } = document
  let isWhole = typeof rev === 'object' && typeof name === 'string' && Array.isArray(outputs) && outputs.every(isOutput)
  try {
    const facts = JSON.parse(info)
    isWhole &&= typeof facts === 'object' && facts !== null
  } catch {
    isWhole = false
  }
  if (isWhole) return { rev: rev!, name: name!, info, outputs }
  throw new DuramenError('STORE_MISMATCH', `The document ${key} in ${collection} has missing or wrong fields`, {
    hint: 'Restore it from a backup, or remove it: the image is then uploaded again.',
  })
}

function isOutput(value: Partial<StoredOutput> | null): boolean {
  const { code, size, sha256, file, bytes } = value ?? {}
  return (
    (code === null || typeof code === 'string') &&
    Number.isSafeInteger(size) &&
    isHash(sha256) &&
    (bytes === undefined ? typeof file === 'object' : Buffer.isBuffer(bytes))
  )
}
