// A journal that is read beside the process that writes it, or after it.
import { execFileSync, spawn } from 'node:child_process'
import fs from 'node:fs'
import { chmod, cp, type FileHandle, mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { committedEnd } from '../../src/journal/file/commit/committed-end.ts'
import { indexedUpTo } from '../../src/journal/file/index/runs.ts'
import { View } from '../../src/journal/file/reading/view.ts'
import { Coding } from '../../src/journal/file/segments/coding.ts'
import { type JournalReader, openJournal, type ReaderOptions, type StoredRecord } from '../../src/journal/index.ts'
import { add, all, must, numbered, texts } from '../../src/testing/journal/case.ts'
import { compiledJournal } from './compiled.ts'
import { copyJournal, newFolder, openIn, quiet } from './folder.ts'
import { handles } from './handles.ts'

const compiled = compiledJournal()
const root = process.platform === 'linux' && process.getuid?.() === 0
if (!root) console.warn('SKIPPED: read-only disks, full disks and other users need Linux and root')

/** Starts a child; `ended` resolves with the lines that it has printed, and rejects where it failed. */
function start(folder: string, what: string, count?: number) {
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, 'reader-child.mjs'), compiled, folder, what, ...(count ? [String(count)] : [])],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  let output = ''
  child.stdout.on('data', (chunk) => {
    output += chunk
  })
  const lines = () => output.split('\n').slice(0, -1)
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve))
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await closed
  })
  return {
    ended: async () => {
      expect(await closed).toBe(0)
      return lines()
    },
    kill: async () => {
      child.kill('SIGKILL')
      await closed
    },
    until: (count: number) =>
      new Promise<void>((resolve) => {
        child.stdout.on('data', () => lines().length >= count && resolve())
        child.once('close', () => resolve())
      }),
  }
}

async function readerIn(folder: string, options: Partial<ReaderOptions> = {}): Promise<JournalReader> {
  const reader = await openJournal(folder, { readOnly: true, logger: quiet, ...options })
  onTestFinished(async () => {
    await reader.close()()
  })
  return reader
}

const line = ({ position, stream, seq }: StoredRecord) => `${position} ${stream} ${seq}`

/** Names, sizes and times of all files of a folder. */
async function listing(folder: string): Promise<string[]> {
  const names = (await readdir(folder, { recursive: true })).sort()
  return Promise.all(
    names.map(async (name) => {
      const { size, mtimeMs } = await stat(join(folder, name))
      return `${name} ${size} ${mtimeMs}`
    }),
  )
}

describe('K1 K7 beside a writer at full speed', () => {
  test('each record is seen once, in order, and none that is not there in the end', { timeout: 120_000 }, async () => {
    const folder = await newFolder()
    await must((await openIn(folder)).close())
    const followers = [start(folder, 'follow'), start(folder, 'follow')]
    const looker = start(folder, 'look')
    await start(folder, 'write', 400).ended()
    const journal = await openIn(folder)
    const kept = (await all(journal.readAll())).map(line)
    const trimmed = /^\d+ s[0-3] /
    const lasting = kept.filter((told) => !trimmed.test(told))
    expect(lasting.length).toBe(16 * 400 + 1)
    for (const { ended } of followers) {
      const seen = await ended()
      const positions = seen.map((told) => Number.parseInt(told, 10))
      expect(positions).toEqual([...new Set(positions)].sort((one, other) => one - other))
      expect(seen.filter((told) => !trimmed.test(told))).toEqual(lasting)
      expect(kept.filter((told) => !seen.includes(told))).toEqual([])
    }
    expect(await looker.ended()).toEqual(['looked'])
  })

  test('that is killed and started again, and again', { timeout: 120_000 }, async () => {
    const folder = await newFolder()
    await must((await openIn(folder)).close())
    const followers = [start(folder, 'follow'), start(folder, 'follow')]
    const looker = start(folder, 'look')
    for (let round = 0; round < 8; round++) {
      const writer = start(folder, 'forever')
      await writer.until(150 + round * 37)
      await writer.kill()
    }
    const journal = await openIn(folder)
    await add(journal, 'end', 0, 'end')
    const kept = (await all(journal.readAll())).map(line)
    expect(kept.length).toBeGreaterThan(1000)
    for (const { ended } of followers) expect(await ended()).toEqual(kept)
    expect(await looker.ended()).toEqual(['looked'])
  })
})

