// The package `usb` is an optional peer: loaded at the first connection, so that who only simulates need not install it.
import type { Emitter, UsbDevice } from 'usb/index.js'
import { optional } from '../../ports/optional.ts'

/**
 * A device of the package. The limit of a transfer, ms, is an argument that its types leave out; without it each ends after
 * one second.
 */
export type Device = UsbDevice & {
  controlTransferIn(setup: USBControlTransferParameters, length: number, ms: number): Promise<USBInTransferResult>
  controlTransferOut(setup: USBControlTransferParameters, data: Uint8Array, ms: number): Promise<USBOutTransferResult>
  transferIn(endpoint: number, length: number, ms: number): Promise<USBInTransferResult>
  transferOut(endpoint: number, data: Uint8Array, ms: number): Promise<USBOutTransferResult>
}

export interface UsbPackage {
  /** What is plugged in; new objects each time. */
  getDevices(): Promise<Device[]>
  /** Tells of what is plugged in and out; its promises say when it does, which the events of `usb` itself don't. */
  readonly Emitter: new () => Emitter
}

/** MISSING_PACKAGE where it is not installed. */
export async function loadUsb(): Promise<UsbPackage> {
  const both = () => Promise.all([import('usb'), import('usb/index.js')])
  const [{ usb }, { Emitter }] = await optional(
    'usb',
    both,
    'usb (with its optional dependencies: they hold the compiled part)',
  )
  return { getDevices: () => usb.getDevices() as Promise<Device[]>, Emitter }
}
