import type { Logger } from '../ports/logger.ts'

/** A logger that remembers. */
export interface RecordingLogger extends Logger {
  /** The messages, oldest first. */
  readonly lines: string[]
}

/** A logger for `openHost({ logger })` that prints nothing and remembers all messages. */
export function recordingLogger(): RecordingLogger {
  const lines: string[] = []
  const take = (message: string) => void lines.push(message)
  return { lines, debug: take, info: take, warn: take, error: take }
}

/** A logger that says nothing. */
export const quietLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} }
