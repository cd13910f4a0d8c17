// S7 Signals of the process: the first one shuts down, a second one ends at once.
//
// `npm run` and terminals deliver one Ctrl+C twice within a few ms: that is one.
import { constants } from 'node:os'
import type { Clock } from '../../ports/clock.ts'
import type { HostProcess, SignalName } from '../../ports/process.ts'

/** What comes sooner after the first is no second one, ms; also where the clock was put back meanwhile. */
const SAME = 250

/**
 * Listens from now on. `end`: shuts down, and answers the exit code. The answer of `onSignals` ends the listening, unless a
 * signal has come: then it lasts until the process has ended, so that a second one still counts.
 */
export function onSignals(
  process: HostProcess,
  names: readonly SignalName[],
  clock: Clock,
  end: (signal: SignalName) => Promise<number>,
): () => void {
  let first: number | undefined
  const take = (name: SignalName) => {
    if (first === undefined) {
      first = clock.now()
      void end(name).then((code) => {
        off()
        process.exit(code)
      })
    } else if (Math.abs(clock.now() - first) >= SAME) {
      off()
      process.exit(128 + (constants.signals[name] ?? 0))
    }
  }
  const listeners = names.map((name) => [name, () => take(name)] as const)
  const off = () => {
    for (const [name, listener] of listeners) process.off(name, listener)
  }
  for (const [name, listener] of listeners) process.on(name, listener)
  return () => {
    if (first === undefined) off()
  }
}
