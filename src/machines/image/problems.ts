// What went wrong, and what follows from it.
import { type Backoff, backoff, problemOf } from '../problems.ts'

/** I6: this file will never be processed; it goes to quarantine. */
const hopeless = new Set(['NOT_AN_IMAGE', 'NOT_A_FILE', 'FILE_CHANGED', 'FILE_GONE', 'PROCESSING_CRASHED'])

export const isHopeless = (error: unknown) => hopeless.has(problemOf(error).code)
/** I3: what processes it is at fault; it needs someone. */
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
    'NOT_CONNECTED',
    'MISSING_PACKAGE',
    'ABORTED',
    'CLOSED',
  ],
  ...['ENOSPC', 'EDQUOT', 'EROFS', 'EACCES', 'EPERM', 'EIO', 'EMFILE', 'ENFILE', 'ENOMEM'], // as a processor may throw them
])

export const isEnvironment = (error: unknown) => environment.has(problemOf(error).code)

/** I2: when what has failed is tried again; a person, or the store's connection, may come first. */
export const againText = ({ retry, tries }: { readonly retry: Backoff; readonly tries: number }) =>
  `tried again within ${backoff(retry, tries) / 1000} s`
