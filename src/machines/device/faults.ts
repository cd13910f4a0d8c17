// What an error of a driver means for the device, and what is kept of it.
import { DuramenError, isDuramenError } from '../../ports/errors.ts'
import { isAbortError, textOf } from '../../ports/thrown.ts'

/** Longest text of an error that is kept, in characters. */
const LONGEST = 500

/**
 * - `gone`: it is not there; it may come back (D7)
 * - `denied`: it may not be opened (D6)
 * - `held`: another process drives it
 * - `fault`: recovery may help (D5)
 * - `interrupted`: the process that asked for it has ended
 * - `answer`: nothing is wrong with the device as far as is known; whoever asked is told
 */
export type Fault = 'gone' | 'denied' | 'held' | 'fault' | 'interrupted' | 'answer'

const FAULTS: Readonly<Record<string, Fault>> = {
  USB_GONE: 'gone',
  USB_ACCESS: 'denied',
  LOCKED: 'held',
  USB_STALL: 'fault',
  USB_TIMEOUT: 'fault',
  USB_PROTOCOL: 'fault',
  USB_BUSY: 'fault',
  IO: 'fault',
  INTERRUPTED: 'interrupted',
}

export function faultOf(error: unknown): Fault {
  return (isDuramenError(error) && FAULTS[error.code]) || 'answer'
}

/** D9: what an error of a driver may leave in the journal: no cause, no data, no long text. */
export function forTheJournal(error: unknown, what: string): DuramenError {
  if (isAbortError(error)) return new DuramenError('ABORTED', `${what} was called off`)
  if (!isDuramenError(error)) {
    const threw = error instanceof Error ? `${error.name}: ${textOf(error)}` : 'what is no error'
    return new DuramenError('OPERATION_FAILED', short(`${what} threw ${threw}`))
  }
  const { code, message, retryable, hint } = error
  return new DuramenError(code, short(message), { retryable, ...(hint !== undefined && { hint: short(hint) }) })
}

const short = (text: string) => (text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text)
