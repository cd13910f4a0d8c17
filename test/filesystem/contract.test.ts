import { test } from 'vitest'
import { imageFoldersContract, imageStoreContract } from '../../src/testing/index.ts'
import { foldersWorld, storeWorld } from './worlds.ts'

const contracts = [
  ...imageFoldersContract('fileSystemFolders', () => foldersWorld()),
  ...imageStoreContract('fileSystemStore', storeWorld),
]
for (const { name, run } of contracts) test(name, run)
