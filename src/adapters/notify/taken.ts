// The frame around each way of telling: it ends within its limit or by its caller's signal, and with a DuramenError if at all.
import { type TaskEither, tryCatch } from 'fp-ts/lib/TaskEither.js'
import { LONGEST_TIMER } from '../../ports/clock.ts'
import { DuramenError, isDuramenError } from '../../ports/errors.ts'
import { textOf } from '../../ports/thrown.ts'

/** NOTIFY_FAILED. `who`: the notifier's name. */
export const notTaken = (
  who: string,
  why: string,
  hint: string,
  { retryable, cause }: { retryable: boolean; cause?: unknown },
) => new DuramenError('NOTIFY_FAILED', `${who}: ${why}`, { hint, retryable, cause })

/** `tell` with a signal that is aborted after `limit` ms, or when the caller's is; what ignores it is not waited for. */
export const taken = (
  who: string,
  limit: number,
  caller: AbortSignal | undefined,
  tell: (signal: AbortSignal) => Promise<void>,
): TaskEither<DuramenError, void> =>
  tryCatch(
    async () => {
      if (caller?.aborted) throw calledOff(who)
      const controller = new AbortController()
      const { signal } = controller
      const onAbort = () => controller.abort(calledOff(who))
      const timer = setTimeout(() => controller.abort(tooLong(who, limit)), Math.min(limit, LONGEST_TIMER))
      caller?.addEventListener('abort', onAbort)
      try {
        const ended = new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
        await Promise.race([ended, tell(signal)])
      } finally {
        clearTimeout(timer)
        caller?.removeEventListener('abort', onAbort)
      }
    },
    (error) =>
      isDuramenError(error)
        ? error
        : notTaken(who, textOf(error), 'Look at what it came from.', { retryable: false, cause: error }),
  )

const calledOff = (who: string) =>
  new DuramenError('ABORTED', `${who}: called off by its signal`, { hint: 'It may have been taken all the same.' })

const tooLong = (who: string, limit: number) =>
  notTaken(who, `not taken within ${limit / 1_000} s`, 'Look whether it can be reached, or give it a longer timeout.', {
    retryable: true,
  })
