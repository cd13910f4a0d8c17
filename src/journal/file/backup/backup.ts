// A copy of a journal, made while its writer goes on: its committed part, segment by segment. The copy is a journal folder
// itself, with a manifest beside it (manifest.ts), and a second backup into the same folder copies only what is new.
//
// K7 A crash at any point leaves the backup before, or the new one, never a mixture: all that is new is on disk under other
// names before the manifest says that it counts. Every frame is checked as it comes in; damage is refused and changes nothing.
// K2 One backup at a time into a folder: the lock is that of a journal, so that nobody has it open as one either.
// K12 0700, 0600; only segments are copied: no keys, no index, no snapshots.
import { realpath } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { DuramenError } from '../../../ports/errors.ts'
import { assertFunction, assertNames, assertPath, optionsGiven } from '../../../ports/given.ts'
import { asDuramen } from '../../fs-error.ts'
import { acquireLock } from '../../lock.ts'
import type { BackedUp } from '../../port.ts'
import type { CommittedEnd } from '../commit/committed-end.ts'
import { assertNoOthers } from '../index/caches.ts'
import { noJournal } from '../segments/damaged.ts'
import { HEADER_BYTES } from '../segments/format.ts'
import { segmentSize } from '../segments/holes.ts'
import { createFolder, listSegments } from '../segments/segments.ts'
import { walk } from '../segments/walk.ts'
import { acknowledgedEnd, identityOf, type Plan, type PlannedSegment, planOf } from './backup-plan.ts'
import { checkSegment, copyParts, sumAt } from './copy-segment.ts'
import {
  type CopiedSegment,
  draftFile,
  filesOf,
  isWrittenTo,
  type Manifest,
  manifestOf,
  putInPlace,
  readManifest,
  removeDrafts,
  writeManifest,
} from './manifest.ts'
import { assertOutside } from './outside.ts'

/** How a backup is made, or taken back. */
export interface CopyOptions {
  /** Is told how many bytes of how many are copied, now and then; what it throws ends the copying. Default: nobody is. */
  readonly onProgress?: (done: number, total: number) => void
}

/**
 * Copies the journal in `dir` into the folder `to`, with every record that was acknowledged before the call, whether or not a
 * process has it open. A folder that holds an earlier backup of the same journal gets what is new.
 *
 * Rejects with JOURNAL_DAMAGED (`where` names file and offset), BACKUP_MISMATCH (`to` has records that the journal has not),
 * NOT_EMPTY (`to` is a journal and no backup, or has other files under the name of a journal's), LOCKED (another backup into `to` is under way), FOLDER_MISSING, NO_SPACE,
 * NO_PERMISSION, READ_ONLY, IO, BAD_OPTION. Whatever it rejects with, what `to` held before is whole.
 */
export async function backupJournal(dir: string, to: string, options?: CopyOptions): Promise<BackedUp> {
  assertPath('backupJournal: dir', dir)
  const end = async () => {
    const found = await acknowledgedEnd(dir)
    if (found.segment === 0 && (await listSegments(dir)).length === 0) throw noJournal(dir)
    return found
  }
  return backUp(dir, to, end, options)
}

/** `end`: says how far the journal in `dir` is committed. */
export async function backUp(
  dir: string,
  to: string,
  end: () => Promise<CommittedEnd>,
  options?: CopyOptions,
): Promise<BackedUp> {
  assertPath('backup: to', to)
  const onProgress = progressOf('backup', options)
  try {
    await realpath(dir)
    await assertOutside('backup', to, dir)
    await createFolder(resolve(to))
    const lock = await acquireLock(join(to, 'lock'))
    try {
      return await new Backup(dir, to, await ours(to), onProgress).run(end)
    } finally {
      await lock.release()
    }
  } catch (error) {
    throw asDuramen(error, `back up ${dir} to ${to}`, { file: (error as NodeJS.ErrnoException).path ?? to })
  }
}

/** `others`: names of options that the call takes beside. */
export function progressOf(
  call: string,
  options: CopyOptions | undefined,
  others: readonly string[] = [],
): NonNullable<CopyOptions['onProgress']> {
  const given = optionsGiven(call, options, 'Leave it out, or give an object: { onProgress: … }.')
  assertNames(call, given, ['onProgress', ...others])
  const { onProgress = () => {} } = given
  assertFunction('onProgress', onProgress, 'Give a function that is called with two numbers.')
  return onProgress
}

/** The manifest of a folder that holds what a backup has made, and nothing more. */
async function ours(to: string): Promise<Manifest | undefined> {
  const manifest = await readManifest(to)
  if (manifest === undefined) {
    if ((await listSegments(to)).length > 0) throw noBackup(to)
    await assertNoOthers(to)
    await removeDrafts(to)
    return undefined
  }
  if (await isWrittenTo(to, manifest)) throw mismatch(to, 'something was written to it since it was made')
  await putInPlace(to, manifest)
  return manifest
}

/** A segment was rewritten since it was planned. */
class Rewritten extends Error {}

/** A segment and how much of it is here already. */
interface Job {
  readonly planned: PlannedSegment
  /** So many of its bytes are those of the copy that is here. */
  readonly from: number
}

class Backup {
  readonly #dir: string
  readonly #to: string
  readonly #old: Manifest | undefined
  readonly #number: number
  readonly #onProgress: (done: number, total: number) => void

  constructor(dir: string, to: string, old: Manifest | undefined, onProgress: (done: number, total: number) => void) {
    this.#dir = dir
    this.#to = to
    this.#old = old
    this.#number = (old?.number ?? 0) + 1
    this.#onProgress = onProgress
  }

