// How often systemd wants to hear that the event loop turns (WATCHDOG_USEC, WATCHDOG_PID).
import { LONGEST_TIMER } from '../../ports/clock.ts'

/** ms between two pings, half of what systemd waits; undefined where it waits for none of this process (S6). */
export function pingEvery(env: Readonly<Record<string, string | undefined>>, pid: number): number | undefined {
  // inherited from a process that systemd watches in its own right
  if (env.WATCHDOG_PID && Number(env.WATCHDOG_PID) !== pid) return undefined
  const every = Number(env.WATCHDOG_USEC) / 2_000
  return every > 0 ? Math.min(Math.max(Math.floor(every), 1), LONGEST_TIMER) : undefined
}
