import { afterEach, beforeEach, describe } from 'vitest'
import { done } from './results.ts'
import { publishSuite } from './store-publish.ts'
import { refuseSuite } from './store-refuse.ts'
import type { StoreWorld } from './world.ts'

/** What every ImageStore must keep. `create` makes an empty store for each test. */
export function imageStoreContract(adapter: string, create: () => Promise<StoreWorld>): void {
  describe(`${adapter} keeps the contract of ImageStore`, () => {
    let world: StoreWorld
    beforeEach(async () => {
      world = await create()
    })
    afterEach(async () => {
      await done(world.store.close())
      await world.dispose()
    })
    describe('publishing', () => publishSuite(() => world))
    describe('refusing', () => refuseSuite(() => world))
  })
}
