import type { DeviceDriver } from '../../../ports/device.ts'
import { assertNames, badOption, optionsGiven } from '../../../ports/given.ts'
import { driverOver } from '../driver.ts'
import { type ReaderOperations, readerProtocol } from './protocol.ts'
import { type ReaderFaults, SimulatedReader } from './simulated-reader.ts'

/** A driver of a reader that is not there. */
export interface SimulatedDriver extends DeviceDriver<ReaderOperations> {
  /** The reader itself: unplug it, give it faults. */
  readonly reader: SimulatedReader
}

/** How the simulated reader is. */
export interface SimulatedDriverOptions {
  /** Its serial number. Default `'SIM-0001'`. */
  serial?: string
  /** What goes wrong from the beginning; more by `driver.reader.faults`. Default: nothing. */
  faults?: ReaderFaults
}

/**
 * The driver of the invented reader over a device that is simulated in this process, faults included. Needs no package. Throws
 * BAD_OPTION.
 */
export function simulatedDriver(options: SimulatedDriverOptions = {}): SimulatedDriver {
  const given: Partial<SimulatedDriverOptions> = optionsGiven('simulatedDriver', options)
  assertNames('simulatedDriver', given, ['serial', 'faults'])
  const { serial } = given
  if (serial !== undefined && (typeof serial !== 'string' || serial === ''))
    throw badOption('serial', serial, 'is no serial number', 'Leave it out, or give it as a string.')
  const reader = new SimulatedReader(serial)
  const faults = optionsGiven('faults', given.faults, 'Leave it out, or give { hung: true }.')
  assertNames('faults', faults, FAULTS)
  reader.faults = { ...faults }
  return { ...driverOver(reader, readerProtocol), reader }
}

const FAULTS: readonly string[] = [
  'halted',
  'stallControl',
  'cut',
  'garbage',
  'short',
  'silent',
  'hung',
  'stubborn',
  'unplugInTransfer',
  'denied',
  'delay',
] satisfies (keyof ReaderFaults)[]
