// What the journal answers when the disk fails: nothing happened (NO_SPACE, IO), or no one knows (OUTCOME_UNKNOWN).
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import { type FileHandle, open, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { add, all, must, refused, texts } from '../../src/testing/journal/case.ts'
import { noSmallDisk, smallDisk } from './disk.ts'
import { newFolder, openIn, segmentsOf } from './folder.ts'

const handles: FileHandle = await (async () => {
  const handle = await open('/dev/null')
  await handle.close()
  return Object.getPrototypeOf(handle)
})()
const failing = (code: string) => Object.assign(new Error(code), { code })

/** Makes the next write fail, blocking or not, after `part` of its bytes; every call before and behind it works. */
function failNextWrite(code: string, part = 0): void {
  const { write } = handles
  const { writeSync } = fs
  let calls = 0
  const fails = (bytes: number) => {
    const call = calls++
    if (call === 0 && part > 0) return Math.floor(bytes * part)
    if (call === (part > 0 ? 1 : 0)) throw failing(code)
    return bytes
  }
  vi.spyOn(handles, 'write').mockImplementation(async function (this: FileHandle, ...[bytes, at, size, place]: any[]) {
    return (write as any).call(this, bytes, at, fails(size), place)
  } as any)
  vi.spyOn(fs, 'writeSync').mockImplementation(((fd: number, bytes: any, at: number, size: number, place: number) =>
    writeSync(fd, bytes, at, fails(size), place)) as any)
}

afterEach(() => {
  vi.restoreAllMocks()
})

describe('K7 the order', () => {
  test.each([1, 2, 100])('write, then fdatasync, then the answer, for %i at once', async (count) => {
    const journal = await openIn(await newFolder())
    const calls: string[] = []
    const { write, datasync } = handles
    vi.spyOn(handles, 'write').mockImplementation(async function (this: FileHandle, ...args: any) {
      const answer = await write.apply(this, args)
      calls.push('written')
      return answer as any
    })
    vi.spyOn(handles, 'datasync').mockImplementation(async function (this: FileHandle) {
      await datasync.call(this)
      calls.push('synced')
    })
    const appends = Array.from({ length: count }, (_, number) => add(journal, `s${number}`, 0, 'x'))
    await Promise.all(appends.map((append) => append.then(() => calls.push('answered'))))
    let safe = 0
    for (const [index, call] of calls.entries()) {
      if (call === 'synced') expect(calls[index - 1]).not.toBe('synced')
      if (call === 'synced') safe++
      if (call === 'answered') expect(safe).toBeGreaterThan(0)
    }
    expect(calls.filter((call) => call === 'written').length).toBe(safe)
    expect(calls.filter((call) => call === 'answered').length).toBe(count)
  })

  test('what was found is synced before anything is written behind it, for its writer may have been killed', async () => {
    const folder = await newFolder()
    const journal = await openIn(folder)
    await add(journal, 'a', 0, 'x')
    await must(journal.close())
    const datasync = vi.spyOn(handles, 'datasync')
    await must((await openIn(folder)).close())
    expect(datasync).toHaveBeenCalledTimes(1)
    datasync.mockRejectedValueOnce(failing('EIO'))
    await expect(openIn(folder)).rejects.toMatchObject({ code: 'IO' })
    await openIn(folder)
  })

  test('the same for blocking calls, when appends come one by one', async () => {
    const journal = await openIn(await newFolder())
    const calls: string[] = []
    const { writeSync, fdatasyncSync } = fs
    vi.spyOn(fs, 'writeSync').mockImplementation((...args: any) => {
      calls.push('written')
      return (writeSync as any)(...args)
    })
    vi.spyOn(fs, 'fdatasyncSync').mockImplementation((fd) => {
      calls.push('synced')
      fdatasyncSync(fd)
    })
    for (let seq = 0; seq < 30; seq++) {
      await add(journal, 'a', seq, 'x')
      calls.push('answered')
    }
    const blocking = calls.join(' ').match(/written synced answered/g)?.length ?? 0
    expect(calls.filter((call) => call === 'written').length).toBe(blocking)
  })
})

describe('K11 a write that fails', () => {
  test('is answered IO, has not happened, and the next one works', async () => {
    const folder = await newFolder()
    const journal = await openIn(folder)
    await add(journal, 'a', 0, 'before')
    failNextWrite('EIO')
    expect(await refused(journal.append({ stream: 'a', expected: 1, texts: ['lost'] }))).toBe('IO')
    expect(await add(journal, 'a', 1, 'after')).toBe(2)
    await must(journal.close())
    expect(await texts((await openIn(folder)).readAll())).toEqual(['before', 'after'])
  })

  test('is cut off when a part of it was written, for the whole group', async () => {
    const folder = await newFolder()
    const journal = await openIn(folder)
    await add(journal, 'a', 0, 'before')
    failNextWrite('ENOSPC', 0.5)
    const codes = await Promise.all(
      ['b', 'c', 'd'].map((stream) => refused(journal.append({ stream, expected: 0, texts: ['lost'] }))),
    )
    expect(codes).toEqual(['NO_SPACE', 'NO_SPACE', 'NO_SPACE'])
    const [segment] = await segmentsOf(folder)
    expect(segment!.bytes.length).toBe(32 + 24 + 'abefore'.length)
    expect(await all(journal.read('b'))).toEqual([])
    expect(await add(journal, 'b', 0, 'after')).toBe(2)
  })

  test('those who wait behind a failed append of their stream are told to read again (K2)', async () => {
    const journal = await openIn(await newFolder())
    failNextWrite('EIO')
    const first = Array.from({ length: 32 }, (_, seq) =>
      refused(journal.append({ stream: 'a', expected: seq, texts: ['x'] })),
    )
    const behind = refused(journal.append({ stream: 'a', expected: 32, texts: ['x'] }))
    const other = add(journal, 'b', 0, 'kept')
    expect(new Set(await Promise.all(first))).toEqual(new Set(['IO']))
    expect(await behind).toBe('CONFLICT')
    expect(await other).toBe(1)
  })

  test('has an unknown outcome when it cannot be undone; nothing more is written until it is opened again', async () => {
    const folder = await newFolder()
    const journal = await openIn(folder)
    await add(journal, 'a', 0, 'before')
    failNextWrite('EIO')
    vi.spyOn(handles, 'truncate').mockRejectedValueOnce(failing('EIO'))
    expect(await refused(journal.append({ stream: 'a', expected: 1, texts: ['x'] }))).toBe('OUTCOME_UNKNOWN')
    expect(await refused(journal.append({ stream: 'a', expected: 1, texts: ['x'] }))).toBe('JOURNAL_FAILED')
    expect(await texts(journal.readAll())).toEqual(['before'])
    await must(journal.close())
    expect(await add(await openIn(folder), 'a', 1, 'after')).toBe(2)
  })
})

describe('K11 a sync that fails', () => {
  test('has an unknown outcome; what waited is refused, what was committed can be read', async () => {
    const folder = await newFolder()
    const journal = await openIn(folder)
    await add(journal, 'a', 0, 'before')
    vi.spyOn(handles, 'datasync').mockRejectedValueOnce(failing('EIO'))
    const codes = await Promise.all(
      Array.from({ length: 40 }, (_, number) =>
        refused(journal.append({ stream: `s${number}`, expected: 0, texts: ['x'] })),
      ),
    )
    expect(codes).toEqual([...Array(32).fill('OUTCOME_UNKNOWN'), ...Array(8).fill('JOURNAL_FAILED')])
    expect(await refused(journal.append({ stream: 'b', expected: 0, texts: ['x'] }))).toBe('JOURNAL_FAILED')
    expect(await texts(journal.readAll())).toEqual(['before'])
    await must(journal.close())
    const again = await openIn(folder)
    expect(await all(again.readAll())).toHaveLength(33)
    expect(await add(again, 'a', 1, 'after')).toBe(34)
  })
})

describe('a folder', () => {
  test.skipIf(noSmallDisk !== undefined)('that is read-only is refused as such', async () => {
    const disk = await smallDisk('size=512k')
    await must((await openIn(join(disk, 'journal'))).close())
    execFileSync('mount', ['-o', 'remount,ro', disk])
    await expect(openIn(join(disk, 'journal'))).rejects.toMatchObject({ code: 'READ_ONLY' })
    await expect(openIn(join(disk, 'new'))).rejects.toMatchObject({ code: 'READ_ONLY' })
  })

  test('that cannot be one is refused, with its name', async () => {
    const folder = await newFolder()
    const file = join(folder, 'file')
    await writeFile(file, '')
    await expect(openIn(join(file, 'journal'))).rejects.toMatchObject({ code: 'FOLDER_MISSING', where: {} })
    expect(await readdir(folder)).toEqual(['file'])
  })

  test('K12 is created with its parents, for this user only', async () => {
    const folder = join(await newFolder(), 'a', 'b')
    const journal = await openIn(folder)
    await add(journal, 'a', 0, 'x')
    for (const path of [folder, join(folder, '..')]) expect((await stat(path)).mode & 0o777).toBe(0o700)
    for (const name of await readdir(folder)) expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600)
  })
})