describe('K1 what a writer takes back is never shown', () => {
  test('half of a group that does not fit on the disk, before it is undone', async () => {
    const folder = await newFolder()
    const journal = await openIn(folder)
    await add(journal, 'a', 0, 'first')
    const reader = await readerIn(folder)
    await vi.waitFor(async () => expect(await texts(reader.readAll())).toEqual(['first']))
    const { write, truncate } = handles
    let calls = 0
    const writing = vi.spyOn(handles, 'write').mockImplementation(async function (this: FileHandle, ...args: any) {
      const [bytes, at, size, place] = args
      if (++calls === 2) throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })
      return (write as any).call(this, bytes, at, Math.ceil(size / 2), place)
    } as any)
    let shown: string[] | undefined
    vi.spyOn(handles, 'truncate').mockImplementation(async function (this: FileHandle, size?: number) {
      if (calls === 2) shown = await texts((await readerIn(folder)).readAll())
      if (calls === 2) expect(await texts(reader.readAll())).toEqual(['first'])
      return truncate.call(this, size)
    })
    onTestFinished(() => {
      vi.restoreAllMocks()
    })
    const appends = numbered(20).map((text, number) =>
      journal.append({ stream: `s${number}`, expected: 0, texts: [text] })(),
    )
    expect((await Promise.all(appends)).map(({ _tag }) => _tag)).toEqual(numbered(20).map(() => 'Left'))
    writing.mockRestore()
    expect(shown).toEqual(['first'])
    await add(journal, 'a', 1, 'second')
    await vi.waitFor(async () => expect(await texts(reader.readAll())).toEqual(['first', 'second']))
  })

  test.runIf(root)('on a disk that is full and has room again', { timeout: 60_000 }, async () => {
    const disk = await mounted('512k')
    const folder = join(disk, 'journal')
    const journal = await openIn(folder, { segmentBytes: 40_000 })
    const follower = start(folder, 'follow')
    const ballast = join(disk, 'ballast')
    const codes = new Set<string>()
    const next = new Map<string, number>()
    const append = async (stream: string) => {
      const seq = next.get(stream) ?? 0
      const text = `${stream} ${seq + 1} ${'x'.repeat(((seq + 1) * 7919) % 400)}`
      const answer = await journal.append({ stream, expected: seq, texts: [text] })()
      if (answer._tag === 'Left') codes.add(answer.left.code)
      else next.set(stream, seq + 1)
    }
    for (let round = 0; round < 60; round++) {
      if (round % 20 === 5) await writeFile(ballast, Buffer.alloc(1 << 19)).catch(() => {})
      if (round % 20 === 15) await rm(ballast)
      await Promise.all(Array.from({ length: 12 }, (_, number) => append(`s${number}`)))
    }
    expect([...codes]).toEqual(['NO_SPACE'])
    await add(journal, 'end', 0, 'end')
    expect(await follower.ended()).toEqual((await all(journal.readAll())).map(line))
  })
})

/** A small file system in memory. */
async function mounted(size: string): Promise<string> {
  const disk = join(await newFolder(), 'disk')
  await mkdir(disk)
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', disk])
  onTestFinished(() => {
    execFileSync('umount', ['-l', disk])
  })
  return disk
}

describe('K3 nothing in the folder is changed', () => {
  test('not by opening, nor by reading, whatever lies there', async () => {
    const folder = await newFolder()
    const journal = await openIn(folder, { segmentBytes: 2000, indexEvery: 16 })
    for (let seq = 0; seq < 100; seq++) await add(journal, 'a', seq, `text ${seq + 1}`)
    await must(journal.close())
    await writeFile(join(folder, 'index', '0000000000000001-0000000000000999.run.new'), 'left behind')
    const run = join(folder, 'index', (await readdir(join(folder, 'index'))).find((name) => name.endsWith('.run'))!)
    await truncate(run, 100)
    const last = join(
      folder,
      (await readdir(folder))
        .filter((name) => name.endsWith('.log'))
        .sort()
        .at(-1)!,
    )
    await writeFile(last, (await readFile(last)).subarray(32, 60), { flag: 'a' })
    const before = await listing(folder)
    const reader = await readerIn(folder)
    expect(await texts(reader.readAll())).toEqual(numbered(100))
    expect(await texts(reader.read('a'))).toEqual(numbered(100))
    expect((await reader.head('a'))?.seq).toBe(100)
    expect(await all(reader.heads())).toHaveLength(1)
    await must(reader.close())
    expect(await listing(folder)).toEqual(before)
  })

  test.runIf(root)('on a disk that is mounted read-only', async () => {
    const folder = join(await mounted('4m'), 'journal')
    const journal = await openIn(folder)
    for (let seq = 0; seq < 20; seq++) await add(journal, 'a', seq, `text ${seq + 1}`)
    await must(journal.close())
    await rm(join(folder, 'committed'))
    execFileSync('mount', ['-o', 'remount,ro', join(folder, '..')])
    expect(await texts((await readerIn(folder)).readAll())).toEqual(numbered(20))
  })

  test.runIf(root)('for a user who may read the folder and no more; one who may not is told so', async () => {
    const folder = await newFolder()
    const journal = await openIn(folder, { indexEvery: 16 })
    for (let seq = 0; seq < 40; seq++) await add(journal, 'a', seq, `text ${seq + 1}`)
    await must(journal.close())
    const asNobody = async <T>(read: () => Promise<T>): Promise<T> => {
      process.seteuid!(65534)
      return read().finally(() => process.seteuid!(0))
    }
    const opening = () => openJournal(folder, { readOnly: true })
    await expect(asNobody(opening)).rejects.toMatchObject({ code: 'NO_PERMISSION' })
    for (const name of await readdir(folder, { recursive: true })) await chmod(join(folder, name), 0o755)
    await chmod(folder, 0o755)
    expect(await asNobody(async () => texts((await readerIn(folder)).readAll()))).toEqual(numbered(40))
  })
})

