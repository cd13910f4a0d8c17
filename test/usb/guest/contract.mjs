// The contract of DeviceDriver over the package, the kernel and the virtual reader.
import { deviceDriverContract } from '../../../dist/testing/index.js'
import { driverOf } from '../../support/usb/peer.mjs'

export const contractCases = (reader) =>
  deviceDriverContract('usbDriver', async () => ({
    driver: driverOf(),
    operation: { name: 'capture' },
    halt: () => reader.set({ halted: true }),
    hang: () => reader.set({ hung: true }),
    unplug: () => reader.detach(),
    plug: () => reader.attach(),
    dispose: async () => {},
  }))
