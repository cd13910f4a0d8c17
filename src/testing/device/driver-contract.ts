import { AsyncLocalStorage } from 'node:async_hooks'
import { type ContractCase, casesOf, describe } from '../suite.ts'
import { connectionSuite } from './connection.ts'
import { goneSuite } from './gone.ts'
import { recoverySuite } from './recovery.ts'
import type { DeviceWorld } from './world.ts'

/**
 * What every DeviceDriver must keep, as cases for any test runner. `create` makes a world for each case, which disposes of
 * it. Where all worlds share one device, run the cases one after the other.
 */
export function deviceDriverContract(adapter: string, create: () => Promise<DeviceWorld>): ContractCase[] {
  const worlds = new AsyncLocalStorage<DeviceWorld>()
  const world = () => worlds.getStore()!
  const define = () => {
    describe('the connection', () => connectionSuite(world))
    describe('recovery', () => recoverySuite(world))
    describe('coming and going', () => goneSuite(world))
  }
  return casesOf(`${adapter} keeps the contract of DeviceDriver`, define, async (run) => {
    const fresh = await create()
    try {
      await worlds.run(fresh, async () => run())
    } finally {
      await fresh.driver.close()()
      await fresh.dispose()
    }
  })
}
