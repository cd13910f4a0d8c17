// What a repair takes out of a journal: a folder with the bytes, and a file that says what they were and what is done.
//
// plan.json       it has begun; manifest.json once it is done; neither: nothing of the journal was changed
// <segment>.bytes the ranges of that segment that are changed, one behind the other, in the order of the plan
// <segment>       a whole segment that was moved here
//
// K7 all of it is on disk before plan.json has its name. K12 files 0600, folder 0700.
import { type FileHandle, mkdir, open, readdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { contentOf, writeAll, writeSynced } from '../../files.ts'
import { removeFiles, removeFolder } from '../index/caches.ts'
import { HEADER_BYTES } from '../segments/format.ts'
import { syncFolder } from '../segments/segments.ts'
import { Window } from './check-window.ts'
import type { RepairPlan, Step } from './repair-plan.ts'

const PLAN = 'plan.json'
const MANIFEST = 'manifest.json'
const NAME = /^quarantine-\d{8}T\d{6}Z(-\d+)?$/
/** What is in one before it has its plan. */
const BEGUN = /^(\d{16}\.log\.[a-z]+\.bytes|plan\.json\.new)$/
const PIECE = 1 << 20

/** Bytes of a file. */
interface Bytes {
  readonly offset: number
  readonly bytes: number
}

export class Quarantine {
  readonly folder: string
  readonly plan: RepairPlan

  private constructor(folder: string, plan: RepairPlan) {
    this.folder = folder
    this.plan = plan
  }

  /** Keeps what the plan will change. */
  static async create(journal: string, plan: RepairPlan): Promise<Quarantine> {
    await removeBegun(journal)
    const at = new Date()
    const folder = await newFolder(journal, at)
    for (const step of plan.steps) {
      const changed = changedBy(step)
      if (changed.length > 0) await keep(join(journal, step.file), join(folder, savedName(step)), changed)
    }
    const text = JSON.stringify({ at: at.toISOString(), ...plan }, undefined, 1)
    await writeSynced(join(folder, `${PLAN}.new`), text)
    await rename(join(folder, `${PLAN}.new`), join(folder, PLAN))
    await syncFolder(folder)
    return new Quarantine(folder, plan)
  }

  /** Those with a plan that is not done. */
  static async unfinished(journal: string): Promise<Quarantine[]> {
    const found: Quarantine[] = []
    for (const folder of await quarantinesIn(journal)) {
      const text = await contentOf(join(folder, PLAN))
      if (text !== undefined) found.push(new Quarantine(folder, JSON.parse(text) as RepairPlan))
    }
    return found
  }

  /** The plan is done. */
  async finish(): Promise<void> {
    await rename(join(this.folder, PLAN), join(this.folder, MANIFEST))
    await syncFolder(this.folder)
  }
}

async function quarantinesIn(journal: string): Promise<string[]> {
  const names = await readdir(journal, { withFileTypes: true })
  const folders = names.filter((one) => one.isDirectory() && NAME.test(one.name))
  return folders.map(({ name }) => join(journal, name)).sort()
}

/** Removes what killed repairs had begun: nothing of the journal was changed by them. */
async function removeBegun(journal: string): Promise<void> {
  for (const folder of await quarantinesIn(journal)) {
    const done = [PLAN, MANIFEST].map((name) => contentOf(join(folder, name)))
    if ((await Promise.all(done)).some((text) => text !== undefined)) continue
    await removeFiles(folder, (entry) => entry.isFile() && BEGUN.test(entry.name))
    await removeFolder(folder)
  }
}

/** The file with the bytes that a step changes. */
export const savedName = ({ kind, file }: Step) => `${file}.${kind}.bytes`

function changedBy(step: Step): readonly Bytes[] {
  if (step.kind === 'header') return [{ offset: 0, bytes: HEADER_BYTES }]
  if (step.kind === 'cut') return [step]
  return step.kind === 'holes' ? step.ranges : []
}

async function newFolder(journal: string, at: Date): Promise<string> {
  const name = `quarantine-${at.toISOString().replace(/[-:]|\.\d+/g, '')}`
  for (let number = 1; ; number++) {
    const folder = join(journal, number === 1 ? name : `${name}-${number}`)
    try {
      await mkdir(folder, { mode: 0o700 })
      await syncFolder(journal)
      return folder
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
}

/** What the disk can't read any more is kept as zeros; of a range that goes beyond the end, what is there. */
async function keep(file: string, to: string, ranges: readonly Bytes[]): Promise<void> {
  const window = await Window.open(file)
  try {
    const target = await open(to, 'w', 0o600)
    try {
      let done = 0
      for (const { offset, bytes } of ranges) done = await copy(window, target, offset, offset + bytes, done)
      await target.sync()
    } finally {
      await target.close()
    }
  } finally {
    await window.close()
  }
}

async function copy(window: Window, target: FileHandle, from: number, to: number, at: number): Promise<number> {
  const end = Math.min(to, window.size)
  let done = at
  for (let offset = from; offset < end; offset += PIECE) {
    const bytes = Math.min(PIECE, end - offset)
    await window.load(offset, bytes)
    await writeAll(target, window.buffer.subarray(0, bytes), done)
    done += bytes
  }
  return done
}
