// What is held in memory, for tests of its bounds.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { settle } from '../../src/testing/index.ts'

setFlagsFromString('--expose-gc')
/** Collects what nobody holds. */
export const gc = runInNewContext('gc') as () => void

/** What is held after all is collected that can be, in bytes. */
export async function used(): Promise<NodeJS.MemoryUsage> {
  for (let i = 0; i < 4; i++) {
    gc()
    await settle(2)
  }
  return process.memoryUsage()
}
