import { imageFoldersContract, imageStoreContract } from '../../src/testing/images/index.ts'
import { foldersWorld, storeWorld } from './worlds.ts'

imageFoldersContract('fileSystemFolders', () => foldersWorld())
imageStoreContract('fileSystemStore', storeWorld)
