// A database that comes and goes as a test wants it, behind a driver that tells.
import * as TE from 'fp-ts/lib/TaskEither.js'
import { DuramenError } from '../../src/index.ts'
import type { ConnectionDriver } from '../../src/machines/index.ts'
import { deferred } from '../support/deferred.ts'

interface Database {
  readonly driver: ConnectionDriver<string>
  /** How `connect` ends: it answers, refuses, is not taken (a wrong password), or has to be asked for. */
  answers: 'yes' | 'no' | 'never' | 'refused' | 'ignores'
  /** All calls, in order. */
  readonly calls: string[]
  /** Those of `connect` that have not ended. */
  readonly connecting: number
  says(change: 'up' | 'down'): void
  /** `close` does not end. */
  closeHangs: boolean
}

export function database(): Database {
  let listener: ((change: 'up' | 'down') => void) | undefined
  let connecting = 0
  const made: Database = {
    answers: 'yes',
    calls: [],
    closeHangs: false,
    get connecting() {
      return connecting
    },
    says: (change) => listener?.(change),
    driver: {
      name: 'test://db',
      connect: (signal) =>
        TE.tryCatch(
          async () => {
            made.calls.push('connect')
            if (made.answers === 'no') throw away('refused')
            if (made.answers === 'refused')
              throw new DuramenError('NO_PERMISSION', 'a wrong password', { hint: 'mend it' })
            if (made.answers === 'yes') return 'db'
            connecting++
            const never = deferred<string>()
            if (made.answers === 'never') signal.addEventListener('abort', () => never.reject(away('silent')))
            return never.promise.finally(() => connecting--)
          },
          (error) => error as DuramenError,
        ),
      watch: (listen) => {
        listener = listen
        return () => {
          listener = undefined
        }
      },
      close: () => async () => {
        made.calls.push('close')
        if (made.closeHangs) await new Promise(() => {})
        return { _tag: 'Right', right: undefined }
      },
    },
  }
  return made
}

const away = (why: string) => new DuramenError('NOT_CONNECTED', why, { retryable: true })
