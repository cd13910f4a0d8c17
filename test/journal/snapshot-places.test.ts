// Where snapshots are is in a table on disk: what it takes to open it and to find one does not grow with their number (K9).
import { type FileHandle, open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { Coding } from '../../src/journal/file/segments/coding.ts'
import { type Kept, SnapshotFile } from '../../src/journal/file/snapshots/snapshot-file.ts'
import { newFolder } from './folder.ts'

const handles: FileHandle = await (async () => {
  const handle = await open('/dev/null')
  await handle.close()
  return Object.getPrototypeOf(handle)
})()

const kept = (number: number, seq = 1, text = `state of ${number} at ${seq}`): Kept => ({
  stream: `order/${number}`,
  seq,
  text,
  sum: number * 7919,
})
const openIn = (folder: string) =>
  SnapshotFile.open(join(folder, 'snapshots'), join(folder, 'index', 'snapshots'), 1, new Coding([]))

async function write(file: SnapshotFile, count: number, make: (number: number) => Kept): Promise<void> {
  for (let from = 0; from < count; from += 5000) {
    await file.write(Array.from({ length: Math.min(5000, count - from) }, (_, number) => make(from + number)))
  }
}

/** How many bytes are read meanwhile. */
async function bytesRead(work: () => Promise<unknown>): Promise<number> {
  const read = vi.spyOn(handles, 'read')
  await work()
  const bytes = read.mock.calls.reduce((sum, call) => sum + (call as unknown as number[])[2]!, 0)
  read.mockRestore()
  return bytes
}

describe('K9 the places of snapshots', () => {
  test('opening and finding one reads as much of 100,000 as of 100', async () => {
    const cost: number[] = []
    for (const count of [100, 100_000]) {
      const folder = await newFolder()
      const file = await openIn(folder)
      await write(file, count, (number) => kept(number))
      await file.close()
      let found: Kept | undefined
      let again: SnapshotFile | undefined
      cost.push(
        await bytesRead(async () => {
          again = await openIn(folder)
          found = await again.read('order/77')
        }),
      )
      expect(found).toEqual(kept(77))
      for (let number = 0; number < count; number += count / 100) {
        expect(await again!.read(`order/${number}`)).toEqual(kept(number))
        expect(await again!.read(`other/${number}`)).toBeUndefined()
      }
      await again!.close()
    }
    expect(cost[0]).toBeLessThan(5000)
    expect(cost[1]).toBe(cost[0])
  })

  test('written anew it is as small as what it holds, and all of it is there', async () => {
    const folder = await newFolder()
    const file = await openIn(folder)
    const long = (number: number, seq: number) => kept(number, seq, `${seq}`.padEnd(3000))
    for (let seq = 1; seq <= 9; seq++) await write(file, 2000, (number) => long(number, seq))
    await file.close()
    expect((await stat(join(folder, 'snapshots'))).size).toBeLessThan(2 * 2000 * 3100 + (1 << 24) + (1 << 24))
    const again = await openIn(folder)
    for (let number = 0; number < 2000; number++) {
      expect(await again.read(`order/${number}`)).toEqual(long(number, 9))
    }
    await again.close()
  })

  test('may be found while they are written anew', async () => {
    const folder = await newFolder()
    const file = await openIn(folder)
    const long = (seq: number) => kept(1, seq, `${seq}`.padEnd(1 << 20))
    let writing = true
    const reading = async () => {
      while (writing) expect((await file.read('order/0'))?.text).toBe(kept(0).text)
    }
    await file.write([kept(0)])
    const read = reading()
    for (let seq = 1; seq <= 60; seq++) await file.write([long(seq)])
    writing = false
    await read
    expect(await file.read('order/1')).toEqual(long(60))
    await file.close()
  })
})
