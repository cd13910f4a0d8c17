// How a command is told to end from outside: SIGINT and SIGTERM, or nobody reads its output any more.
import { exitOfSignal } from './exit-codes.ts'

/** ms: `npx` hands a Ctrl+C on to a program that the terminal has told already: what follows so soon is the same one. */
export const SAME_KEYPRESS = 250

export interface Interruption {
  readonly signal: AbortSignal
  /** What a shell expects from a program that was ended so. Undefined as long as it was not. */
  readonly exitCode: number | undefined
  /** Nothing is heard of from here on: for a command to which signals and readers that have gone mean something else. */
  release(): void
}

/** From here on the first signal aborts, and the second ends the process at once. */
export function interruption(): Interruption {
  const controller = new AbortController()
  let exitCode: number | undefined
  let since = 0
  const interrupt = (name: 'SIGINT' | 'SIGTERM' | 'SIGPIPE') => {
    if (exitCode === undefined) {
      exitCode = exitOfSignal(name)
      since = performance.now()
      controller.abort()
    } else if (name !== 'SIGPIPE' && performance.now() - since >= SAME_KEYPRESS) {
      // as if nobody listened: process.exit() would wait for the image that a thread is decoding
      process.off(name, interrupt)
      process.kill(process.pid, name)
    }
  }
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', interrupt)
  const unread = (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    interrupt('SIGPIPE')
  }
  const streams = [process.stdout, process.stderr]
  for (const stream of streams) stream.on('error', unread)
  return {
    signal: controller.signal,
    get exitCode() {
      return exitCode
    },
    release() {
      process.off('SIGINT', interrupt).off('SIGTERM', interrupt)
      for (const stream of streams) stream.off('error', unread)
    },
  }
}