describe('segments', () => {
  test('a new one begins when the last is full, named by its first position', async () => {
    const folder = await newFolder()
    const journal = await openIn(folder, { segmentBytes: 1024 })
    for (let seq = 0; seq < 10; seq++) await add(journal, 'a', seq, 'x'.repeat(300))
    await add(journal, 'a', 10, 'x'.repeat(5000))
    await add(journal, 'a', 11, 'x')
    const names = (await readdir(folder)).filter((name) => name.endsWith('.log'))
    expect(names.map((name) => Number.parseInt(name, 10))).toEqual([1, 4, 7, 10, 11, 12])
    expect((await all(journal.read('a'))).map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
  })

  test.each([
    ['because the full one cannot be cut to its end', 0],
    ['because its header cannot be written', 1],
  ])('that cannot be begun, %s, is answered, and begun with the next append', async (_, syncs) => {
    const journal = await openIn(await newFolder(), { segmentBytes: 1024 })
    await add(journal, 'a', 0, 'x'.repeat(800))
    const { sync } = handles
    const spy = vi.spyOn(handles, 'sync')
    for (let synced = 0; synced < syncs; synced++) spy.mockImplementationOnce(sync)
    spy.mockRejectedValueOnce(failing('ENOSPC'))
    expect(await refused(journal.append({ stream: 'a', expected: 1, texts: ['x'.repeat(900)] }))).toBe('NO_SPACE')
    expect(await add(journal, 'a', 1, 'x'.repeat(900))).toBe(2)
    expect(await all(journal.readAll())).toHaveLength(2)
  })

  test.each([0, 1023, 2 ** 30 + 1, 4096.5])('K8 %d is refused as their size', async (segmentBytes) => {
    await expect(openIn('/nowhere', { segmentBytes })).rejects.toMatchObject({ code: 'BAD_OPTION' })
  })
})
