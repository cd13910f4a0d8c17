// Makes a damaged journal one that can be opened, and keeps all that it takes out of it.
//
// K7 nothing that was written is lost by it: before the first byte is changed, a copy of all that will be is on disk, in
// quarantine-<time>/ inside the folder, and with it the plan. A repair that was interrupted is finished by the next one, by
// that plan. Steps go from the journal's end to its beginning: the first damage is the last to go, so that a journal that
// is repaired by half is refused like one that is not.
// K2 nobody else has the journal meanwhile: the lock.
import { readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { DuramenError } from '../../../ports/errors.ts'
import { assertFunction, assertNames, assertPath, badOption, optionsGiven } from '../../../ports/given.ts'
import { fsError } from '../../fs-error.ts'
import { acquireLock } from '../../lock.ts'
import type { LostRecords } from './check.ts'
import { type Damage, type Examination, examine } from './examine.ts'
import { Quarantine } from './quarantine.ts'
import { planCut, planQuarantine, type RepairPlan } from './repair-plan.ts'
import { apply } from './repair-steps.ts'

/** How a journal is repaired. */
export interface RepairOptions {
  /**
   * `cut`: it ends before the first damage; all that follows is given up. `quarantine`: what is damaged is given up, and of
   * each stream that lost a record all that follows there; the rest stays as it is.
   */
  readonly how: 'cut' | 'quarantine'
  /** Is asked before anything is changed; with `false` nothing is. Default: it is done. */
  readonly confirm?: (losses: RepairLosses) => boolean | Promise<boolean>
}

/** What a repair gives up. All of it is kept in quarantine. */
export interface RepairLosses {
  /** Records that are as they were written, and are given up because of others; those that are damaged are not counted. */
  readonly records: number
  /** By stream: the first record that is not there any more. */
  readonly lost: readonly LostRecords[]
  /** As in `JournalReport`. */
  readonly lostIsAll: boolean
  /** Bytes that go into quarantine. */
  readonly bytes: number
  readonly damages: readonly Damage[]
}

/** What a repair has done. */
export interface RepairReport extends RepairLosses {
  /** Whether anything was changed. */
  readonly repaired: boolean
  /** The folders with what was taken out: the bytes, and `manifest.json` that says what they were. */
  readonly quarantine: readonly string[]
}

/** A repair may uncover what only a repaired journal shows. */
const ROUNDS = 4

/**
 * Makes a damaged journal one that can be opened. What it takes out is kept in a folder `quarantine-<time>` inside; index and
 * snapshots are removed and made anew by themselves. May be run again after it was interrupted. Does nothing to a sound one.
 * Rejects with DuramenError: LOCKED (a process has it open), JOURNAL_DAMAGED (it can't be repaired: a newer version wrote
 * it), BAD_OPTION, FOLDER_MISSING, NO_SPACE, NO_PERMISSION, READ_ONLY, IO.
 */
export async function repairJournal(dir: string, options: RepairOptions): Promise<RepairReport> {
  assertPath('repairJournal', dir)
  const given = optionsGiven('repairJournal', options, "Give an object: { how: 'quarantine' }.")
  assertNames('repairJournal', given, ['how', 'confirm'])
  const { how, confirm = () => true } = given
  if (how !== 'cut' && how !== 'quarantine') {
    throw badOption('how', how, 'is no way to repair a journal', "Give 'cut' or 'quarantine'.")
  }
  assertFunction('confirm', confirm, 'Give a function that answers true or false.')
  const folder = resolve(dir)
  try {
    const lock = await acquireLock(join(folder, 'lock'))
    try {
      return await repair(folder, how, confirm)
    } finally {
      await lock.release()
    }
  } catch (error) {
    throw error instanceof DuramenError ? error : fsError(error, `repair the journal in ${dir}`, { file: dir })
  }
}

async function repair(
  folder: string,
  how: RepairOptions['how'],
  confirm: NonNullable<RepairOptions['confirm']>,
): Promise<RepairReport> {
  const quarantine = await finishEarlier(folder)
  let total: RepairLosses | undefined
  for (let round = 0; round < ROUNDS; round++) {
    const plan = await planFor(folder, how)
    if (plan === undefined) return { ...(total ?? NOTHING), repaired: quarantine.length > 0, quarantine }
    const losses = { ...plan.losses, damages: plan.damages }
    if (round === 0 && !(await confirm(losses))) return { ...losses, repaired: quarantine.length > 0, quarantine }
    const kept = await Quarantine.create(folder, how, plan)
    await apply(folder, kept.folder, plan)
    await kept.finish()
    quarantine.push(kept.folder)
    total = total === undefined ? losses : sum(total, losses)
  }
  throw new DuramenError('JOURNAL_DAMAGED', `${folder} is still damaged after ${ROUNDS} repairs`, {
    where: { file: folder },
    hint: 'What was taken out is kept there. Look at the disk itself: it may change what is written to it.',
  })
}

/** Undefined for a journal that is sound. */
async function planFor(folder: string, how: RepairOptions['how']): Promise<RepairPlan | undefined> {
  const found = await examine(folder)
  try {
    if (found.damages.length === 0) return undefined
    refuseNewer(found)
    return await (how === 'cut' ? planCut(found) : planQuarantine(found))
  } finally {
    await found.index.close()
  }
}

function refuseNewer({ damages }: Examination): void {
  const newer = damages.find(({ kind }) => kind === 'newer')
  if (newer === undefined) return
  throw new DuramenError('JOURNAL_DAMAGED', `${newer.file} can't be repaired: ${newer.what}`, {
    where: { file: newer.file, offset: newer.offset },
    hint: 'Repair it with the version of duramen that wrote it, or a later one. Nothing was changed.',
  })
}

/** Finishes what an interrupted repair had planned; removes what one has left that had not begun. */
async function finishEarlier(folder: string): Promise<string[]> {
  const done: string[] = []
  for (const name of (await readdir(folder)).filter((one) => one.startsWith('quarantine-')).sort()) {
    const kept = await Quarantine.open(join(folder, name))
    if (kept === undefined) continue
    await apply(folder, kept.folder, kept.plan)
    await kept.finish()
    done.push(kept.folder)
  }
  return done
}

const NOTHING: RepairLosses = { records: 0, lost: [], lostIsAll: true, bytes: 0, damages: [] }

const sum = (one: RepairLosses, other: RepairLosses): RepairLosses => ({
  records: one.records + other.records,
  lost: [...one.lost, ...other.lost],
  lostIsAll: one.lostIsAll && other.lostIsAll,
  bytes: one.bytes + other.bytes,
  damages: [...one.damages, ...other.damages],
})
