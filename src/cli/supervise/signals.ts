// What signals mean to a supervisor (V1): the first asks it to end, a second ends it at once, the others are its program's.
import { SAME_KEYPRESS } from '../interruption.ts'

export interface Wishes {
  /** End the program, and yourself. */
  stop(signal: NodeJS.Signals): void
  /** At once, whatever is left undone. */
  kill(signal: NodeJS.Signals): void
  /** For the program. */
  pass(signal: NodeJS.Signals): void
}

/** Listens until the answer is called. `terminal`: SIGHUP says that it was closed. */
export function onSignals({ stop, kill, pass }: Wishes, terminal: boolean): () => void {
  let asked: number | undefined
  const end = (signal: NodeJS.Signals) => {
    if (asked === undefined) {
      asked = performance.now()
      stop(signal)
    } else if (performance.now() - asked >= SAME_KEYPRESS) kill(signal)
  }
  const listeners: Partial<Record<NodeJS.Signals, (signal: NodeJS.Signals) => void>> = {
    SIGTERM: end,
    SIGINT: end,
    SIGHUP: terminal ? end : pass,
    SIGUSR1: pass,
    SIGUSR2: pass,
  }
  for (const [name, listener] of Object.entries(listeners)) process.on(name, listener)
  return () => {
    for (const [name, listener] of Object.entries(listeners)) process.off(name, listener)
  }
}
