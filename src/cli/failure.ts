// What is said when a command fails, and the exit code that follows.
//
// It goes to stderr, with --json as one line of JSON: stdout holds the report that was asked for, or nothing.
import { CommanderError } from 'commander'
import { isDuramenError } from '../ports/errors.ts'
import { printable } from '../ports/printable.ts'
import { textOf } from '../ports/thrown.ts'
import { EXIT } from './exit-codes.ts'

/** What `--json` prints of a failure. `code`: one of docs/ERRORS.md, `USAGE`, or `UNKNOWN` for a defect. */
interface Failure {
  readonly error: {
    readonly code: string
    readonly message: string
    readonly hint?: string | undefined
    readonly where?: object
  }
}

/** Says what went wrong, unless that was said already. */
export function exitCodeOf(error: unknown, json: boolean): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return EXIT.fine // --help and --version come this way, too
    if (json) say({ error: { code: 'USAGE', message: error.message.replace(/^error: /, '') } })
    return EXIT.usage // else commander has printed its message
  }
  if (json) say({ error: described(error) })
  else if (isDuramenError(error)) {
    console.error(`duramen: ${printable(error.message)}`)
    if (error.hint !== undefined) console.error(`  ${printable(error.hint)}`)
  } else console.error(error)
  return EXIT.failed
}

function described(error: unknown): Failure['error'] {
  if (!isDuramenError(error)) return { code: 'UNKNOWN', message: textOf(error) }
  const { code, message, hint, where } = error
  return { code, message, hint, where }
}

const say = (failure: Failure) => console.error(JSON.stringify(failure))
