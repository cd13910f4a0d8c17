// The snapshots of the file journal: a cache that may be lost or damaged in any way, and is never taken for the truth (K3).
import { execFileSync } from 'node:child_process'
import { cp, mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { SnapshotFile } from '../../src/journal/file/snapshots/snapshot-file.ts'
import type { FileJournal } from '../../src/journal/index.ts'
import { add, must, numbered, texts } from '../../src/testing/journal/case.ts'
import { memory, newFolder, openIn, quiet, segmentsOf } from './folder.ts'

const fileOf = (folder: string) => join(folder, 'snapshots')
const tableOf = (folder: string) => join(folder, 'index', 'snapshots')
const textOf = (stream: string) => `${stream} `.repeat(stream.endsWith('7') ? 3000 : 40)
const STREAMS = Array.from({ length: 60 }, (_, number) => `order/${number}`)

const save = (journal: FileJournal, stream: string, seq = 1) =>
  must(journal.saveSnapshot({ stream, seq, text: textOf(stream) }))

/** A closed journal of streams with a record and a snapshot each. */
async function filled(parent?: string): Promise<string> {
  const folder = await newFolder(parent)
  const journal = await openIn(folder)
  for (const stream of STREAMS) await add(journal, stream, 0, 'one')
  for (const stream of STREAMS) await save(journal, stream)
  await must(journal.close())
  return folder
}

/** How many are there; every one of them must be as it was. */
async function found(journal: FileJournal): Promise<number> {
  let count = 0
  for (const stream of STREAMS) {
    const snapshot = await journal.snapshot(stream)
    if (snapshot === undefined) continue
    expect(snapshot).toEqual({ stream, seq: 1, text: textOf(stream) })
    count++
  }
  return count
}

describe('K3 snapshots', () => {
  test('are there again after close, in files of mode 0600', async () => {
    const folder = await filled()
    expect(await found(await openIn(folder))).toBe(STREAMS.length)
    const modes = await Promise.all((await readdir(folder)).map(async (name) => (await stat(join(folder, name))).mode))
    expect(modes.every((mode) => (mode & 0o77) === 0)).toBe(true)
  })

  test('cost nothing who keeps none: no file is made', async () => {
    const folder = await newFolder()
    const journal = await openIn(folder)
    await add(journal, 'a', 0, 'one')
    expect(await journal.snapshot('a')).toBeUndefined()
    await must(journal.close())
    expect((await readdir(folder)).filter((name) => name.startsWith('snapshots'))).toEqual([])
  })

  test('K12 what a crash has left of a file that was written anew is removed', async () => {
    const folder = await filled()
    await cp(fileOf(folder), `${fileOf(folder)}.new`)
    expect(await found(await openIn(folder))).toBe(STREAMS.length)
    expect((await readdir(folder)).filter((name) => name.startsWith('snapshots'))).toEqual(['snapshots'])
  })

  test('the file may be deleted', async () => {
    const folder = await filled()
    await rm(fileOf(folder))
    const journal = await openIn(folder)
    expect(await found(journal)).toBe(0)
    for (const stream of STREAMS) await save(journal, stream)
    await must(journal.close())
    expect(await found(await openIn(folder))).toBe(STREAMS.length)
  })

  test('the index may be deleted, and the places of snapshots with it', async () => {
    const folder = await filled()
    await rm(join(folder, 'index'), { recursive: true })
    const journal = await openIn(folder)
    expect(await found(journal)).toBe(0)
    for (const stream of STREAMS) await save(journal, stream)
    await must(journal.close())
    expect(await found(await openIn(folder))).toBe(STREAMS.length)
  })

  test('those of another journal do not count', async () => {
    const folder = await filled()
    await cp(fileOf(await filled()), fileOf(folder))
    expect(await found(await openIn(folder))).toBe(0)
  })

  test('K9 the file stays in proportion to what it holds, and nothing is lost when it is written anew', async () => {
    const folder = await newFolder()
    const journal = await openIn(folder)
    for (const stream of STREAMS) {
      await add(journal, stream, 0, 'one')
      await save(journal, stream)
    }
    await add(journal, 'a', 0, ...numbered(40))
    for (let seq = 1; seq <= 40; seq++) {
      await must(journal.saveSnapshot({ stream: 'a', seq, text: `${seq}`.padEnd(1 << 20) }))
      while ((await stat(fileOf(folder)).catch(() => ({ size: 0 }))).size === 0) await new Promise(setImmediate)
      await new Promise((resolve) => setTimeout(resolve, 70))
      if (seq % 10 === 0) expect(await found(journal)).toBe(STREAMS.length)
    }
    await must(journal.close())
    expect((await stat(fileOf(folder))).size).toBeLessThan(24 << 20)
    const again = await openIn(folder)
    expect(await found(again)).toBe(STREAMS.length)
    expect((await again.snapshot('a'))?.text.trim()).toBe('40')
  })

  test('of a record that was cut off with a torn tail none counts, also once another has its seq', async () => {
    const folder = await newFolder()
    const journal = await openIn(folder)
    await add(journal, 'a', 0, 'one')
    await must(journal.saveSnapshot({ stream: 'a', seq: 1, text: 'at 1' }))
    await add(journal, 'b', 0, 'one')
    await add(journal, 'a', 1, 'lost')
    await must(journal.close())
    const before = await cutLast(folder)
    const again = await openIn(folder)
    expect((await again.snapshot('a'))?.text).toBe('at 1')
    await add(again, 'a', 1, 'lost')
    await must(again.saveSnapshot({ stream: 'a', seq: 2, text: 'at 2' }))
    await must(again.close())
    expect(await cutLast(folder)).toBe(before)
    const cut = await openIn(folder)
    expect(await cut.snapshot('a')).toBeUndefined()
    await add(cut, 'a', 1, 'new!')
    expect(await cut.snapshot('a')).toBeUndefined()
    await must(cut.saveSnapshot({ stream: 'a', seq: 1, text: 'at 1 again' }))
    await must(cut.close())
    expect((await (await openIn(folder)).snapshot('a'))?.text).toBe('at 1 again')
  })

  test('the newest that was saved is the one that is there, however fast they come', async () => {
    const folder = await newFolder()
    const journal = await openIn(folder)
    await add(journal, 'a', 0, ...numbered(500))
    for (let seq = 1; seq <= 500; seq++) {
      await must(journal.saveSnapshot({ stream: 'a', seq, text: `at ${seq}`.padEnd(5000) }))
      if (seq % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 60))
      expect((await journal.snapshot('a'))?.seq).toBe(seq)
    }
    await must(journal.saveSnapshot({ stream: 'a', seq: 3, text: 'late' }))
    await must(journal.close())
    expect((await (await openIn(folder)).snapshot('a'))?.text.trim()).toBe('at 500')
  })
})

