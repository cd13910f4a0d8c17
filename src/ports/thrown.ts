// What was thrown, or is to be logged. It may be anything, also what throws when it is looked at; to tell of it must not throw.
import { inspect } from 'node:util'

/** What an error says, or what was thrown in its place. */
export function textOf(thrown: unknown): string {
  try {
    const text: unknown = thrown instanceof Error ? thrown.message : String(thrown)
    if (typeof text === 'string') return text
  } catch {}
  return dump(thrown)
}

/** A value as it is printed. */
export function dump(value: unknown): string {
  try {
    return inspect(value)
  } catch {
    return '[it throws when it is printed]'
  }
}

/** A property of what was thrown; undefined where it has none that can be read. */
export function partOf(thrown: unknown, name: string): unknown {
  try {
    return (thrown as Record<string, unknown> | null | undefined)?.[name]
  } catch {
    return undefined
  }
}

/** What a signal that was aborted gives for a reason by itself, and what node's own calls throw then. */
export const isAbortError = (thrown: unknown) => partOf(thrown, 'name') === 'AbortError'
