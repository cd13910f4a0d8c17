// Ending processes: asked first, then ended, until none is left (V1j).
import { setTimeout as sleep } from 'node:timers/promises'
import { DuramenError } from '../../ports/errors.ts'
import { type Known, keyOf } from './leftovers.ts'
import type { Identity, ProcessTable } from './table.ts'

const LOOK_AGAIN = 20 // ms
/** ms that a process may take to end by SIGKILL: one that hangs in the kernel does not, and is reported. */
const KILL_LIMIT = 5_000

/**
 * Ends all that `find` finds, which is told what it has found before, also what they begin meanwhile: SIGTERM once to each,
 * SIGKILL after `limit` ms. The answer: how many there were. Rejects with CHILD_FAILED when some do not even end by that.
 */
export async function endAll(
  system: ProcessTable,
  find: (known: Known) => Promise<readonly Identity[]>,
  limit: number,
): Promise<number> {
  const seen = new Set<string>()
  const begun = performance.now()
  for (;;) {
    const found = await find(seen)
    if (found.length === 0) return seen.size
    const past = performance.now() - begun
    if (past > limit + KILL_LIMIT) throw undying(found)
    for (const one of found) {
      const key = keyOf(one)
      if (past >= limit) signalOne(system, one, 'SIGKILL')
      else if (!seen.has(key)) signalOne(system, one, 'SIGTERM')
      seen.add(key)
    }
    await sleep(LOOK_AGAIN)
  }
}

/** Only ever that very process: between looking and this, another may have been given its pid. */
function signalOne(system: ProcessTable, { pid, started }: Identity, signal: NodeJS.Signals): void {
  if (system.one(pid)?.started === started) signalAt(pid, signal)
}

/** A signal to a process, or with a negative number to a group; nothing where there is none any more. */
export function signalAt(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ESRCH' && code !== 'EPERM') throw error // EPERM: it has become another user's; it stays, and is found again
  }
}

const undying = (found: readonly Identity[]) =>
  new DuramenError('CHILD_FAILED', `Processes that can't be ended: ${pidsOf(found)}`, {
    where: { pid: found[0]!.pid },
    hint: 'They hang in the kernel, or belong to another user: look with `ps -o pid,user,stat,wchan -p …`.',
    retryable: true,
  })

export const pidsOf = (found: readonly Identity[]): string => found.map(({ pid }) => pid).join(', ')