/** Cuts the last frame off, as if it had never reached the disk. Returns the size that is left. */
async function cutLast(folder: string): Promise<number> {
  const { file, bytes } = (await segmentsOf(folder)).at(-1)!
  const size = bytes.length - 'a'.length - 'lost'.length - 24
  await truncate(file, size)
  return size
}

function zeroed(bytes: Buffer, at: number): Buffer {
  const from = at % bytes.length
  return Buffer.from(bytes).fill(0, from, Math.min(from + 4096, bytes.length))
}

describe('K3 a damaged file', () => {
  const damages: [string, (bytes: Buffer) => Buffer][] = [
    ['empty', () => Buffer.alloc(0)],
    ['one byte', (bytes) => bytes.subarray(0, 1)],
    ['cut in half', (bytes) => bytes.subarray(0, bytes.length >> 1)],
    ['cut by a byte', (bytes) => bytes.subarray(0, -1)],
    ['nothing but zeros', (bytes) => Buffer.alloc(bytes.length)],
    ['garbage', (bytes) => Buffer.alloc(bytes.length, 'garbage')],
    ['something behind it', (bytes) => Buffer.concat([bytes, Buffer.alloc(5000, 1)])],
    ['a length beyond everything', (bytes) => Buffer.concat([bytes, Buffer.alloc(5000, 255)])],
  ]
  for (let page = 0; page < 12; page++) {
    damages.push([`page ${page} zeroed`, (bytes) => zeroed(bytes, page * 4096)])
  }
  for (let number = 0; number < 40; number++) {
    const flip = (bytes: Buffer) => {
      const copy = Buffer.from(bytes)
      copy[(number * 7919 + 3) % copy.length]! ^= 1 << (number & 7)
      return copy
    }
    damages.push([`a flipped bit, ${number}`, flip])
  }

  test.each([
    ['of snapshots', fileOf],
    ['of their places', tableOf],
  ])('%s is never read as it is, never refuses the journal, and takes new ones', async (_, pathIn) => {
    const folder = await filled(memory)
    const good = await readFile(pathIn(folder))
    for (const [what, damage] of damages) {
      await writeFile(pathIn(folder), damage(good))
      const journal = await openIn(folder)
      await found(journal)
      for (const stream of STREAMS) await save(journal, stream)
      expect(await texts(journal.read('order/1')), what).toEqual(['one'])
      await must(journal.close())
      const again = await openIn(folder)
      expect(await found(again), what).toBe(STREAMS.length)
      await must(again.close())
    }
  })

  test('is damaged while it is open: what is hit is not there, the others are', async () => {
    const folder = await filled()
    const journal = await openIn(folder)
    expect(await found(journal)).toBe(STREAMS.length)
    const bytes = await readFile(fileOf(folder))
    bytes[100]! ^= 1
    await writeFile(fileOf(folder), bytes)
    expect(await found(journal)).toBe(STREAMS.length - 1)
  })
})

