// What is left of the memory: of a container's, where this process is in one with a limit. What was read of files counts as
// used there, though the system gives it away as soon as it is wanted.
import { readFile } from 'node:fs/promises'
import { totalmem } from 'node:os'
import si from 'systeminformation'

export interface Memory {
  readonly available: number
  readonly total: number
  /** The limit is a container's. */
  readonly constrained: boolean
}

export async function memoryNow(): Promise<Memory> {
  const limit = process.constrainedMemory()
  if (limit > 0 && limit < totalmem()) {
    const available = Math.min(limit, process.availableMemory() + (await filesKept()))
    return { available, total: limit, constrained: true }
  }
  const { available, total } = await si.mem()
  return { available, total, constrained: false }
}

/** Bytes of files that nobody has used lately, of this process's group; 0 where nobody tells. */
async function filesKept(): Promise<number> {
  const text = (path: string) => readFile(path, 'utf8').catch(() => '')
  for (const path of statsOf(await text('/proc/self/cgroup'))) {
    const bytes = inactiveFile(await text(path))
    if (bytes !== undefined) return bytes
  }
  return 0
}

/** Where a group tells of its memory, by /proc/self/cgroup: v2, or v1; inside a container the group is the root. */
export function statsOf(groups: string): string[] {
  const v2 = /^0::(.*)$/m.exec(groups)?.[1]
  const v1 = /^\d+:(?:[^:\n]*,)?memory(?:,[^:\n]*)?:(.*)$/m.exec(groups)?.[1]
  const at = (room: string, group: string | undefined) =>
    group === undefined ? [] : [`${room}${group === '/' ? '' : group}/memory.stat`, `${room}/memory.stat`]
  return [...new Set([...at('/sys/fs/cgroup/memory', v1), ...at('/sys/fs/cgroup', v2)])]
}

export function inactiveFile(stat: string): number | undefined {
  const found = /^total_inactive_file (\d+)$/m.exec(stat) ?? /^inactive_file (\d+)$/m.exec(stat)
  return found ? Number(found[1]) : undefined
}
