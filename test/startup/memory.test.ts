import { expect, test } from 'vitest'
import { cleanMemory, memoryLine } from '../../src/machines/startup/memory.ts'
import type { HostProcess } from '../../src/ports/process.ts'

/** A process of which each pass frees what is said. */
function using(heapUsed: number, frees: number[]) {
  const calls = { passes: 0 }
  const host = {
    memoryUsage: () => ({ rss: 2 * heapUsed, heapUsed, external: 0 }),
  } as unknown as HostProcess
  const gc = () => {
    heapUsed -= frees[calls.passes++] ?? 0
  }
  return { host, gc, calls }
}

test('S5 memory is cleaned up to five times', async () => {
  const { host, gc, calls } = using(1000e6, [100e6, 100e6, 100e6, 100e6, 100e6, 100e6])
  const cleaned = await cleanMemory(host, gc)
  expect(calls.passes).toBe(5)
  expect(cleaned).toMatchObject({ passes: 5, before: { heapUsed: 1000e6 }, after: { heapUsed: 500e6 } })
  expect(memoryLine(cleaned)).toBe(
    'memory 1000.0 MB, heap 500.0 MB, external 0.0 MB; were 2000.0 MB, 1000.0 MB, 0.0 MB before 5 passes of gc',
  )
})

test('S5 from the second on, a pass that frees less than a hundredth is the last, and one that leaves more', async () => {
  expect(await cleanMemory(...given(using(100e6, [0, 50e6, 0.4e6, 20e6])))).toMatchObject({ passes: 3 })
  expect(await cleanMemory(...given(using(100e6, [10e6, -50e6, 50e6])))).toMatchObject({ passes: 2 })
})
const given = ({ host, gc }: ReturnType<typeof using>) => [host, gc] as const

test('S5 where gc is not exposed there are the figures alone, and why', async () => {
  const cleaned = await cleanMemory(using(100e6, []).host, undefined)
  expect(cleaned).toMatchObject({ passes: 0, before: { heapUsed: 100e6 }, after: { heapUsed: 100e6 } })
  expect(memoryLine(cleaned)).toContain('--expose-gc')
})

test('S5 what a load has left behind is gone after it, in this process', async () => {
  const { setFlagsFromString } = await import('node:v8')
  setFlagsFromString('--expose-gc')
  const { runInNewContext } = await import('node:vm')
  let left: ArrayBuffer | undefined = new ArrayBuffer(64e6)
  const memoryUsage = () => {
    const figures = process.memoryUsage()
    if (left) left = undefined
    return figures
  }
  const { before, after } = await cleanMemory({ memoryUsage } as unknown as HostProcess, runInNewContext('gc'))
  expect(before.external - after.external).toBeGreaterThan(60e6)
})