describe('a journal without snapshots', () => {
  test('works where none can be made, and says so once', async () => {
    const folder = await newFolder()
    await mkdir(fileOf(folder))
    const warnings: string[] = []
    const logger = { ...quiet, warn: (message: string) => void warnings.push(message) }
    const journal = await openIn(folder, { logger })
    for (let seq = 0; seq < 3; seq++) {
      await add(journal, 'a', seq, 'text')
      await must(journal.saveSnapshot({ stream: 'a', seq: seq + 1, text: 'x' }))
      await new Promise((resolve) => setTimeout(resolve, 80))
    }
    expect(await journal.snapshot('a')).toBeUndefined()
    expect(await texts(journal.read('a'))).toHaveLength(3)
    await must(journal.close())
    expect(warnings).toHaveLength(1)
  })

  const root = process.platform === 'linux' && process.getuid?.() === 0
  if (!root) console.warn('SKIPPED: full disks need Linux and root')

  async function smallDisk(): Promise<string> {
    const disk = join(await newFolder(), 'disk')
    await mkdir(disk)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk])
    onTestFinished(() => {
      execFileSync('umount', ['-l', disk])
    })
    return disk
  }

  test.runIf(root)('K11 on a full disk snapshots are lost, and nothing else happens', async () => {
    const disk = await smallDisk()
    const journal = await openIn(disk)
    for (const stream of STREAMS) await add(journal, stream, 0, 'one')
    for (let round = 0; round < 20; round++) {
      for (const stream of STREAMS) {
        await must(journal.saveSnapshot({ stream, seq: 1, text: `${stream}`.padEnd(100_000, `${round}`) }))
      }
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    for (const stream of STREAMS) expect((await journal.head(stream))?.text).toBe('one')
    await must(journal.close())
    const again = await openIn(disk)
    for (const stream of STREAMS) {
      const text = (await again.snapshot(stream))?.text
      expect(text === undefined || text.startsWith(stream)).toBe(true)
    }
    await rm(fileOf(disk), { force: true })
    await add(again, STREAMS[0]!, 1, 'two')
  })
})

test('what is saved while the file is cleaned is written behind it, without another save', async () => {
  const folder = await newFolder()
  const journal = await openIn(folder, { segmentBytes: 1024 })
  await add(journal, 'a', 0, 'one', 'two')
  await must(journal.saveSnapshot({ stream: 'a', seq: 1, text: 'early' }))
  const file = join(folder, 'snapshots')
  await vi.waitFor(async () => expect((await stat(file)).size).toBeGreaterThan(0))
  const { clean } = SnapshotFile.prototype
  vi.spyOn(SnapshotFile.prototype, 'clean').mockImplementation(async function (this: SnapshotFile, ...given) {
    await must(journal.saveSnapshot({ stream: 'a', seq: 2, text: 'while it is cleaned' }))
    return clean.apply(this, given)
  })
  onTestFinished(() => {
    vi.restoreAllMocks()
  })
  await journal.reclaim()
  await vi.waitFor(async () => expect(await readFile(file, 'latin1')).toContain('while it is cleaned'))
})
