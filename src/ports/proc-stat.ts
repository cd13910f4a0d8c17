// A line of /proc/<pid>/stat.

/** What tells a process from another one with its pid. */
export interface ProcStat {
  /** When it began, counted from the start of the machine; undefined in what is no such line. */
  readonly start: string | undefined
  readonly parent: number
  readonly group: number
  /** It does nothing any more: its parent has not yet asked how it ended. */
  readonly ended: boolean
}

/** The name of a program may hold anything; what follows the last ')' does not. */
export function procStat(line: string): ProcStat {
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ')
  return {
    start: fields[19],
    parent: Number(fields[1]),
    group: Number(fields[2]),
    ended: fields[0] === 'Z' || fields[0] === 'X',
  }
}
