import { AsyncLocalStorage } from 'node:async_hooks'
import { type ContractCase, casesOf, describe } from '../suite.ts'
import { claimSuite } from './folders-claim.ts'
import { leaveSuite } from './folders-leave.ts'
import { outputsSuite } from './folders-outputs.ts'
import { done } from './results.ts'
import type { FoldersWorld } from './world.ts'

/**
 * What every ImageFolders must keep, as cases for any test runner. `create` makes an empty world for each case, which opens
 * it and disposes of it.
 */
export function imageFoldersContract(adapter: string, create: () => Promise<FoldersWorld>): ContractCase[] {
  const worlds = new AsyncLocalStorage<FoldersWorld>()
  const world = () => worlds.getStore()!
  const define = () => {
    describe('claiming', () => claimSuite(world))
    describe('leaving', () => leaveSuite(world))
    describe('outputs', () => outputsSuite(world))
  }
  return casesOf(`${adapter} keeps the contract of ImageFolders`, define, async (run) => {
    const fresh = await create()
    try {
      await done(fresh.folders.open())
      await worlds.run(fresh, async () => run())
      await done(fresh.folders.close())
    } finally {
      await fresh.dispose()
    }
  })
}
