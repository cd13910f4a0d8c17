// What a vendor's protocol is made of: operations over transfers. A driver is made of it by `usbDriver`.
import type { Attempt, Operation, Operations, OperationTraits, Performed } from '../../ports/device.ts'
import type { UsbIo } from './link.ts'

/** One operation: what is to be known of it, and how it is done. */
export interface UsbOperation<Op extends Operation> extends OperationTraits {
  /**
   * Does it once. Throw DuramenError USB_PROTOCOL where the device answers what it should not: it is recovered then. Any other
   * error goes to the caller.
   */
  perform(io: UsbIo, input: Op['input'], attempt: Attempt): Promise<Performed<Op['output']>>
}

/** How a kind of device is talked to. */
export interface UsbProtocol<Ops extends Operations<Ops>> {
  readonly operations: { readonly [K in keyof Ops]: UsbOperation<Ops[K]> }
  /** Makes the device ready; after each connection and each reset. Default: nothing. */
  prepare?(io: UsbIo, signal: AbortSignal): Promise<void>
  /** Rejects where the device does not answer as it should; changes nothing of it. */
  probe(io: UsbIo, signal: AbortSignal): Promise<void>
}
