// How far a folder is committed, as another process sees it.
import { appendFile, copyFile, open, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { committedFile, readCommitted } from '../../src/journal/file/commit/committed.ts'
import { committedEnd } from '../../src/journal/file/commit/committed-end.ts'
import type { FileJournal } from '../../src/journal/index.ts'
import { add, must, refused } from '../../src/testing/journal/case.ts'
import { newFolder, openIn, quiet, segmentsOf } from './folder.ts'

const small = { segmentBytes: 1024 }

/** Appends so many records to stream `a`, each a group of its own, and waits until the file says so. */
async function fill(folder: string, journal: FileJournal, from: number, to: number): Promise<void> {
  for (let seq = from; seq <= to; seq++) await add(journal, 'a', seq - 1, `text ${seq} `.repeat(10))
  await vi.waitFor(async () => expect((await readCommitted(folder))?.position).toBe(to))
}

const lastFile = async (folder: string) => (await segmentsOf(folder)).at(-1)!.file

test('K7 the end is where the writer says, and what was closed ends with its last segment', async () => {
  const folder = await newFolder()
  const journal = await openIn(folder, small)
  expect((await committedEnd(folder)).position).toBe(0)
  for (const count of [1, 7, 30]) {
    const { position } = await committedEnd(folder)
    await fill(folder, journal, position + 1, count)
    const end = await committedEnd(folder)
    expect(end.position).toBe(count)
    expect((await lastFile(folder)).endsWith(`${end.segment}.log`)).toBe(true)
  }
  const end = await committedEnd(folder)
  await must(journal.close())
  expect(await committedEnd(folder)).toEqual(end)
  expect((await stat(await lastFile(folder))).size).toBe(end.offset)
  await rm(committedFile(folder))
  expect(await committedEnd(folder)).toEqual(end)
  await openIn(folder, small)
  expect(await committedEnd(folder)).toEqual(end)
})

test('K12 the file is private, and none of the journal', async () => {
  const folder = await newFolder()
  await openIn(folder)
  expect((await stat(committedFile(folder))).mode & 0o777).toBe(0o600)
})

test('K7 where the word of the writer is missing, the end is before its last group', async () => {
  const folder = await newFolder()
  const journal = await openIn(folder)
  await fill(folder, journal, 1, 5)
  const four = await committedEnd(folder)
  await fill(folder, journal, 6, 6)
  await rm(committedFile(folder))
  const end = await committedEnd(folder)
  expect(end).toEqual({ ...four, position: 5 })
})

test.each<[string, (folder: string, old: string) => Promise<unknown>]>([
  ['half of it', (folder) => truncate(committedFile(folder), 100)],
  [
    'one byte of it changed',
    async (folder) => {
      const bytes = await readFile(committedFile(folder))
      bytes[60]! ^= 1
      await writeFile(committedFile(folder), bytes)
    },
  ],
  ['that of another lock', (folder, old) => copyFile(old, committedFile(folder))],
  [
    'that of another journal',
    async (folder) => {
      const other = await newFolder()
      const journal = await openIn(other)
      await fill(other, journal, 1, 6)
      await copyFile(committedFile(other), committedFile(folder))
    },
  ],
])('K7 a word that does not fit counts for nothing: %s', async (_, spoil) => {
  const folder = await newFolder()
  await must((await openIn(folder)).close())
  const old = join(await newFolder(), 'committed')
  await copyFile(committedFile(folder), old)
  const journal = await openIn(folder)
  await fill(folder, journal, 1, 6)
  await spoil(folder, old)
  expect((await committedEnd(folder)).position).toBe(5)
})

test('K7 of a writer that is gone, all whole appends count, and what is torn does not', async () => {
  const folder = await newFolder()
  const journal = await openIn(folder)
  await fill(folder, journal, 1, 6)
  await must(journal.close())
  const end = await committedEnd(folder)
  const file = await lastFile(folder)
  const bytes = await readFile(file)
  await appendFile(file, bytes.subarray(32, 90))
  expect(await committedEnd(folder)).toEqual(end)
  await truncate(file, end.offset - 1)
  expect((await committedEnd(folder)).position).toBe(5)
  expect((await stat(file)).size).toBe(end.offset - 1)
})

test('K7 a damaged end is refused, not taken for a torn one', async () => {
  const folder = await newFolder()
  const journal = await openIn(folder)
  await fill(folder, journal, 1, 6)
  await must(journal.close())
  await rm(committedFile(folder))
  const file = await lastFile(folder)
  const bytes = await readFile(file)
  bytes[300]! ^= 1
  await writeFile(file, bytes)
  await expect(committedEnd(folder)).rejects.toMatchObject({ code: 'JOURNAL_DAMAGED', where: { file } })
})

test('K11 what a failed sync has left is nothing that a reader may show, also once its writer is gone', async () => {
  const folder = await newFolder()
  const journal = await openIn(folder)
  await fill(folder, journal, 1, 3)
  const handle = await open('/dev/null')
  onTestFinished(() => handle.close())
  const failing = Object.assign(new Error('EIO'), { code: 'EIO' })
  const datasync = vi.spyOn(Object.getPrototypeOf(handle), 'datasync').mockRejectedValue(failing)
  onTestFinished(() => datasync.mockRestore())
  const two = ['a', 'b'].map((stream) =>
    refused(journal.append({ stream, expected: stream === 'a' ? 3 : 0, texts: ['x'] })),
  )
  expect(await Promise.all(two)).toEqual(['OUTCOME_UNKNOWN', 'OUTCOME_UNKNOWN'])
  await journal.close()()
  datasync.mockRestore()
  expect((await committedEnd(folder)).position).toBe(3)
  await openIn(folder)
  expect((await committedEnd(folder)).position).toBe(5)
})

test('K9 that it cannot be written is said once, and holds nobody up; readers see less', async () => {
  const folder = await newFolder()
  const warn = vi.fn()
  const journal = await openIn(folder, { logger: { ...quiet, warn } })
  await fill(folder, journal, 1, 3)
  const handle = await open('/dev/null')
  onTestFinished(() => handle.close())
  const failing = Object.assign(new Error('EIO'), { code: 'EIO' })
  const writev = vi.spyOn(Object.getPrototypeOf(handle), 'writev').mockRejectedValue(failing)
  onTestFinished(() => writev.mockRestore())
  await add(journal, 'a', 3, 'x')
  await vi.waitFor(() => expect(warn).toHaveBeenCalledTimes(1))
  await vi.waitFor(async () => expect(await readCommitted(folder)).toBeUndefined())
  await add(journal, 'a', 4, 'y')
  expect((await committedEnd(folder)).position).toBe(4)
  await must(journal.close())
  expect(warn).toHaveBeenCalledTimes(1)
  expect((await committedEnd(folder)).position).toBe(5)
})
