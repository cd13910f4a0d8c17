// What went wrong, and what follows from it.
import type { Backoff, Problem } from './types.ts'

/** An error as data for the context and for messages. */
export function problemOf(error: unknown): Problem {
  const { code, message } = error as { code?: unknown; message?: unknown }
  return { code: typeof code === 'string' ? code : 'FAILED', message: String(message ?? error) }
}

/** I6: this file will never be processed; it goes to quarantine. */
const hopeless = new Set(['NOT_AN_IMAGE', 'NOT_A_FILE', 'FILE_CHANGED', 'FILE_GONE', 'PROCESSING_CRASHED'])

export const isHopeless = (error: unknown) => hopeless.has(problemOf(error).code)
export const isMismatch = (error: unknown) => problemOf(error).code === 'PAIRING_MISMATCH'
/** Somebody wrote to the file while it was ours: what lies there is another image than the one that was processed. */
export const isChanged = (error: unknown) => problemOf(error).code === 'FILE_CHANGED'
export const isLost = (error: unknown) => problemOf(error).code === 'OUTPUTS_MISSING'

/** The world around it is at fault (disk, permissions, store, packages), not the image: wait for as long as it takes. */
const environment = new Set([
  ...[
    'IO',
    'NO_SPACE',
    'NO_PERMISSION',
    'READ_ONLY',
    'FOLDER_MISSING',
    'STORE_MISMATCH',
    'MISSING_PACKAGE',
    'ABORTED',
    'CLOSED',
  ],
  ...['ENOSPC', 'EDQUOT', 'EROFS', 'EACCES', 'EPERM', 'EIO', 'EMFILE', 'ENFILE', 'ENOMEM'], // as a processor may throw them
])

export const isEnvironment = (error: unknown) => environment.has(problemOf(error).code)

/** Milliseconds before the next try, after `tries` failures in a row. */
export const backoff = ({ first, max }: Backoff, tries: number) => Math.min(max, first * 2 ** Math.max(0, tries - 1))

/** Stands for an actor that an adapter has to provide. */
export const unprovided = (name: string) => () => Promise.reject(new Error(`provide the actor '${name}'`))