describe('K3 files that change while they are read', () => {
  test('an index that is merged again and again, and one that is gone', async () => {
    const folder = await newFolder()
    const journal = await openIn(folder, { segmentBytes: 4000, indexEvery: 16 })
    await add(journal, 'a', 0, 'text 1')
    const reader = await readerIn(folder)
    for (let seq = 1; seq < 400; seq++) {
      await add(journal, 'a', seq, `text ${seq + 1}`)
      if (seq % 10 > 0) continue
      const seen = await texts((await readerIn(folder)).read('a'))
      expect(seen).toEqual(numbered(seen.length))
    }
    await vi.waitFor(async () => expect(await texts(reader.read('a'))).toEqual(numbered(400)))
    await rm(join(folder, 'index'), { recursive: true })
    expect(await texts(reader.read('a'))).toEqual(numbered(400))
    expect(await texts((await readerIn(folder)).read('a'))).toEqual(numbered(400))
  })

  test('an index that lies is done without, and that is said', async () => {
    const folder = await newFolder()
    const journal = await openIn(folder, { indexEvery: 16 })
    for (let seq = 0; seq < 200; seq++) await add(journal, `s${seq % 7}`, Math.floor(seq / 7), `text ${seq + 1}`)
    await must(journal.close())
    const warn = vi.fn()
    const reader = await readerIn(folder, { logger: { ...quiet, warn } })
    for (const name of await readdir(join(folder, 'index'))) {
      const path = join(folder, 'index', name)
      const bytes = await readFile(path)
      bytes[5]! ^= 255
      await writeFile(path, bytes)
    }
    expect((await texts(reader.read('s3')))[1]).toBe('text 11')
    expect(await all(reader.heads())).toHaveLength(7)
    expect(await texts(reader.readAll())).toEqual(numbered(200))
    expect(warn).toHaveBeenCalledTimes(1)
  })

  test('K9 what the index has by then leaves memory', async () => {
    const folder = await newFolder()
    const journal = await openIn(folder, { indexEvery: 1 << 14 })
    const view = await View.open(folder, await committedEnd(folder), new Coding([]), true, () => {})
    for (let seq = 0; seq < 40_000; seq += 1000) await add(journal, 'a', seq, ...numbered(1000))
    await vi.waitFor(async () => expect(await indexedUpTo(join(folder, 'index'))).toBeGreaterThan(30_000))
    await vi.waitFor(async () => expect((await committedEnd(folder)).position).toBe(40_000))
    await view.grow(await committedEnd(folder))
    expect(view.places.unindexed).toBe(40_000)
    expect(await view.outgrown()).toBe(true)
    await view.close()
    const anew = await View.open(folder, view.end, new Coding([]), true, () => {})
    expect(anew.places.unindexed).toBeLessThan(10_000)
    expect(await anew.outgrown()).toBe(false)
    await anew.close()
  })

  test('what was trimmed and given up while it is read', { timeout: 60_000 }, async () => {
    const folder = await newFolder()
    const journal = await openIn(folder, { segmentBytes: 4000, indexEvery: 64 })
    const count = 30
    const texts = (stream: string) => numbered(20).map((text) => `${stream} ${text}`)
    for (let number = 0; number < count; number++) await add(journal, `s${number}`, 0, ...texts(`s${number}`))
    await add(journal, 'end', 0, 'end')
    const reader = await readerIn(folder)
    await vi.waitFor(async () => expect(await reader.end()).toBe(count * 20 + 1))
    const begun = reader.readAll()[Symbol.asyncIterator]()
    const heads = reader.heads()
    const seen = [line((await begun.next()).value)]
    for (let number = 0; number < count; number += 2) await must(journal.trim(`s${number}`, 20))
    await journal.reclaim()
    const kept = (await all(journal.readAll())).map(line)
    for (let next = await begun.next(); !next.done; next = await begun.next()) seen.push(line(next.value))
    expect(seen[0]).toBe('1 s0 1')
    expect(kept.filter((told) => !seen.includes(told))).toEqual([])
    expect((await all(reader.readAll())).map(line)).toEqual(kept)
    expect(await all(heads)).toHaveLength(count + 1)
    for (let number = 0; number < count; number++) {
      const stream = `s${number}`
      expect(await all(reader.read(stream))).toEqual(await all(journal.read(stream)))
      expect(await reader.head(stream)).toEqual(await journal.head(stream))
    }
    const anew = await readerIn(folder)
    expect((await all(anew.readAll())).map(line)).toEqual(kept)
  })

  test.each([false, true])('heads that give way to newer ones while they are listed (pending: %s)', async (pending) => {
    const folder = await newFolder()
    const journal = await openIn(folder, { segmentBytes: 1024, indexEvery: 16, reclaim: false })
    const streams = Array.from({ length: 60 }, (_, number) => `machine/${number}`)
    const text = `${JSON.stringify({ unfinished: 1 })}\n{}\nj"${'x'.repeat(400)}"`
    for (const stream of streams) await add(journal, stream, 0, text)
    const reader = await readerIn(folder)
    await vi.waitFor(async () => expect(await reader.end()).toBe(60))
    const seen: string[] = []
    for await (const head of reader.heads({ pending })) {
      if (seen.push(head.stream) > 1) continue
      for (const stream of streams) {
        await add(journal, stream, 1, text)
        await must(journal.trim(stream, 2))
      }
      expect((await journal.reclaim()).segments).toBeGreaterThan(10)
      await vi.waitFor(async () => expect(await reader.end()).toBe(180))
    }
    expect(seen.sort()).toEqual(streams.sort())
  })

  test('damage is refused with its place, also by who follows', async () => {
    const folder = await newFolder()
    const journal = await openIn(folder)
    for (let seq = 0; seq < 20; seq++) await add(journal, 'a', seq, `text ${seq + 1}`)
    await must(journal.close())
    const reader = await readerIn(folder)
    const file = join(folder, '0000000000000001.log')
    const bytes = await readFile(file)
    bytes[200]! ^= 1
    await writeFile(file, bytes)
    const seen: string[] = []
    const following = async () => {
      for await (const { text } of reader.follow()) seen.push(text)
    }
    await expect(following()).rejects.toMatchObject({ code: 'JOURNAL_DAMAGED', where: { file } })
    expect(seen).toEqual(numbered(seen.length))
    await expect(texts(reader.read('a'))).rejects.toMatchObject({ code: 'JOURNAL_DAMAGED' })
  })

  test('another journal in its place is no continuation of it', async () => {
    const [folder, other, older] = [await newFolder(), await newFolder(), await newFolder()]
    const journal = await openIn(folder)
    await add(journal, 'a', 0, 'x')
    await must(journal.close())
    await cp(folder, older, { recursive: true })
    const again = await openIn(folder)
    await add(again, 'a', 1, 'y', 'z')
    await must(again.close())
    const stranger = await openIn(other)
    await add(stranger, 'a', 0, ...numbered(50))
    await must(stranger.close())
    for (const from of [older, other]) {
      const place = await newFolder()
      await copyJournal(folder, place)
      const reader = await readerIn(place)
      expect(await reader.end()).toBe(3)
      await rm(place, { recursive: true })
      await cp(from, place, { recursive: true })
      await expect(texts(reader.readAll())).rejects.toMatchObject({ code: 'JOURNAL_DAMAGED' })
    }
  })
})