  async run(end: () => Promise<CommittedEnd>): Promise<BackedUp> {
    for (;;) {
      const plan = await planOf(this.#dir, end)
      if (this.#old !== undefined && this.#old.position > 0) {
        await this.#assertSame(this.#old, plan)
        if (plan.position < this.#old.position) return { position: this.#old.position, bytes: 0 }
      }
      try {
        return await this.#copy(plan)
      } catch (error) {
        await removeDrafts(this.#to).catch(() => {})
        if (!(error instanceof Rewritten)) throw error
      }
    }
  }

  /** Rejects with BACKUP_MISMATCH unless the last frame of the copy is in the journal, or was given up there. */
  async #assertSame({ salt, position, segments, last }: Manifest, plan: Plan): Promise<void> {
    if (plan.salt !== undefined && plan.salt !== salt) throw mismatch(this.#to, 'it is that of another journal')
    const same = segments.map(({ first }) => plan.segments.find((one) => one.first === first))
    const there = same.at(-1)
    if (there !== undefined && !same.includes(undefined)) {
      if ((await sumAt(there.file, last.offset)) === last.sum) return
      if (there.end === undefined && (await isGivenUp(there, salt!, last.offset))) return
    }
    const what = `its records up to position ${position} are not those of the journal, which has ${plan.position}`
    throw mismatch(this.#to, what)
  }

  async #copy({ position, salt, segments }: Plan): Promise<BackedUp> {
    const files = this.#old === undefined ? new Map() : await filesOf(this.#to, this.#old)
    const copies: (CopiedSegment | Job)[] = []
    for (const planned of segments) copies.push(await this.#howTo(planned, files.get(planned.first)?.size))
    const jobs = copies.filter((one) => 'planned' in one)
    const total = jobs.reduce((sum, { planned, from }) => sum + (planned.end ?? planned.size) - from, 0)
    let bytes = 0
    const wrote = (more: number) => this.#onProgress((bytes += more), total)
    let last = this.#old?.last ?? { offset: 0, sum: 0 }
    const copied: CopiedSegment[] = []
    for (const one of copies) {
      if ('planned' in one) {
        const { copy, tail } = await this.#copySegment(one, salt!, wrote)
        copied.push(copy)
        if (one.planned === segments.at(-1)) last = tail
      } else copied.push(one)
    }
    if (jobs.length === 0 && this.#old !== undefined) return { position, bytes }
    const content = { number: this.#number, position, segments: copied, last }
    const manifest = manifestOf(salt === undefined ? content : { ...content, salt })
    await writeManifest(this.#to, manifest)
    await putInPlace(this.#to, manifest)
    return { position, bytes }
  }

  /** The copy that is here, where it is as good as a new one; else what is to be done. */
  async #howTo(planned: PlannedSegment, here: number | undefined): Promise<CopiedSegment | Job> {
    const known = this.#old?.segments.find(({ first }) => first === planned.first)
    if (known === undefined || here !== known.bytes || known.inode !== planned.inode) return { planned, from: 0 }
    if (known !== this.#old!.segments.at(-1)) return known.modified === planned.modified ? known : { planned, from: 0 }
    const { offset, sum } = this.#old!.last
    if ((await sumAt(planned.file, offset)) !== sum) return { planned, from: 0 }
    return known.end === (planned.end ?? planned.size)
      ? { ...known, modified: planned.modified }
      : { planned, from: known.end }
  }

  async #copySegment({ planned, from }: Job, salt: number, wrote: (bytes: number) => void) {
    const { file, first, last, end, size, inode, modified } = planned
    const draft = draftFile(this.#to, first, this.#number)
    const here = from === 0 ? undefined : (await filesOf(this.#to, this.#old!)).get(first)!.file
    const to = end ?? size
    const parts = here === undefined ? [] : [{ file: here, start: 0, end: from }]
    const bytes = await copyParts([...parts, { file, start: from, end: to, wrote }], draft)
    const now = await identityOf(file)
    if (now.inode !== inode || (end === undefined && now.modified !== modified)) throw new Rewritten()
    const checked = from === 0 ? {} : { checked: { offset: from, position: this.#old!.position } }
    const tail = await checkSegment(draft, { of: file, salt, first, last, end, ...checked })
    const offset = tail?.offset ?? (from === 0 ? 0 : this.#old!.last.offset)
    const copy: CopiedSegment = { first, bytes, end: tail?.end ?? to, inode, modified }
    return { copy, tail: { offset, sum: await sumAt(draft, offset) } }
  }
}

/** Whether the frames at an offset have become a hole. */
async function isGivenUp({ file }: PlannedSegment, salt: number, offset: number): Promise<boolean> {
  let given = false
  await walk(file, HEADER_BYTES, await segmentSize(file), salt, (frame, start, end) => {
    given ||= frame.hole && start <= offset && offset < end
  })
  return given
}

const noBackup = (to: string) =>
  new DuramenError('NOT_EMPTY', `${to} holds a journal that is no backup`, {
    where: { file: to },
    hint: 'Give a new folder, or one that an earlier backup of this journal has made.',
  })

const mismatch = (to: string, what: string) =>
  new DuramenError('BACKUP_MISMATCH', `${to} can't be brought up to date: ${what}`, {
    where: { file: to },
    hint: 'Nothing was changed. Give another folder, and keep this one until you know which of the two is wanted.',
  })
