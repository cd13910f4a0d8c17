// The size of a segment's file is set ahead while the journal is open: what is behind the end is zeros, which are no
// records and no damage, and gone once the segment is full or closed.
import { type FileHandle, open } from 'node:fs/promises'
import { describe, expect, test, vi } from 'vitest'
import { add, all, must, numbered, texts } from '../../src/testing/journal/case.ts'
import { newFolder, openIn, replaceSegments, segmentsOf } from './folder.ts'

const MIB = 1 << 20
const endOf = (records: string[]) => 32 + records.reduce((sum, text) => sum + 24 + 1 + text.length, 0)

/** What is on disk when a journal with one append a group is not closed. */
async function unclosed(count: number) {
  const folder = await newFolder()
  const journal = await openIn(folder)
  for (const [seq, text] of numbered(count).entries()) await add(journal, 'a', seq, text)
  const [segment] = await segmentsOf(folder)
  await must(journal.close())
  return { folder, segment: segment!, end: endOf(numbered(count)) }
}

async function reopened(folder: string, file: string, bytes: Buffer) {
  await replaceSegments(folder, [{ file, bytes }])
  return openIn(folder)
}

describe('a segment whose size is ahead', () => {
  test('is there while the journal is open, in steps, never beyond segmentBytes, and not once it is closed', async () => {
    const sizes = async (folder: string) => (await segmentsOf(folder)).map(({ bytes }) => bytes.length)
    for (const [segmentBytes, first, second] of [
      [128 * MIB, 4, 8],
      [5 * MIB, 4, 5],
    ] as const) {
      const folder = await newFolder()
      const journal = await openIn(folder, { segmentBytes })
      await add(journal, 'a', 0, 'x'.repeat(MIB))
      const end = 32 + 25 + MIB
      expect(await sizes(folder)).toEqual([Math.min(end + first * MIB, segmentBytes)])
      for (let seq = 1; seq < 4; seq++) await add(journal, 'a', seq, 'x'.repeat(MIB))
      expect((await sizes(folder)).every((size) => size <= Math.min(second * MIB + end, segmentBytes))).toBe(true)
      await must(journal.close())
      expect(await sizes(folder)).toEqual([32 + 4 * (25 + MIB)])
    }
  })

  test('is cut to its end before the next one begins', async () => {
    const folder = await newFolder()
    const journal = await openIn(folder, { segmentBytes: 4096 })
    for (let seq = 0; seq < 10; seq++) await add(journal, 'a', seq, 'x'.repeat(1000))
    const found = await segmentsOf(folder)
    expect(found.map(({ bytes }) => bytes.length)).toEqual([32 + 3 * 1025, 32 + 3 * 1025, 32 + 3 * 1025, 4096])
  })

  test('opens with everything that was appended, reports nothing, and goes on where it was', async () => {
    const { folder, segment, end } = await unclosed(20)
    expect(segment.bytes.length).toBeGreaterThan(end)
    expect(segment.bytes.subarray(end).every((byte) => byte === 0)).toBe(true)
    const journal = await reopened(folder, segment.file, segment.bytes)
    expect(journal.torn).toBeUndefined()
    expect(await texts(journal.read('a'))).toEqual(numbered(20))
    await add(journal, 'a', 20, 'text 21')
    expect(await texts(journal.readAll())).toEqual(numbered(21))
    await must(journal.close())
    expect((await segmentsOf(folder))[0]!.bytes.length).toBe(endOf(numbered(21)))
    expect(await texts((await openIn(folder)).readAll())).toEqual(numbered(21))
  })

  test.each([0, 1, 23, 24, 25, 100])('may have %i zeros', async (zeros) => {
    const { folder, segment, end } = await unclosed(3)
    const journal = await reopened(folder, segment.file, segment.bytes.subarray(0, end + zeros))
    expect(journal.torn).toBeUndefined()
    expect(await texts(journal.readAll())).toEqual(numbered(3))
  })

  test('may be empty', async () => {
    const { folder, segment } = await unclosed(1)
    const bytes = Buffer.alloc(5000)
    segment.bytes.copy(bytes, 0, 0, 32)
    const journal = await reopened(folder, segment.file, bytes)
    expect(journal.torn).toBeUndefined()
    expect(await add(journal, 'a', 0, 'first')).toBe(1)
  })

  test('K7 a torn frame in it is cut and reported', async () => {
    const { folder, segment, end } = await unclosed(20)
    const last = end - 24 - 'atext 20'.length
    for (const kept of [1, 8, 24, 30]) {
      const bytes = Buffer.from(segment.bytes).fill(0, last + kept)
      const journal = await reopened(folder, segment.file, bytes)
      expect(journal.torn).toMatchObject({ file: segment.file, offset: last })
      expect(journal.torn!.bytes).toBeLessThanOrEqual(kept)
      expect(await texts(journal.readAll())).toEqual(numbered(19))
      await must(journal.close())
      expect((await segmentsOf(folder))[0]!.bytes.length).toBe(last)
    }
  })

  test('K7 what follows its zeros is cut and reported when it is no group', async () => {
    const { folder, segment, end } = await unclosed(20)
    const bytes = Buffer.from(segment.bytes)
    bytes[end + 100_000] = 1
    const journal = await reopened(folder, segment.file, bytes)
    expect(journal.torn).toEqual({ file: segment.file, offset: end, bytes: 100_001 })
    expect(await texts(journal.readAll())).toEqual(numbered(20))
  })

  test('K7 a flipped bit in it is refused with its place, or cut and reported in the last group', async () => {
    const { folder, segment, end } = await unclosed(20)
    const last = end - 24 - 'atext 20'.length
    for (let at = 0; at < end; at += 7) {
      const bytes = Buffer.from(segment.bytes)
      bytes[at]! ^= 1 << (at % 8)
      const opened = reopened(folder, segment.file, bytes)
      if (at < last) {
        await expect(opened).rejects.toMatchObject({ code: 'JOURNAL_DAMAGED', where: { file: segment.file } })
        expect((await segmentsOf(folder))[0]!.bytes.equals(bytes)).toBe(true)
      } else {
        expect((await opened).torn).toMatchObject({ file: segment.file, offset: last })
        expect(await texts((await opened).readAll())).toEqual(numbered(19))
        await must((await opened).close())
      }
    }
  })

  test('K7 zeros in its middle are refused', async () => {
    const { folder, segment, end } = await unclosed(20)
    const bytes = Buffer.from(segment.bytes).fill(0, 100, end - 100)
    await expect(reopened(folder, segment.file, bytes)).rejects.toMatchObject({ code: 'JOURNAL_DAMAGED' })
  })

  test('is done without where the file system has no such sizes', async () => {
    const folder = await newFolder()
    const journal = await openIn(folder)
    const handle = await open('/dev/null')
    await handle.close()
    const handles: FileHandle = Object.getPrototypeOf(handle)
    vi.spyOn(handles, 'truncate').mockRejectedValue(new Error('EFBIG'))
    await add(journal, 'a', 0, 'text 1')
    await must(journal.close())
    vi.restoreAllMocks()
    expect((await segmentsOf(folder))[0]!.bytes.length).toBe(endOf(numbered(1)))
    expect(await all((await openIn(folder)).readAll())).toHaveLength(1)
  })
})
