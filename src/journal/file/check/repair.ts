// Makes a damaged journal one that can be opened, and keeps all that it takes out of it.
//
// K7 nothing that was written is lost by it: before the first byte is changed, a copy of all that will be is on disk, in
// quarantine-<time>/ inside the folder, and with it the plan. A repair that was interrupted is finished by the next one, by
// that plan. Nothing is given up that nobody has agreed to: what `confirm` is told is all that the repair goes on to change,
// of an interrupted one and of each further round, too. Steps go from the journal's end to its beginning: the first damage is the last to go, so that a journal that
// is repaired by half is refused like one that is not.
// K2 nobody else has the journal meanwhile: the lock.
import { join, resolve } from 'node:path'
import { DuramenError } from '../../../ports/errors.ts'
import { assertFunction, assertNames, assertPath, badOption, optionsGiven } from '../../../ports/given.ts'
import { asDuramen } from '../../fs-error.ts'
import { acquireLock } from '../../lock.ts'
import { examine } from './examine.ts'
import type { Examination } from './findings.ts'
import { Quarantine } from './quarantine.ts'
import { planCut, planQuarantine, type RepairLosses, type RepairPlan, type RepairWay } from './repair-plan.ts'
import { apply } from './repair-steps.ts'

/** How a journal is repaired. */
export interface RepairOptions {
  /**
   * `cut`: it ends before the first damage; all that follows is given up. `quarantine`: what is damaged is given up, and of
   * each stream that lost a record all that follows there; the rest stays as it is.
   */
  readonly how: RepairWay
  /**
   * Is asked before anything is changed, and again should more have to be given up; with `false` nothing more is. `how`: the
   * way it is done; a repair that was interrupted is finished in the way in which it was begun. Default: it is done.
   */
  readonly confirm?: (losses: RepairLosses, how: RepairWay) => boolean | Promise<boolean>
}

/** What a repair has done, and all that it has given up. */
export interface RepairReport extends RepairLosses {
  /** Whether anything was changed. */
  readonly repaired: boolean
  /** What `confirm` has said no to: the journal is as damaged as it was by that. Absent where it has not. */
  readonly declined?: RepairLosses
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
    throw asDuramen(error, `repair the journal in ${dir}`, { file: dir })
  }
}

type Confirm = NonNullable<RepairOptions['confirm']>

async function repair(folder: string, how: RepairWay, confirm: Confirm): Promise<RepairReport> {
  const done: Quarantine[] = []
  for (const earlier of await Quarantine.unfinished(folder)) {
    if (!(await confirm(earlier.plan.losses, earlier.plan.how))) return reportOf(done, earlier.plan.losses)
    await finish(folder, earlier)
    done.push(earlier)
  }
  for (let round = 0; round < ROUNDS; round++) {
    const plan = await planFor(folder, how)
    if (plan === undefined) return reportOf(done)
    if (!(await confirm(plan.losses, how))) return reportOf(done, plan.losses)
    const kept = await Quarantine.create(folder, plan)
    await finish(folder, kept)
    done.push(kept)
  }
  throw new DuramenError('JOURNAL_DAMAGED', `${folder} is still damaged after ${ROUNDS} repairs`, {
    where: { file: folder },
    hint: 'What was taken out is kept there. Look at the disk itself: it may change what is written to it.',
  })
}

async function finish(folder: string, kept: Quarantine): Promise<void> {
  await apply(folder, kept.folder, kept.plan)
  await kept.finish()
}

function reportOf(done: readonly Quarantine[], declined?: RepairLosses): RepairReport {
  return {
    ...done.map(({ plan }) => plan.losses).reduce(sum, NOTHING),
    repaired: done.length > 0,
    quarantine: done.map((kept) => kept.folder),
    ...(declined && { declined }),
  }
}

/** Undefined for a journal that is sound. */
async function planFor(folder: string, how: RepairWay): Promise<RepairPlan | undefined> {
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

const NOTHING: RepairLosses = { records: 0, lost: [], lostIsAll: true, bytes: 0, damages: [] }

/** A later repair may give up more of a stream that has lost something before. */
function sum(one: RepairLosses, other: RepairLosses): RepairLosses {
  const lost = new Map(one.lost.map(({ stream, from }) => [stream, from]))
  for (const { stream, from } of other.lost) lost.set(stream, Math.min(from, lost.get(stream) ?? from))
  return {
    records: one.records + other.records,
    lost: Array.from(lost, ([stream, from]) => ({ stream, from })),
    lostIsAll: one.lostIsAll && other.lostIsAll,
    bytes: one.bytes + other.bytes,
    damages: [...one.damages, ...other.damages],
  }
}
