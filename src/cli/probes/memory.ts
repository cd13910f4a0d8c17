// What is left of the memory: of a container's, where this process is in one with a limit.
import { totalmem } from 'node:os'
import si from 'systeminformation'

export interface Memory {
  readonly available: number
  readonly total: number
  /** The limit is a container's. */
  readonly constrained: boolean
}

export async function memoryNow(): Promise<Memory> {
  const limit = process.constrainedMemory()
  if (limit > 0 && limit < totalmem()) return { available: process.availableMemory(), total: limit, constrained: true }
  const { available, total } = await si.mem()
  return { available, total, constrained: false }
}
