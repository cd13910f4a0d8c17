import type { DeviceDriver } from '../../../ports/device.ts'
import { driverOver } from '../driver.ts'
import { type ReaderOperations, readerProtocol } from './protocol.ts'
import { SimulatedReader } from './simulated-reader.ts'

/** A driver of a reader that is not there. */
export interface SimulatedDriver extends DeviceDriver<ReaderOperations> {
  /** The reader itself: unplug it, give it faults. */
  readonly reader: SimulatedReader
}

/** How the simulated reader is. */
export interface SimulatedDriverOptions {
  /** Its serial number. Default `'SIM-0001'`. */
  serial?: string
}

/** The driver of the invented reader over a device that is simulated in this process, faults included. Needs no package. */
export function simulatedDriver({ serial }: SimulatedDriverOptions = {}): SimulatedDriver {
  const reader = new SimulatedReader(serial)
  return { ...driverOver(reader, readerProtocol), reader }
}
