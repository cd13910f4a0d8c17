// What `duramen/usb` offers.
export type { ControlRequest, TransferOptions, UsbIo } from './link.ts'
export type { UsbOperation, UsbProtocol } from './protocol.ts'
export { type GreyImage, type ReaderOperations, type ReaderStatus, readerProtocol } from './reader/protocol.ts'
export { type SimulatedDriver, type SimulatedDriverOptions, simulatedDriver } from './reader/simulated.ts'
export type { ReaderFaults, SimulatedReader } from './reader/simulated-reader.ts'
export { type UsbDriverOptions, usbDriver } from './usb-driver.ts'
