// What is said when a command fails, and the exit code that follows: 1, or 2 for arguments that make no sense.
import { CommanderError } from 'commander'
import { isDuramenError } from '../ports/errors.ts'
import { printable } from './text.ts'

/** Says what went wrong, unless that was said already. */
export function exitCodeOf(error: unknown): number {
  // commander has printed its message; --help and --version come this way, too
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  if (isDuramenError(error)) {
    console.error(`duramen: ${printable(error.message)}`)
    if (error.hint !== undefined) console.error(`  ${printable(error.hint)}`)
  } else console.error(error)
  return 1
}
