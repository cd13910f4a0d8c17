// When space is given back (reclaim.ts): by itself, and whenever it is asked for; one at a time, beside appends and reads.
//
// K9 logs have limits: once a segment is full and as much has come since the last reclaim as that one has kept, and
// something was trimmed, the next begins. So the log takes about twice what is kept of it and a few segments more, and a byte
// that is appended costs a bounded number of bytes that are read and written, however long the log is. One that fails is tried
// again when a segment has come, two, four and so on, until one succeeds: each may read the whole log before it fails again.
// K3 nothing depends on what the file `reclaimed` says of the last one: without it, the next looks at all again.
//
// checksum of what follows, 8 hex digits | JSON. It is not synced: one that is not whole counts for nothing. K12 0600.
import { readFile, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { DuramenError } from '../../ports/errors.ts'
import { assertNames, assertPath, optionsGiven } from '../../ports/given.ts'
import type { Logger } from '../../ports/logger.ts'
import { asDuramen } from '../fs-error.ts'
import { makeFolders } from '../make-folders.ts'
import { assertOutside } from './backup/outside.ts'
import type { CommittedFile } from './commit/committed.ts'
import type { Places } from './index/places.ts'
import { RECLAIMED } from './index/runs.ts'
import type { Source } from './reading/read.ts'
import { type Left, type Reclaimed, reclaim } from './reclaim.ts'
import { crc } from './segments/crc.ts'
import type { Segment } from './segments/segments.ts'
import type { Snapshots } from './snapshots/snapshots.ts'

const SUM_DIGITS = 8

/** What a reclaim does beside giving up what was trimmed. */
export interface ReclaimOptions {
  /**
   * A folder outside the journal's that gets each segment as it is before it first loses something; what is there already
   * stays. All of them, and what is left in the journal, are its whole history. Default: that of the journal's option
   * `reclaim`, or none.
   */
  readonly archive?: string
}

/** The parts of a journal that a reclaim needs. */
export interface ReclaimingParts {
  readonly source: Source
  readonly places: Places
  readonly committed: CommittedFile
  readonly snapshots: Snapshots
  readonly logger: Logger
}

/** How a journal reclaims: by itself or not, and with which archive. */
export interface ReclaimingWay {
  readonly byItself: boolean
  readonly archive: string | undefined
}

/** Rejects with BAD_OPTION. */
export async function reclaimGiven(dir: string, given: boolean | ReclaimOptions = true): Promise<ReclaimingWay> {
  if (typeof given === 'boolean') return { byItself: given, archive: undefined }
  return { byItself: true, archive: await archiveGiven(dir, given) }
}

/** Rejects with BAD_OPTION. */
export async function archiveGiven(dir: string, options: ReclaimOptions | undefined): Promise<string | undefined> {
  const given = optionsGiven('reclaim', options, "Leave it out, or give an object: { archive: './archive' }.")
  assertNames('reclaim', given, ['archive'])
  const { archive } = given
  if (archive === undefined) return undefined
  assertPath('archive', archive)
  await assertOutside('archive', archive, dir)
  return resolve(archive)
}

export class Reclaiming {
  readonly #dir: string
  readonly #file: string
  readonly #parts: ReclaimingParts
  readonly #way: ReclaimingWay
  #left: Left = { from: 1, bytes: 0 }
  readonly #empty = new Set<Segment>()
  /** Resolves when none is under way. */
  #settled: Promise<unknown> = Promise.resolve()
  /** One that has begun by itself has not ended. */
  #begun = false
  /** The archive is of another history: nothing that comes makes it this one's. */
  #refused = false
  /** Of the last failure that was told, until one succeeds: what it was, and of which file. */
  #told: string | undefined
  /** In a row. */
  #failures = 0
  /** When the last one failed, there were so many segments. */
  #failedAt = 0

  constructor(dir: string, parts: ReclaimingParts, way: ReclaimingWay) {
    this.#dir = dir
    this.#file = join(dir, 'index', RECLAIMED)
    this.#parts = parts
    this.#way = way
  }

  /** Finds out what the last one has left, and begins one where that one was to come, or was cut short. */
  async open(): Promise<void> {
    const left = await this.#read()
    // one of another log, or of what this one was before a repair
    if (left !== undefined && this.#parts.source.segments.some(({ first }) => first === left.from)) this.#left = left
    this.begin()
  }

  /** Begins one where it is time for it. Never throws, and never rejects. */
  begin(): void {
    if (this.#begun || this.#refused || !this.#way.byItself || !this.#isDue()) return
    this.#begun = true
    void this.#one(async () => {
      if (this.#isDue()) await this.#reclaim(this.#way.archive)
    })
      .then(
        () => true,
        (error) => this.#failed(asDuramen(error, `reclaim space in ${this.#dir}`, { file: this.#dir })),
      )
      .then((more) => {
        this.#begun = false
        if (more) this.begin() // as much may have come meanwhile
      })
  }

  /** One by hand; without an archive of its own, with the journal's. Rejects as `reclaim` does. */
  run(archive = this.#way.archive): Promise<Reclaimed> {
    return this.#one(() => this.#reclaim(archive))
  }

  /** Resolves when none is under way. */
  async settled(): Promise<void> {
    await this.#settled
  }

  #one<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#settled.then(run)
    this.#settled = result.catch(() => {})
    return result
  }

  async #reclaim(archive: string | undefined): Promise<Reclaimed> {
    const { source, places, committed, snapshots } = this.#parts
    source.check()
    // So that readers know of the trims before what was trimmed is gone.
    await committed.write()
    const { reclaimed, left } = await reclaim(source, places, archive, this.#empty)
    this.#left = left
    await snapshots.clean()
    await this.#write()
    this.#failures = 0
    this.#told = undefined
    return reclaimed
  }

  #isDue(): boolean {
    const { source, places } = this.#parts
    if (this.#failures > 0 && source.segments.length < this.#failedAt + 2 ** (this.#failures - 1)) return false
    const { from, bytes } = this.#left
    const full = source.segments.slice(0, -1).filter(({ first }) => first >= from)
    const came = full.reduce((sum, { size }) => sum + size, 0)
    return full.length > 0 && came >= bytes && places.gone.newest >= from
  }

  /** What is the same as the last time is told once. */
  #failed(error: DuramenError): false {
    if (error.code === 'CLOSED') return false
    this.#failures++
    this.#failedAt = this.#parts.source.segments.length
    this.#refused = error.code === 'BACKUP_MISMATCH'
    const told = JSON.stringify([error.code, error.where.file])
    if (told === this.#told) return false
    this.#told = told
    const next = this.#refused ? 'once the journal is opened again' : 'as the journal grows'
    const what = `The space of what was trimmed could not be given back; it is tried again ${next}`
    this.#parts.logger.warn(what, { error })
    return false
  }

  async #read(): Promise<Left | undefined> {
    const bytes = await readFile(this.#file).catch(() => undefined)
    if (bytes === undefined || bytes.toString('latin1', 0, SUM_DIGITS) !== this.#sumOf(bytes)) return undefined
    return JSON.parse(bytes.toString('latin1', SUM_DIGITS))
  }

  /** The journal does without it. */
  async #write(): Promise<void> {
    const bytes = Buffer.from(`${' '.repeat(SUM_DIGITS)}${JSON.stringify(this.#left)}\n`, 'latin1')
    bytes.write(this.#sumOf(bytes), 'latin1')
    try {
      await makeFolders(dirname(this.#file))
      await writeFile(this.#file, bytes, { mode: 0o600 })
    } catch {}
  }

  /** One of another journal does not fit: its salt is another. */
  #sumOf(bytes: Buffer): string {
    return crc(bytes, SUM_DIGITS, bytes.length, this.#parts.source.salt).toString(16).padStart(SUM_DIGITS, '0')
  }
}
