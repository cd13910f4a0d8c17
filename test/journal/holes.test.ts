// What was given up of a journal is a hole: all that is left keeps its seq, its position and its text, and a hole that is not
// as it was written is damage.
import { type FileHandle, open, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { survey } from '../../src/journal/file/commit/recover.ts'
import { crc } from '../../src/journal/file/segments/crc.ts'
import { type Frame, HEADER_BYTES } from '../../src/journal/file/segments/format.ts'
import { type GivenUp, rewriteSegment } from '../../src/journal/file/segments/holes.ts'
import { walk } from '../../src/journal/file/segments/walk.ts'
import type { FileJournal } from '../../src/journal/index.ts'
import { add, all, must, numbered, texts } from '../../src/testing/journal/case.ts'
import { newFolder, openIn, segmentsOf } from './folder.ts'

const FRAME_BYTES = 24

/** Gives up the frames of a closed journal that are named, in all its segments. */
async function giveUp(folder: string, dead: (frame: Frame) => boolean): Promise<void> {
  const { files, salt } = await survey(folder)
  for (const segment of files) {
    const ranges: { -readonly [Key in keyof GivenUp]: GivenUp[Key] }[] = []
    await walk(segment.file, HEADER_BYTES, segment.size, salt!, (frame, start, end) => {
      if (!frame.hole && !dead(frame)) return
      const positions = frame.hole ? frame.seq : 1
      const range = ranges.at(-1)
      if (range === undefined || range.offset + range.bytes < start) {
        ranges.push({ offset: start, bytes: end - start, positions })
      } else {
        range.bytes += end - start
        range.positions += positions
      }
    })
    if (ranges.length > 0) await rewriteSegment(segment, salt!, ranges, () => {})
  }
}

/** The records of `gone` before `before` are given up, and so are the trims but the last. */
const before = (name: string, before: number, last: number) => (frame: Frame) =>
  frame.stream === name && (frame.trim ? frame.seq < last : frame.seq < before)

async function contentOf(journal: FileJournal) {
  const records = await all(journal.readAll())
  const from = await Promise.all(
    records.map(async ({ position }) => (await all(journal.readAll({ from: position }))).map((one) => one.position)),
  )
  const streams = [...new Set(records.map(({ stream }) => stream))]
  const byStream = await Promise.all(streams.map((stream) => all(journal.read(stream))))
  const byPosition = (one: { position: number }, other: { position: number }) => one.position - other.position
  return { records, from, byStream, heads: (await all(journal.heads())).sort(byPosition) }
}

test.each([
  { name: 'one segment', segmentBytes: 1 << 20, indexEvery: undefined },
  { name: 'many segments', segmentBytes: 1024, indexEvery: undefined },
  { name: 'many segments and an index', segmentBytes: 1024, indexEvery: 16 },
])('what is left keeps its place, with and without the index: $name', async ({ segmentBytes, indexEvery }) => {
  const folder = await newFolder()
  const options = { segmentBytes, ...(indexEvery && { indexEvery }) }
  const journal = await openIn(folder, options)
  for (let seq = 0; seq < 40; seq++) {
    await add(journal, 'a', seq, `a ${seq + 1} ${'x'.repeat((seq * 53) % 300)}`)
    if (seq % 3 === 0) await add(journal, 'b', seq, `b ${seq + 1}`, `b ${seq + 2}`, `b ${seq + 3}`)
    if (seq === 20) await must(journal.trim('a', 15))
  }
  await must(journal.trim('a', 36))
  await must(journal.trim('b', 38))
  const expected = await contentOf(journal)
  await must(journal.close())
  const sizes = (await survey(folder)).files.map(({ size }) => size)
  await giveUp(folder, before('a', 15, 15))
  await giveUp(folder, before('b', 38, 38))
  await giveUp(folder, before('a', 36, 36))
  expect((await survey(folder)).files.map(({ size }) => size)).toEqual(sizes)
  for (const index of ['kept', 'removed']) {
    if (index === 'removed') await rm(join(folder, 'index'), { recursive: true, force: true })
    const again = await openIn(folder, options)
    expect(again.torn).toBeUndefined()
    expect(await contentOf(again)).toEqual(expected)
    await must(again.close())
  }
  const again = await openIn(folder, options)
  expect(await add(again, 'a', 40, 'more')).toBe(expected.records.at(-1)!.position + 3)
  expect(await texts(again.read('a', { from: 41 }))).toEqual(['more'])
  await must(again.trim('a', 41))
  await must(again.close())
  await rm(join(folder, 'index'), { recursive: true, force: true })
  expect(await texts((await openIn(folder, options)).read('a'))).toEqual(['more'])
})

test('a segment of which nothing is left is a file of 56 bytes, also when it is the last', async () => {
  const folder = await newFolder()
  const journal = await openIn(folder, { segmentBytes: 1024 })
  await add(journal, 'a', 0, ...numbered(20).map((text) => text.padEnd(1000, '.')))
  await add(journal, 'a', 20, 'last')
  await must(journal.trim('a', 21))
  const expected = await contentOf(journal)
  await must(journal.close())
  await giveUp(folder, ({ trim, seq }) => !trim && seq < 21)
  const [first, last] = await segmentsOf(folder)
  expect(first!.bytes.length).toBe(56)
  expect((await stat(first!.file)).mode & 0o777).toBe(0o600)
  const again = await openIn(folder)
  expect(await contentOf(again)).toEqual(expected)
  await must(again.close())
  await giveUp(folder, () => true)
  expect((await segmentsOf(folder)).map(({ bytes }) => bytes.length)).toEqual([56, 56])
  const empty = await openIn(folder)
  expect(await all(empty.readAll())).toEqual([])
  expect(await add(empty, 'b', 0, 'after')).toBe(23)
  await must(empty.close())
  expect((await readFile(last!.file)).length).toBeGreaterThan(56)
  expect(await texts((await openIn(folder)).readAll())).toEqual(['after'])
})

test.each(['in the middle', 'at the end', 'everything'])(
  'K7 a hole with a flipped bit is damage: %s',
  async (where) => {
    const folder = await newFolder()
    const journal = await openIn(folder, { segmentBytes: 1024 })
    if (where !== 'everything') await add(journal, 'b', 0, 'text 0')
    for (let seq = 0; seq < 20; seq++) await add(journal, 'a', seq, `text ${seq + 1}`)
    await add(journal, 'a', 20, 'x'.repeat(1000))
    await must(journal.trim('a', 21))
    await must(journal.close())
    const to = where === 'in the middle' ? 8 : 20
    await giveUp(folder, ({ stream, trim, seq }) => stream === 'a' && !trim && seq <= to)
    const [{ file, bytes }] = (await segmentsOf(folder)) as [{ file: string; bytes: Buffer }]
    const offset = HEADER_BYTES + (where === 'everything' ? 0 : FRAME_BYTES + 'btext 0'.length)
    for (let bit = 0; bit < FRAME_BYTES * 8; bit++) {
      const flipped = Buffer.from(bytes)
      flipped[offset + (bit >> 3)]! ^= 1 << (bit & 7)
      await writeFile(file, flipped)
      await expect(openIn(folder)).rejects.toMatchObject({ code: 'JOURNAL_DAMAGED', where: { file, offset } })
      expect((await readFile(file)).equals(flipped)).toBe(true)
    }
    await writeFile(file, bytes)
    expect((await openIn(folder)).torn).toBeUndefined()
  },
)

test('K7 a segment is not rewritten where a frame that stays is damaged: nothing changes', async () => {
  const folder = await newFolder()
  const journal = await openIn(folder)
  await add(journal, 'a', 0, ...numbered(9))
  await must(journal.close())
  const [{ file, bytes }] = (await segmentsOf(folder)) as [{ file: string; bytes: Buffer }]
  bytes[bytes.indexOf('text 7')]! ^= 1
  await writeFile(file, bytes)
  const { files, salt } = await survey(folder)
  const range = { offset: HEADER_BYTES, bytes: (FRAME_BYTES + 'atext 1'.length) * 2, positions: 2 }
  const offset = HEADER_BYTES + (FRAME_BYTES + 'atext 1'.length) * 6
  await expect(rewriteSegment(files[0]!, salt!, [range], () => {})).rejects.toMatchObject({
    code: 'JOURNAL_DAMAGED',
    where: { offset },
  })
  expect(await segmentsOf(folder)).toEqual([{ file, bytes }])
  await expect(stat(`${file}.new`)).rejects.toMatchObject({ code: 'ENOENT' })
})

test.each([64, 128])('a frame of a later version is refused, not cut off, also at the end: flag %i', async (flag) => {
  for (const number of [0, 1, 2]) {
    const folder = await newFolder()
    const journal = await openIn(folder)
    for (let seq = 0; seq < 3; seq++) await add(journal, 'a', seq, 'text')
    await must(journal.close())
    const [{ file, bytes }] = (await segmentsOf(folder)) as [{ file: string; bytes: Buffer }]
    const length = FRAME_BYTES + 'atext'.length
    const offset = HEADER_BYTES + number * length
    bytes[offset + 9]! |= flag
    bytes.writeUInt32LE(
      crc(bytes, offset + 8, offset + length, (bytes.readUInt32LE(12) + offset) % 2 ** 32),
      offset + 4,
    )
    await writeFile(file, bytes)
    await expect(openIn(folder)).rejects.toMatchObject({ code: 'JOURNAL_DAMAGED', where: { file, offset } })
    expect((await readFile(file)).equals(bytes)).toBe(true)
  }
})

test('K9 opening reads of the hole with which the index ends what it says of itself, not what it covers', async () => {
  const folder = await newFolder()
  const journal = await openIn(folder, { indexEvery: 16 })
  for (let seq = 0; seq < 20; seq++) await add(journal, 'b', seq, `b ${seq + 1}`)
  for (let seq = 0; seq < 40; seq++) await add(journal, 'a', seq, 'x'.repeat(10_000))
  await must(journal.trim('a', 40))
  await must(journal.close())
  await giveUp(folder, ({ stream }) => stream === 'a')
  await must((await openIn(folder, { indexEvery: 16 })).close())
  const handle = await open(folder)
  const read = vi.spyOn(Object.getPrototypeOf(handle) as FileHandle, 'read')
  onTestFinished(() => read.mockRestore())
  await handle.close()
  const again = await openIn(folder, { indexEvery: 16 })
  const asked = read.mock.calls.map((args) => (args as unknown[])[2] as number)
  expect(Math.max(...asked)).toBeLessThan(40 * 10_000)
  expect(await all(again.readAll())).toHaveLength(20)
})
