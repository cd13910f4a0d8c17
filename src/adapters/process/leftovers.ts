// Which processes belong to a program that is looked after: also those of an earlier supervisor, and those that left its group.
//
// V1i V1j never two of it: all that carry the mark of the state folder in their environment, all in a group that is known to
// be its own, and all that these have begun, also with another environment and in a group of its own. No other is ever touched:
// a pid that was given to somebody else does not fit the recorded beginning.
import { readFileSync } from 'node:fs'
import { carries, MARK } from './mark.ts'
import type { Identity, Process, ProcessTable } from './table.ts'

/** The process that began a program, which is also the number of its group. */
export interface Leader extends Identity {
  /** It was this process's own child until now: its group is its own also where it has ended. Else it may be another's by now. */
  readonly watched: boolean
}

/** What was found before, as `keyOf` names it: what has lost its parent meanwhile is known by nothing else. */
export type Known = ReadonlySet<string>

export const keyOf = ({ pid, started }: Identity): string => `${pid} ${started}`

/**
 * Those of a table that belong to a program. `marked`: the pids that carry its mark. `self`: who asks, who is spared with all
 * who have begun him.
 */
export function belonging(
  table: readonly Process[],
  marked: ReadonlySet<number>,
  leader: Leader | null,
  self: number,
  known: Known = new Set(),
): Process[] {
  const byPid = new Map(table.map((one) => [one.pid, one]))
  const spared = new Set<number>()
  for (let one = byPid.get(self); one !== undefined && !spared.has(one.pid); one = byPid.get(one.parent))
    spared.add(one.pid)
  const isKnown = (one: Process) => marked.has(one.pid) || known.has(keyOf(one))
  const groups = new Set(table.filter(isKnown).map(({ group }) => group))
  const there = leader === null ? undefined : byPid.get(leader.pid)
  if (leader !== null && (there === undefined ? leader.watched : there.started === leader.started))
    groups.add(leader.pid)
  for (const pid of spared) groups.delete(byPid.get(pid)!.group)
  const found = table.filter((one) => !spared.has(one.pid) && (isKnown(one) || groups.has(one.group)))
  return [...withChildren(found, table, spared)].filter(({ ended }) => !ended)
}

/** And theirs, and so on. */
function withChildren(found: readonly Process[], table: readonly Process[], spared: ReadonlySet<number>): Set<Process> {
  const all = new Set(found)
  for (const { pid } of all) // also those that are added meanwhile
    for (const child of table) if (child.parent === pid && !spared.has(child.pid)) all.add(child)
  return all
}

/** All that belong to the program of this mark, now. */
export async function leftovers(
  system: ProcessTable,
  mark: string,
  leader: Leader | null,
  known?: Known,
): Promise<Process[]> {
  const table = await system.all()
  const marked = new Set(table.map(({ pid }) => pid).filter((pid) => carries(markCarriedBy(pid), mark)))
  return belonging(table, marked, leader, process.pid, known)
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
