import { AsyncLocalStorage } from 'node:async_hooks'
import { type ContractCase, casesOf, describe } from '../suite.ts'
import { done } from './results.ts'
import { publishSuite } from './store-publish.ts'
import { refuseSuite } from './store-refuse.ts'
import type { StoreWorld } from './world.ts'

/**
 * What every ImageStore must keep, as cases for any test runner. `create` makes an empty store for each case, which closes
 * it and disposes of it.
 */
export function imageStoreContract(adapter: string, create: () => Promise<StoreWorld>): ContractCase[] {
  const worlds = new AsyncLocalStorage<StoreWorld>()
  const world = () => worlds.getStore()!
  const define = () => {
    describe('publishing', () => publishSuite(world))
    describe('refusing', () => refuseSuite(world))
  }
  return casesOf(`${adapter} keeps the contract of ImageStore`, define, async (run) => {
    const fresh = await create()
    try {
      await worlds.run(fresh, async () => run())
      await done(fresh.store.close())
    } finally {
      await fresh.dispose()
    }
  })
}
