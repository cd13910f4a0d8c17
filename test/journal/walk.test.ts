// Walking a log leaves its process to others.
import { expect, test } from 'vitest'
import { encodeFrame } from '../../src/journal/file/segments/format.ts'
import { walkIn } from '../../src/journal/file/segments/walk.ts'

test('K9 others have their turn while what was read at once is walked', async () => {
  const frames = Buffer.alloc(4 << 20)
  let [end, count] = [0, 0]
  while (end < frames.length - 100) end = encodeFrame(frames, end, 7, `stream ${count++}`, 1, 0, 'text')
  let [turns, visited, walking] = [0, 0, true]
  const turn = () => {
    turns++
    if (walking) setImmediate(turn)
  }
  setImmediate(turn)
  const read = async (from: number, to: number) => frames.subarray(from, to)
  const ended = await walkIn(read, 0, end, 7, () => {
    visited++
    return undefined
  })
  walking = false
  expect([ended, visited]).toEqual([end, count])
  expect(turns).toBeGreaterThan(10)
})
