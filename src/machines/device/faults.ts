// What an error of a driver means for the device.
import { isDuramenError } from '../../ports/errors.ts'

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
