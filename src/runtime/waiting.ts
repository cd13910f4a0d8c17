// Waiting for something of an instance: it comes, or the time is over, or it is called off, or it can't come any more.
import type { CommitOutcome } from '../journal/records.ts'
import { DuramenError } from '../ports/errors.ts'
import { assertNames, badOption, optionsGiven } from '../ports/given.ts'
import { type Duration, milliseconds } from './duration.ts'
import type { Instance } from './instance.ts'

/** How long to wait. */
export interface WaitOptions {
  /** How long to wait; then TIMEOUT. Default: for ever. */
  timeout?: Duration | undefined
  /** Calls the waiting off; then ABORTED. Default: none. */
  signal?: AbortSignal | undefined
}

/** Something that is waited for. It ends once; what comes later is nobody's business. */
export interface Wait<T> {
  readonly over: boolean
  resolve(value: T): void
  reject(error: unknown): void
  /** Nothing will come any more: CLOSED. */
  giveUp(what: string): void
  /** What to undo at the end, however it ends. */
  atEnd(undo: () => void): void
}

/** A promise that `begin` has to resolve. Throws BAD_OPTION. */
export function waiting<T>(
  instance: Instance,
  options: WaitOptions | undefined,
  begin: (wait: Wait<T>) => void,
): Promise<T> {
  const given = optionsGiven('waitFor', options)
  assertNames('waitFor', given, ['timeout', 'signal'])
  const { timeout, signal } = given
  if (signal !== undefined && typeof (signal as Partial<AbortSignal> | null)?.addEventListener !== 'function')
    throw badOption('signal', signal, 'is no AbortSignal', 'Give the signal of an AbortController.')
  const limit = timeout === undefined ? undefined : milliseconds(timeout, 'timeout')
  const { machine, id, where } = instance
  return new Promise((resolve, reject) => {
    const undos: (() => void)[] = []
    let over = false
    const end = (settle: () => void) => {
      if (over) return
      over = true
      for (const undo of undos) undo()
      settle()
    }
    const fail = (code: 'TIMEOUT' | 'ABORTED' | 'CLOSED', message: string) =>
      end(() => reject(new DuramenError(code, `${machine.id}/${id}: ${message}`, { where, hint: HINTS[code] })))
    const wait: Wait<T> = {
      get over() {
        return over
      },
      resolve: (value) => end(() => resolve(value)),
      reject: (error) => end(() => reject(error)),
      giveUp: (what) => fail('CLOSED', `${describe(instance)}, no ${what} will come`),
      atEnd: (undo) => (over ? undo() : void undos.push(undo)),
    }
    const aborted = () => fail('ABORTED', 'waiting was called off')
    if (signal?.aborted) return aborted()
    signal?.addEventListener('abort', aborted)
    wait.atEnd(() => signal?.removeEventListener('abort', aborted))
    if (limit !== undefined)
      wait.atEnd(instance.host.clock.after(limit, () => fail('TIMEOUT', `${describe(instance)} after ${limit} ms`)))
    try {
      begin(wait)
    } catch (error) {
      wait.reject(error)
    }
  })
}

const HINTS = {
  TIMEOUT: 'It goes on all the same; wait again, or longer: { timeout }.',
  ABORTED: 'It goes on all the same; wait again.',
  CLOSED: 'host.list() and actor.history() say what has become of it.',
}

/** Where an instance is, for those who wait for it in vain. */
function describe({ phase, problem, last }: Instance): string {
  const { value, status = 'active' } = JSON.parse(last?.outcome ?? '{}') as CommitOutcome & { status?: string }
  const state = `in ${JSON.stringify(value)}`
  if (phase === 'closed') return `its host was closed while it was ${state}`
  if (phase === 'purged') return 'it was purged'
  if (problem) return `it is ${phase === 'broken' ? 'broken' : 'parked'} ${state}: ${problem.message}`
  return status === 'active' ? `it is still ${state}` : `it has ended ${state}`
}