describe('follow', () => {
  /** What was told so far of a follower that runs. */
  function following(reader: JournalReader, options = {}) {
    const seen: string[] = []
    const ended = (async () => {
      for await (const { text } of reader.follow(options)) seen.push(text)
    })()
    return { seen, ended }
  }

  test.each([
    ['told by the file system', 60_000],
    ['by polling, where it does not tell', 5],
  ])('gives what is there, then what comes: %s', async (_, poll) => {
    const { watch } = fs
    if (poll === 5) {
      fs.watch = () => {
        throw Object.assign(new Error('ENOSYS'), { code: 'ENOSYS' })
      }
      syncBuiltinESMExports()
      onTestFinished(() => {
        fs.watch = watch
        syncBuiltinESMExports()
      })
    }
    const folder = await newFolder()
    const journal = await openIn(folder)
    await add(journal, 'a', 0, ...numbered(3))
    const reader = await readerIn(folder, { poll })
    const { seen } = following(reader, { from: 2 })
    await vi.waitFor(() => expect(seen).toEqual(numbered(3).slice(1)))
    for (let seq = 3; seq < 20; seq++) await add(journal, 'a', seq, `text ${seq + 1}`)
    await vi.waitFor(() => expect(seen).toEqual(numbered(20).slice(1)))
  })

  test('ends when it is aborted, at once where it was before, and when the reader is closed', async () => {
    const folder = await newFolder()
    const journal = await openIn(folder)
    await add(journal, 'a', 0, 'x')
    await must(journal.close())
    const reader = await readerIn(folder, { poll: 60_000 })
    const abort = new AbortController()
    const aborted = following(reader, { signal: abort.signal })
    const open = following(reader)
    const late = following(reader, { from: 100 })
    await vi.waitFor(() => expect([aborted.seen, open.seen]).toEqual([['x'], ['x']]))
    abort.abort()
    await aborted.ended
    expect(await all(reader.follow({ signal: abort.signal }))).toEqual([])
    await must(reader.close())
    await must(reader.close())
    await Promise.all([open.ended, late.ended])
    expect(late.seen).toEqual([])
    await expect(all(reader.follow())).rejects.toMatchObject({ code: 'CLOSED' })
    await expect(all(reader.readAll())).rejects.toMatchObject({ code: 'CLOSED' })
    await expect(reader.end()).rejects.toMatchObject({ code: 'CLOSED' })
    await expect(reader.head('a')).rejects.toMatchObject({ code: 'CLOSED' })
  })

  test('leaves out what was trimmed before it came there, and stops where it is stopped', async () => {
    const folder = await newFolder()
    const journal = await openIn(folder)
    await add(journal, 'a', 0, ...numbered(10))
    await must(journal.trim('a', 6))
    await add(journal, 'b', 0, 'last')
    await must(journal.close())
    const reader = await readerIn(folder)
    const seen: string[] = []
    for await (const { text } of reader.follow()) if (seen.push(text) === 6) break
    expect(seen).toEqual([...numbered(10).slice(5), 'last'])
    expect(await reader.end()).toBe(12)
  })

  test.each<[string, unknown]>([
    ['from', { from: 1.5 }],
    ['signal', { signal: 5 }],
  ])('%s is looked at', async (name, options) => {
    const folder = await newFolder()
    await openIn(folder)
    const reader = await readerIn(folder)
    const error = await all(reader.follow(options as never)).catch((error) => error)
    expect(error).toMatchObject({ code: 'BAD_OPTION', message: expect.stringContaining(name) })
  })
})

test('a folder without a journal is FOLDER_MISSING until somebody writes one', async () => {
  const folder = join(await newFolder(), 'journal')
  const opening = () => openJournal(folder, { readOnly: true })
  await expect(opening()).rejects.toMatchObject({ code: 'FOLDER_MISSING', where: { file: folder } })
  await mkdir(folder)
  await expect(opening()).rejects.toMatchObject({ code: 'FOLDER_MISSING', where: { file: folder } })
  expect(await readdir(folder)).toEqual([])
  const journal = await openIn(folder)
  const reader = await readerIn(folder)
  expect([await reader.end(), await all(reader.readAll()), await reader.head('a')]).toEqual([0, [], undefined])
  await add(journal, 'a', 0, 'x')
  await vi.waitFor(async () => expect(await texts(reader.read('a'))).toEqual(['x']))
})

test('only { readOnly: true } opens it, and the error says what writes', async () => {
  const folder = await newFolder()
  for (const options of [{}, { readOnly: false }, undefined]) {
    const error = await openJournal(folder, options as never).catch((error) => error)
    expect(error).toMatchObject({ code: 'BAD_OPTION', hint: expect.stringContaining('fileJournal') })
  }
})
