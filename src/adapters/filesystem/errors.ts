// What a failed file operation on an image means. The table from errno to code is the journal's; a file that is
// missing, a link where a file should be, and a call that was called off mean something else here.
import { type TaskEither, tryCatch } from 'fp-ts/lib/TaskEither.js'
import { fsError } from '../../journal/fs-error.ts'
import { DuramenError } from '../../ports/errors.ts'

/** The errno of a failed call of node:fs, such as 'ENOENT'. */
export const errnoOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException | undefined)?.code

/** The DuramenError for what went wrong with `file`; `doing` completes "Could not …". */
export function fileError(cause: unknown, doing: string, file: string, signal?: AbortSignal): DuramenError {
  if (cause instanceof DuramenError) return cause
  const where = { file }
  if (signal?.aborted) {
    return new DuramenError('ABORTED', `Stopped while trying to ${doing}`, { cause, where, retryable: true })
  }
  switch (errnoOf(cause)) {
    case 'ENOENT':
      return new DuramenError('FILE_GONE', `Could not ${doing}: it is not there (any more)`, {
        cause,
        where,
        hint: 'Something else moved or removed it; look for it outside of these folders.',
      })
    case 'ELOOP':
      return new DuramenError('NOT_A_FILE', `Could not ${doing}: it is a symbolic link`, {
        cause,
        where,
        hint: 'Put the file itself there; links are never followed.',
      })
    case 'ENOTDIR':
      return new DuramenError(
        'NOT_A_FILE',
        `Could not ${doing}: there is a folder in the place of a file, or a file in that of a folder`,
        {
          cause,
          where,
          hint: 'Put the files themselves there; folders are left alone.',
        },
      )
    case 'ENAMETOOLONG':
      return new DuramenError('IO', `Could not ${doing}: its name is too long for that file system`, {
        cause,
        where,
        hint: 'Give it a shorter name.',
      })
    default:
      return fsError(cause, doing, where)
  }
}

/** A port's call: `work` as a TaskEither whose error says what was being done to which file. */
export const task = <A>(
  doing: string,
  file: string,
  work: () => Promise<A>,
  signal?: AbortSignal,
): TaskEither<DuramenError, A> =>
  tryCatch(
    async () => {
      signal?.throwIfAborted()
      return await work()
    },
    (error) => fileError(error, doing, file, signal),
  )
