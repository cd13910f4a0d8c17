/** Contract suites for the ports of the image pipeline (for any test runner), and what their tests are made of. */
export { type CrashOptions, crashingFs } from './crashing-fs.ts'
export { imageFoldersContract } from './folders-contract.ts'
export { collect, done, failed } from './results.ts'
export { imageStoreContract } from './store-contract.ts'
export { type FolderName, type FoldersWorld, type StoreWorld, sha256, unitOf } from './world.ts'
