// The way of a unit in MongoDB, once its database was reached: its outputs written and read back, published by one write to its
// document.
//
// I1 an answer is built from what was read back, as a majority has it. I3 a unit is there once its document says so: one
// write, after all bytes were read back. I5 the same content is stored once, and nothing is replaced but what is damaged.
import { setTimeout as sleep } from 'node:timers/promises'
import type { ObjectId } from 'mongodb'
import { DuramenError } from '../../ports/errors.ts'
import type { StoredUnit, StoreUnit } from '../../ports/image.ts'
import { type Bytes, checked, collect } from './bytes.ts'
import { placesFor } from './sent.ts'
import type { StoredOutput, Unit, Units, Upload } from './units.ts'
import { Swept, type Uploads } from './uploads.ts'

/** How often a put begins anew: another one is publishing the same unit, or this one was taken for abandoned. */
const TRIES = 5
/** Before it does, ms: what another has published a majority may not have yet. */
const PAUSE = 100

/** What a store does its work with, once the driver is loaded. */
interface Parts {
  /** How people know it: the database and the collection. */
  readonly place: string
  /** Bytes of an output that stays in the document, at most. */
  readonly inline: number
  readonly newId: () => ObjectId
  readonly units: Units
  readonly uploads: Uploads
  readonly bytes: Bytes
}

/** A store whose database was reached. */
export class OpenedStore {
  readonly units: Units
  readonly uploads: Uploads
  readonly #bytes: Bytes
  readonly #newId: () => ObjectId
  readonly #place: string
  readonly #inline: number
  #isIndexed = false

  constructor({ place, inline, newId, units, uploads, bytes }: Parts) {
    this.#place = place
    this.#inline = inline
    this.#newId = newId
    this.units = units
    this.uploads = uploads
    this.#bytes = bytes
  }

  /** `info`: the unit's, as text. */
  async put(unit: StoreUnit, info: string, signal?: AbortSignal): Promise<StoredUnit> {
    for (let tries = 1; ; tries++) {
      const before = await this.units.get(unit.key, signal)
      if (before !== undefined && (await this.#isWhole(before, signal))) return answer(unit.key, before, true)
      const stored = await this.#upload(unit, info, before, signal)
      if (stored !== undefined) return answer(unit.key, stored, false)
      if (tries === TRIES) throw contended(unit.key)
      await sleep(PAUSE, undefined, { signal })
    }
  }

  /** One try. Undefined: something else is published, or it was taken for abandoned. */
  async #upload(unit: StoreUnit, info: string, replaced: Unit | undefined, signal?: AbortSignal) {
    const { units, uploads } = this
    const { key, name } = unit
    const rev = this.#newId()
    const places = placesFor(unit.outputs, this.#inline, this.#newId)
    const files = places.flatMap((file) => file ?? [])
    const begun = files.length > 0 ? await this.#begin(key, { id: rev, files }, signal) : undefined
    const beat = begun ? uploads.beat(key, begun, signal) : async () => {}
    let stored: Unit | undefined
    try {
      const outputs: StoredOutput[] = []
      for (const [i, output] of unit.outputs.entries()) {
        const { code, size, sha256 } = output
        const file = places[i]
        if (file === undefined) outputs.push({ code, size, sha256, bytes: await collect(output) })
        else {
          await this.#bytes.write(file, { key, name }, output, beat, signal)
          outputs.push({ code, size, sha256, file })
        }
      }
      for (const output of outputs) if (output.file) await this.#bytes.verify(output.file, output, beat, signal)
      const now = await units.publish(
        key,
        { rev, name, info, outputs },
        { replaced, upload: begun, at: uploads.now() },
        signal,
      )
      if (now?.rev.equals(rev)) stored = now
    } catch (error) {
      if (!(error instanceof Swept)) throw error
    } finally {
      if (begun && stored === undefined) uploads.failed(key, begun)
    }
    if (stored !== undefined) await verifyInline(stored)
    return stored
  }

  async #begin(key: string, upload: Omit<Upload, 'at'>, signal?: AbortSignal): Promise<Upload> {
    if (!this.#isIndexed) {
      await this.#bytes.prepare(signal)
      await this.uploads.prepare(signal)
      this.#isIndexed = true
    }
    return await this.uploads.begin(key, upload, signal)
  }

  /** Reads all of a unit. STORE_MISMATCH. */
  async #verify(unit: Unit, signal?: AbortSignal): Promise<void> {
    await verifyInline(unit)
    for (const output of unit.outputs)
      if (output.file) await this.#bytes.verify(output.file, output, async () => {}, signal)
  }

  async #isWhole(unit: Unit, signal?: AbortSignal): Promise<boolean> {
    try {
      await this.#verify(unit, signal)
      return true
    } catch (error) {
      if (error instanceof DuramenError && error.code === 'STORE_MISMATCH') return false
      throw error
    }
  }

  async find(key: string, signal?: AbortSignal): Promise<StoredUnit | undefined> {
    const unit = await this.units.get(key, signal)
    if (unit === undefined) return undefined
    await this.#verify(unit, signal)
    return answer(key, unit, true)
  }

  async read(key: string, index: number): Promise<AsyncIterable<Uint8Array>> {
    const output = (await this.units.get(key))?.outputs[index]
    if (output === undefined)
      throw new DuramenError('FILE_GONE', `The store ${this.#place} has no output ${index} of ${key}`, {
        hint: 'Ask `find` what the unit holds.',
      })
    const stored = output.file ? this.#bytes.read(output.file) : [output.bytes]
    return checked(stored, output, nameOf(output))
  }
}

async function verifyInline({ outputs }: Unit): Promise<void> {
  for (const output of outputs)
    if (output.bytes) for await (const _ of checked([output.bytes], output, nameOf(output)));
}

const nameOf = ({ file }: StoredOutput): string => (file ? `the file ${file}` : 'an output in the document')

const answer = (key: string, { name, info, outputs }: Unit, existed: boolean): StoredUnit => ({
  key,
  name,
  outputs: outputs.map(({ code, size, sha256 }) => ({ code, size, sha256 })),
  info: JSON.parse(info),
  existed,
})

const contended = (key: string) =>
  new DuramenError('OUTCOME_UNKNOWN', `${key} was not published in ${TRIES} tries: others were at it`, {
    hint: 'Put it again. If it stays, see whether the hosts are suspended or very slow, or raise `abandoned`.',
    retryable: true,
  })
