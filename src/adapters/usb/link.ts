// What stands between a protocol and the device: transfers for the protocol, the connection for the driver. Kept by the `usb`
// package (usb-link.ts) and by a device that is only simulated (reader/simulated-reader.ts). Calls come one at a time, but for
// `access`, `watch` and `close`. All reject with DuramenError.
import type { Access, DeviceIdentity } from '../../ports/device.ts'

/** Of one transfer. */
export interface TransferOptions {
  /** Ends the transfer, also one that is pending. */
  readonly signal: AbortSignal
  /** How long it may take, ms. Default 5,000. */
  readonly timeout?: number
}

/** A vendor request to the device. */
export interface ControlRequest {
  /** 0 to 255. */
  readonly request: number
  /** 0 to 65,535. Default 0. */
  readonly value?: number
  /** 0 to 65,535. Default 0. */
  readonly index?: number
}

/** Transfers, as a protocol makes them. */
export interface UsbIo {
  /** A vendor request that answers; at most `length` bytes. */
  controlIn(request: ControlRequest, length: number, options: TransferOptions): Promise<Uint8Array>
  /** A vendor request that gives. Default: no data. */
  controlOut(request: ControlRequest, data: Uint8Array | undefined, options: TransferOptions): Promise<void>
  /** Reads at most `length` bytes; less where the device ends the transfer with a short packet. */
  bulkIn(endpoint: number, length: number, options: TransferOptions): Promise<Uint8Array>
  bulkOut(endpoint: number, data: Uint8Array, options: TransferOptions): Promise<void>
}

/** A device and the way to it. */
export interface UsbLink extends UsbIo {
  /** For messages, and as the id of the device. */
  readonly name: string
  access(signal: AbortSignal): Promise<Access>
  /** Finds, locks, opens and claims it; what is open is closed first. */
  open(signal: AbortSignal): Promise<DeviceIdentity>
  clearHalt(signal: AbortSignal): Promise<void>
  reset(signal: AbortSignal): Promise<void>
  /** Takes it off the bus and on again, by software; closed afterwards. */
  replug(signal: AbortSignal): Promise<void>
  watch(listener: (change: 'attached' | 'detached') => void): () => void
  /** Ends what is pending and frees all. May be called twice. */
  close(): Promise<void>
}
