// The records that make units visible: `units/<key>.json`. What takes the place of a damaged unit has a record of its own,
// `<key>.2.json`, then `<key>.3.json` …: the last one counts.
//
// I3 whole or not at all: a record is written and synced under another name, and then linked into place.
// I5 nothing is replaced, so that of units that are published at once, in however many processes, one takes the number,
//    and the others are told.
import { join } from 'node:path'
import { isUnlinkable, noHardLinks } from '../../journal/fs-error.ts'
import { checkHash, isHash } from '../../ports/given.ts'
import { draftName } from './crossing.ts'
import { errnoOf } from './errors.ts'
import { type Files, FOLDER, READ, syncFolder, withFile, writeNew } from './files.ts'
import { formatManifest, type Manifest, parseManifest } from './manifest.ts'

export class Records {
  readonly path: string
  readonly #drafts: string
  readonly #files: Files

  constructor(path: string, drafts: string, files: Files) {
    this.path = path
    this.#drafts = drafts
    this.#files = files
  }

  /** The file of the nth record of a key, from 1. */
  fileOf(key: string, nth = 1): string {
    return join(this.path, `${checkHash('key', key)}${nth === 1 ? '' : `.${nth}`}.json`)
  }

  /** The record that counts; undefined when there is none. Rejects with STORE_MISMATCH. */
  async last(key: string): Promise<{ readonly unit: Manifest; readonly nth: number } | undefined> {
    let last: string | undefined
    for (let nth = 0; ; nth++) {
      const next = await this.#textOf(this.fileOf(key, nth + 1))
      if (next === undefined)
        return last === undefined ? undefined : { unit: parseManifest(last, key, this.fileOf(key, nth)), nth }
      last = next
    }
  }

  /** Publishes a unit as the nth record of its key, durably. False: there is one already. */
  async publish(unit: Manifest, nth: number): Promise<boolean> {
    const file = this.fileOf(unit.key, nth)
    const draft = join(this.#drafts, draftName())
    await writeNew(this.#files, draft, (handle) => handle.writeFile(formatManifest(unit)))
    try {
      await this.#files.link(draft, file)
    } catch (error) {
      if (isUnlinkable(error)) throw noHardLinks(`The record ${file} can't be published`, file, error)
      if (errnoOf(error) === 'EEXIST') return false
      throw error
    } finally {
      await this.#files.unlink(draft).catch(() => {}) // else a sweep takes it
    }
    await withFile(this.#files.open(this.path, FOLDER), syncFolder)
    return true
  }

  async keys(): Promise<string[]> {
    const names = await this.#files.readdir(this.path)
    return names.flatMap((name) => {
      const key = name.replace(/\.json$/, '')
      return key !== name && isHash(key) ? key : []
    })
  }

  async #textOf(file: string): Promise<string | undefined> {
    try {
      return await withFile(this.#files.open(file, READ), (handle) => handle.readFile('utf8'))
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined
      throw error
    }
  }
}
