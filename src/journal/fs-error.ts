// What a failed file system call means to a host: one table from errno to code and advice.
import { DuramenError, type DuramenErrorCode, type ErrorPlace, isDuramenError } from '../ports/errors.ts'

interface Meaning {
  readonly code: DuramenErrorCode
  readonly hint: string
  readonly retryable?: true
}

const full: Meaning = {
  code: 'NO_SPACE',
  hint: 'Free space on that file system; the same call then works.',
  retryable: true,
}
const denied: Meaning = { code: 'NO_PERMISSION', hint: 'Let the user this process runs as read and write it.' }
const tooMany: Meaning = {
  code: 'IO',
  hint: 'Raise the limit of open files (ulimit -n), or have this process open fewer; the same call then works.',
  retryable: true,
}
const meanings: Readonly<Record<string, Meaning>> = {
  ENOSPC: full,
  EDQUOT: full,
  EACCES: denied,
  EPERM: denied,
  EMFILE: tooMany,
  ENFILE: tooMany,
  EROFS: { code: 'READ_ONLY', hint: 'Remount that file system writable, or choose another folder.' },
  ENOENT: {
    code: 'FOLDER_MISSING',
    hint: 'Look whether the path is right, and whether the file system it is on is mounted.',
  },
  ENOTDIR: { code: 'FOLDER_MISSING', hint: 'A part of that path is a file; choose another folder.' },
}
const other: Meaning = {
  code: 'IO',
  hint: 'Look at the disk and its cables; the kernel log says more.',
  retryable: true,
}

/** The DuramenError for a failed call of node:fs; `doing` completes "Could not …". */
export function fsError(cause: unknown, doing: string, where: ErrorPlace): DuramenError {
  const errno = (cause as NodeJS.ErrnoException | undefined)?.code ?? String(cause)
  const { code, hint, retryable = false } = meanings[errno] ?? other
  return new DuramenError(code, `Could not ${doing}: ${errno}`, { cause, where, hint, retryable })
}

/** What was thrown, as it is where it is a DuramenError, else as that of a failed call of node:fs. */
export const asDuramen = (error: unknown, doing: string, where: ErrorPlace): DuramenError =>
  isDuramenError(error) ? error : fsError(error, doing, where)

/** Whether a hard link failed because the file system has none. */
export const isUnlinkable = (error: unknown): boolean =>
  ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes((error as NodeJS.ErrnoException).code ?? '')

/** The DuramenError for that; `what` says what can't be done. */
export const noHardLinks = (what: string, file: string, cause: unknown): DuramenError =>
  new DuramenError('IO', `${what}: its file system has no hard links`, {
    cause,
    where: { file },
    hint: 'Choose a folder on another file system; FAT and exFAT will not do.',
  })
