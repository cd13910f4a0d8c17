// Contract suites for the ports of src/ports/device.ts.
export { deviceDriverContract } from './driver-contract.ts'
export type { DeviceWorld } from './world.ts'
