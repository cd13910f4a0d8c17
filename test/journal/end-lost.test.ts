// K7 an index that knows of records behind the end of the log: they were acknowledged and are lost, and that is refused.
import { readlinkSync } from 'node:fs'
import { cp, type FileHandle, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { checkJournal, fileJournal, repairJournal } from '../../src/journal/index.ts'
import type { DuramenError } from '../../src/ports/errors.ts'
import { add, all, must } from '../../src/testing/journal/case.ts'
import { newFolder, openFilesIn, openIn, quiet, segmentsOf } from './folder.ts'
import { handles } from './handles.ts'

const SMALL = { segmentBytes: 2048, indexEvery: 16 }

/** A closed journal of 80 records, all in its index. */
async function filled(): Promise<string> {
  const folder = await newFolder()
  const journal = await openIn(folder, SMALL)
  for (let seq = 0; seq < 80; seq++) await add(journal, 'a', seq, 'x'.repeat(100))
  await must(journal.close())
  const last = Math.max(...(await readdir(join(folder, 'index'))).map((name) => Number(name.slice(17, 33)) || 0))
  expect(last).toBe(80)
  return folder
}

/** All files of a folder and what is in them. */
async function contentOf(folder: string): Promise<Map<string, string>> {
  const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((one) => one.isFile())
  const paths = files.map(({ parentPath, name }) => join(parentPath, name)).sort()
  return new Map(await Promise.all(paths.map(async (path) => [path, await readFile(path, 'latin1')] as const)))
}

/** It is refused, and nothing in the folder is another than before. */
async function refusedUnchanged(folder: string): Promise<DuramenError> {
  const before = await contentOf(folder)
  const error = await openIn(folder, SMALL).then(
    () => expect.unreachable('it has opened'),
    (error: DuramenError) => error,
  )
  expect(await contentOf(folder)).toEqual(before)
  expect(openFilesIn(folder)).toEqual([])
  return error
}

test('the last segments are gone: refused, and nothing is changed, however often', async () => {
  const folder = await filled()
  const segments = await segmentsOf(folder)
  for (const { file } of segments.slice(-2)) await rm(file)
  const { damages } = await checkJournal(folder)
  expect(damages).toMatchObject([{ kind: 'end', to: 80 }])
  const position = damages[0]!.from!
  for (let tries = 0; tries < 2; tries++) {
    const error = await refusedUnchanged(folder)
    expect(error).toMatchObject({ code: 'JOURNAL_DAMAGED', where: { file: segments.at(-3)!.file, position } })
    expect(error.hint).toContain('remove the folder')
  }
})

test('all segments are gone, or the last one ends where an append ended once, or within one', async () => {
  const folder = await filled()
  const segments = await segmentsOf(folder)
  const { file, bytes } = segments.at(-1)!
  for (const cut of [1, bytes.length / 2, bytes.length - 32]) {
    await truncate(file, bytes.length - Math.floor(cut))
    expect((await refusedUnchanged(folder)).code).toBe('JOURNAL_DAMAGED')
  }
  for (const { file } of segments) await rm(file)
  expect(await refusedUnchanged(folder)).toMatchObject({ code: 'JOURNAL_DAMAGED', where: { position: 1 } })
})

test.each(['cut', 'quarantine'] as const)('a repair, how: %s, does away with it', async (how) => {
  const folder = await filled()
  await rm((await segmentsOf(folder)).at(-1)!.file)
  expect((await repairJournal(folder, { how })).repaired).toBe(true)
  const journal = await openIn(folder, SMALL)
  const { length } = await all(journal.read('a'))
  expect(length).toBeGreaterThan(50)
  expect(await add(journal, 'a', length, 'goes on')).toBe(how === 'cut' ? length + 1 : 81)
})

test('an older copy, put there on purpose, opens once the index is removed', async () => {
  const folder = await newFolder()
  const first = await openIn(folder, SMALL)
  for (let seq = 0; seq < 40; seq++) await add(first, 'a', seq, 'x'.repeat(100))
  await must(first.close())
  const older = await newFolder()
  await cp(folder, older, { recursive: true })
  const second = await openIn(folder, SMALL)
  for (let seq = 40; seq < 80; seq++) await add(second, 'a', seq, 'x'.repeat(100))
  await must(second.close())
  for (const { file } of await segmentsOf(folder)) await rm(file)
  for (const { file } of await segmentsOf(older)) await cp(file, join(folder, file.slice(older.length)))
  expect((await refusedUnchanged(folder)).code).toBe('JOURNAL_DAMAGED')
  await rm(join(folder, 'index'), { recursive: true })
  expect(await all((await openIn(folder, SMALL)).read('a'))).toHaveLength(40)
})

test('a damage that is refused leaves the index, which tells what it has cost', async () => {
  const folder = await filled()
  const segments = await segmentsOf(folder)
  for (const [number, at] of [
    [0, 14],
    [segments.length - 1, segments.at(-1)!.bytes.length - 20],
  ] as const) {
    const { file, bytes } = segments[number]!
    const damaged = Buffer.from(bytes)
    damaged[at]! ^= 1
    await writeFile(file, damaged)
    expect((await refusedUnchanged(folder)).code).toBe('JOURNAL_DAMAGED')
    await writeFile(file, bytes)
  }
  expect(await all((await openIn(folder, SMALL)).read('a'))).toHaveLength(80)
})

test.skipIf(process.platform !== 'linux')(
  'what a killed process has not synced is, before the index knows it',
  async () => {
    const folder = await newFolder()
    const first = await openIn(folder)
    for (let seq = 0; seq < 300; seq++) await add(first, 'a', seq, 'x')
    await must(first.close())
    const synced: string[] = []
    const { file: last } = (await segmentsOf(folder)).at(-1)!
    onTestFinished(() => {
      vi.restoreAllMocks()
    })
    for (const name of ['sync', 'datasync'] as const) {
      const real = handles[name]
      vi.spyOn(handles, name).mockImplementation(function (this: FileHandle) {
        synced.push(readlinkSync(`/proc/self/fd/${this.fd}`))
        return real.call(this)
      })
    }
    await openIn(folder, { indexEvery: 16 })
    const run = synced.findIndex((path) => path.endsWith('.run.new'))
    expect(run).toBeGreaterThan(0)
    expect(synced.slice(0, run)).toContain(last)
  },
)

test('an open that fails at whatever read leaves no file open, and the next one works', async () => {
  const folder = await filled()
  const { read } = handles
  let failed = 0
  for (let fails = 1, opened = false; !opened; fails++) {
    let calls = 0
    const spy = vi.spyOn(handles, 'read').mockImplementation(async function (this: FileHandle, ...args: any) {
      if (++calls === fails) throw Object.assign(new Error('EIO'), { code: 'EIO' })
      return read.apply(this, args) as any
    })
    const journal = await fileJournal(folder, { ...SMALL, logger: quiet }).catch(() => undefined)
    opened = calls < fails
    spy.mockRestore()
    if (journal === undefined) failed++
    else await must(journal.close())
    expect(openFilesIn(folder)).toEqual([])
  }
  expect(failed).toBeGreaterThan(2)
  expect(await all((await openIn(folder, SMALL)).read('a'))).toHaveLength(80)
})
