import { test } from 'vitest'
import { simulatedDriver } from '../../src/adapters/usb/index.ts'
import { deviceDriverContract } from '../../src/testing/index.ts'

const cases = deviceDriverContract('the simulated driver', async () => {
  const driver = simulatedDriver()
  const { reader } = driver
  return {
    driver,
    operation: { name: 'capture' },
    async halt() {
      reader.faults.halted = true
    },
    async hang() {
      reader.faults.hung = true
    },
    unplug: async () => reader.unplug(),
    async plug() {
      reader.faults = {}
      reader.plug()
    },
    dispose: async () => {},
  }
})

for (const { name, run } of cases) test(name, run)
