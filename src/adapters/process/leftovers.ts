// Which processes belong to a program that is looked after: also those of an earlier supervisor, and those that left its group.
//
// V1i V1j never two of it: all that carry the mark of the state folder in their environment, and all in a group that is known to
// be its own. No other is ever touched: a pid that was given to somebody else does not fit the recorded beginning.
import { readFileSync } from 'node:fs'
import { delimiter } from 'node:path'
import type { Identity, Process, ProcessTable } from './table.ts'

/** The variable by which processes are found, whatever they do: the state folders of all who look after them. */
export const MARK = 'DURAMEN_SUPERVISED'

/** A supervisor may itself be looked after by another: both find what is below them. */
export const markOf = (folder: string, above: string | undefined): string =>
  above === undefined || above === '' ? folder : `${above}${delimiter}${folder}`

const carries = (mark: string, folder: string): boolean =>
  `${delimiter}${mark}${delimiter}`.includes(`${delimiter}${folder}${delimiter}`)

/** The process that began a program, which is also the number of its group. */
export interface Leader extends Identity {
  /** It was this process's own child until now: its group is its own also where it has ended. Else it may be another's by now. */
  readonly watched: boolean
}

/**
 * Those of a table that belong to a program. `marked`: the pids that carry its mark. `self`: who asks, who is spared with all
 * who have begun him.
 */
export function belonging(
  table: readonly Process[],
  marked: ReadonlySet<number>,
  leader: Leader | null,
  self: number,
): Process[] {
  const byPid = new Map(table.map((one) => [one.pid, one]))
  const spared = new Set<number>()
  for (let one = byPid.get(self); one !== undefined && !spared.has(one.pid); one = byPid.get(one.parent))
    spared.add(one.pid)
  const groups = new Set(table.filter((one) => marked.has(one.pid)).map((one) => one.group))
  const there = leader === null ? undefined : byPid.get(leader.pid)
  if (leader !== null && (there === undefined ? leader.watched : there.started === leader.started))
    groups.add(leader.pid)
  for (const pid of spared) groups.delete(byPid.get(pid)!.group)
  return table.filter((one) => !one.ended && !spared.has(one.pid) && (marked.has(one.pid) || groups.has(one.group)))
}

/** All that belong to the program of this folder, now. */
export async function leftovers(system: ProcessTable, folder: string, leader: Leader | null): Promise<Process[]> {
  const table = await system.all()
  const marked = new Set(table.map(({ pid }) => pid).filter((pid) => carries(markCarriedBy(pid), folder)))
  return belonging(table, marked, leader, process.pid)
}

/** As far as the system tells: only Linux does, and only of one's own processes. */
function markCarriedBy(pid: number): string {
  if (process.platform !== 'linux') return ''
  try {
    const entries = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')
    return entries.find((entry) => entry.startsWith(`${MARK}=`))?.slice(MARK.length + 1) ?? ''
  } catch {
    return '' // it has ended, or is another user's
  }
}
