// How much of the processors is in use, in percent.
import { setTimeout as sleep } from 'node:timers/promises'
import si from 'systeminformation'

/** ms that the first figure is taken over. */
const SAMPLE = 500

/** Over half a second from now on. Rejects when it is aborted. */
export async function cpuSampled(signal: AbortSignal): Promise<number> {
  await si.currentLoad()
  await sleep(SAMPLE, undefined, { signal })
  return cpuSince()
}

/** Since this was last asked. */
export const cpuSince = async (): Promise<number> => (await si.currentLoad()).currentLoad
