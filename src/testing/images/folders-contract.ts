import { afterEach, beforeEach, describe } from 'vitest'
import { claimSuite } from './folders-claim.ts'
import { leaveSuite } from './folders-leave.ts'
import { outputsSuite } from './folders-outputs.ts'
import { done } from './results.ts'
import type { FoldersWorld } from './world.ts'

/** What every ImageFolders must keep. `create` makes an empty world for each test; it is opened by the suite. */
export function imageFoldersContract(adapter: string, create: () => Promise<FoldersWorld>): void {
  describe(`${adapter} keeps the contract of ImageFolders`, () => {
    let world: FoldersWorld
    beforeEach(async () => {
      world = await create()
      await done(world.folders.open())
    })
    afterEach(async () => {
      await done(world.folders.close())
      await world.dispose()
    })
    describe('claiming', () => claimSuite(() => world))
    describe('leaving', () => leaveSuite(() => world))
    describe('outputs', () => outputsSuite(() => world))
  })
}
