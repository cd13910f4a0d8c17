// Backups beside a writer, one after another into the same folder, and what is made again from them.
import { cpSync, mkdirSync, readdirSync } from 'node:fs'
import { chmod, cp, mkdir, readdir, readFile, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { HEADER_BYTES } from '../../src/journal/file/segments/format.ts'
import { rewriteSegment, segmentSize } from '../../src/journal/file/segments/holes.ts'
import { listSegments } from '../../src/journal/file/segments/segments.ts'
import { walk } from '../../src/journal/file/segments/walk.ts'
import { backupJournal, type FileJournal, type Journal, restoreJournal } from '../../src/journal/index.ts'
import { add, all, must } from '../../src/testing/journal/case.ts'
import { newFolder, openIn } from './folder.ts'

const SEGMENT = { segmentBytes: 4096, reclaim: false }

async function filled(folder: string, count = 300): Promise<FileJournal> {
  const journal = await openIn(folder, SEGMENT)
  await more(journal, count)
  return journal
}

/** So many appends of two records to seven streams, one after the other in the journal; few of them share a write. */
async function more(journal: Journal, count: number, text = ''): Promise<void> {
  const streams = Array.from({ length: 7 }, (_, number) => `s${number}`)
  const lasts = await Promise.all(streams.map(async (stream) => (await journal.head(stream))?.seq ?? 0))
  const append = (number: number) => {
    const last = lasts[number % 7]!
    lasts[number % 7] = last + 2
    return add(journal, `s${number % 7}`, last, `${text}${last + 1}`, `${text}${last + 2}`)
  }
  const numbers = Array.from({ length: count }, (_, number) => number)
  while (numbers.length > 0) await Promise.all(numbers.splice(0, 10).map(append))
}

const recordsOf = async (folder: string) => {
  const journal = await openIn(folder, SEGMENT)
  const records = await all(journal.readAll())
  await must(journal.close())
  return records
}

const logs = async (folder: string) => (await readdir(folder)).filter((name) => name.includes('.log')).sort()

/** Flips a byte of the last text of a segment. */
async function damage(file: string, from = -1): Promise<void> {
  const bytes = await readFile(file)
  bytes[bytes.length + from]! ^= 1
  await writeFile(file, bytes)
}

describe('backup', () => {
  it('K7 has what was acknowledged, and is a journal as any other', async () => {
    const [folder, to] = [await newFolder(), await newFolder()]
    const journal = await filled(folder)
    const before = await all(journal.readAll())
    const { position, bytes } = await journal.backup(to)
    expect(position).toBe(before.at(-1)!.position)
    expect(bytes).toBeGreaterThan(4096)
    expect(await recordsOf(to)).toEqual(before)
  })

  it('beside a writer, and where there is none', async () => {
    const folder = await newFolder()
    const journal = await filled(folder, 40)
    const [one, other] = [await newFolder(), await newFolder()]
    const writing = more(journal, 40)
    await backupJournal(folder, one)
    await writing
    const before = await all(journal.readAll())
    const copied = await recordsOf(one)
    expect(copied).toEqual(before.slice(0, copied.length))
    expect(copied.length).toBeGreaterThanOrEqual(80)
    await must(journal.close())
    await backupJournal(folder, other)
    expect(await recordsOf(other)).toEqual(before)
  })

  it('K7 from outside is refused where the writer can not say what it has acknowledged', async () => {
    const [folder, to] = [await newFolder(), await newFolder()]
    const journal = await filled(folder, 3)
    await rm(join(folder, 'committed'))
    await expect(backupJournal(folder, to)).rejects.toMatchObject({
      code: 'IO',
      retryable: true,
      where: { file: folder },
    })
    await expect(restoreJournal(folder, join(to, 'data'))).rejects.toMatchObject({ code: 'IO' })
    expect(await readdir(to)).toEqual([])
    expect(await journal.backup(to)).toMatchObject({ position: 6 })
  })

  it('of an empty journal is an empty backup, which takes what comes', async () => {
    const [folder, to] = [await newFolder(), await newFolder()]
    const journal = await openIn(folder, SEGMENT)
    expect(await journal.backup(to)).toEqual({ position: 0, bytes: 0 })
    await add(journal, 'a', 0, 'one')
    expect(await journal.backup(to)).toMatchObject({ position: 1 })
    expect(await recordsOf(to)).toHaveLength(1)
  })

  it('a second one copies only what is new', async () => {
    const [folder, to] = [await newFolder(), await newFolder()]
    const journal = await filled(folder)
    const first = await journal.backup(to)
    const inodes = async () => Promise.all((await logs(to)).map(async (name) => (await stat(join(to, name))).ino))
    const before = await inodes()
    expect(await journal.backup(to)).toEqual({ position: first.position, bytes: 0 })
    expect(await inodes()).toEqual(before)
    await more(journal, 100)
    const second = await journal.backup(to)
    expect(second.bytes).toBeGreaterThan(0)
    expect(second.bytes).toBeLessThan(first.bytes)
    expect((await inodes()).slice(0, before.length - 1)).toEqual(before.slice(0, -1))
    expect(await recordsOf(to)).toEqual(await all(journal.readAll()))
  })

  it('says of how many bytes that the journal had more, and tells of no others', async () => {
    const [folder, to] = [await newFolder(), await newFolder()]
    const journal = await openIn(folder)
    await add(journal, 'a', 0, 'x'.repeat(1000))
    const first = await journal.backup(to)
    await add(journal, 'a', 1, 'y')
    const told: [number, number][] = []
    const second = await journal.backup(to, { onProgress: (done, total) => told.push([done, total]) })
    const { size } = await stat(join(to, '0000000000000001.log'))
    expect(second.bytes).toBe(size - first.bytes)
    expect(told.at(-1)).toEqual([second.bytes, second.bytes])
  })

  it('goes on over closing, opening and many small steps, and each is what the journal was', async () => {
    const [folder, to] = [await newFolder(), await newFolder()]
    for (let round = 0; round < 12; round++) {
      const journal = await openIn(folder, SEGMENT)
      await more(journal, 9)
      if (round % 3 === 0) await must(journal.close())
      await backupJournal(folder, to)
      await must(journal.close())
      const restored = join(await newFolder(), 'data')
      await restoreJournal(to, restored)
      expect(await recordsOf(restored)).toEqual(await recordsOf(folder))
    }
  })

  it('refuses a damaged journal with the place, and the backup before stays as it was', async () => {
    const [folder, to] = [await newFolder(), await newFolder()]
    const journal = await filled(folder)
    await journal.backup(to)
    const before = await logs(to)
    await more(journal, 100)
    const records = await all(journal.readAll({ to: 600 }))
    const segment = (await listSegments(folder)).at(-2)!
    await damage(segment.file)
    await expect(journal.backup(to)).rejects.toMatchObject({
      code: 'JOURNAL_DAMAGED',
      where: { file: segment.file, offset: expect.any(Number) },
    })
    expect(await logs(to)).toEqual(before)
    expect(await recordsOf(to)).toEqual(records)
  })

  it('K2 a second one into the same folder at the same time is refused', async () => {
    const [folder, to] = [await newFolder(), await newFolder()]
    const journal = await filled(folder)
    const both = await Promise.allSettled([journal.backup(to), journal.backup(to)])
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    expect(both.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'LOCKED' } })
    expect(await recordsOf(to)).toEqual(await all(journal.readAll()))
  })

  it('refuses folders that it must not touch', async () => {
    const [folder, to, other] = [await newFolder(), await newFolder(), await newFolder()]
    const journal = await filled(folder)
    for (const inside of [folder, join(folder, 'index'), join(folder, 'new', 'backup')]) {
      await expect(journal.backup(inside)).rejects.toMatchObject({ code: 'BAD_OPTION' })
      await expect(restoreJournal(folder, inside)).rejects.toMatchObject({ code: 'BAD_OPTION' })
    }
    expect(await readdir(folder)).not.toContain('new')
    await must((await filled(other, 3)).close())
    await expect(journal.backup(other)).rejects.toMatchObject({ code: 'NOT_EMPTY' })
    await backupJournal(other, to)
    await expect(journal.backup(to)).rejects.toMatchObject({ code: 'BACKUP_MISMATCH' })
    expect(await recordsOf(to)).toEqual(await recordsOf(other))
    await expect(backupJournal(join(folder, 'missing'), to)).rejects.toMatchObject({ code: 'FOLDER_MISSING' })
    await must(journal.close())
    await expect(journal.backup(to)).rejects.toMatchObject({ code: 'CLOSED' })
  })

  it('K7 leaves alone what is not its own, under whatever name', async () => {
    const [folder, to] = [await newFolder(), await newFolder()]
    const journal = await filled(folder, 3)
    const others = ['index/mine.html', 'index/sub/mine', 'snapshots/mine.txt', 'snapshots', 'committed', 'committed/a']
    for (const other of others) {
      const dir = join(await newFolder(), 'data')
      await mkdir(dirname(join(dir, other)), { recursive: true })
      await writeFile(join(dir, other), 'mine')
      const code = { code: 'NOT_EMPTY', where: { file: join(dir, other.split('/')[0]!) } }
      await expect(journal.backup(dir)).rejects.toMatchObject(code)
      await expect(restoreJournal(folder, dir)).rejects.toMatchObject(code)
      expect(await readdir(dir, { recursive: true })).toContain(other)
      expect(await logs(dir)).toEqual([])
    }
    await journal.backup(to)
    await mkdir(join(to, 'index', 'sub'), { recursive: true })
    await writeFile(join(to, 'index', 'mine.html'), 'mine')
    await more(journal, 3)
    await journal.backup(to)
    expect((await readdir(join(to, 'index'))).sort()).toEqual(['mine.html', 'sub'])
    // nor does a journal that is opened where such a folder is
    expect(await recordsOf(to)).toHaveLength(12)
    expect(await readdir(join(to, 'index'))).toEqual(expect.arrayContaining(['mine.html', 'sub']))
  })

  it('puts itself where a journal was of which only the caches are left', async () => {
    const [folder, to] = [await newFolder(), await newFolder()]
    const journal = await filled(folder, 3)
    await must(journal.saveSnapshot({ stream: 's0', seq: 2, text: 'a snapshot' }))
    await must(journal.close())
    await cp(folder, to, { recursive: true })
    for (const { file } of await listSegments(to)) await rm(file)
    expect(await readdir(to)).toEqual(expect.arrayContaining(['committed', 'index', 'snapshots']))
    await restoreJournal(folder, to)
    expect(await logs(to)).toEqual(await readdir(to))
  })

  it('refuses a backup that has records that the journal has not: somebody took the wrong one', async () => {
    const [folder, to, old] = [await newFolder(), await newFolder(), await newFolder()]
    const journal = await filled(folder, 40)
    await journal.backup(old)
    await more(journal, 40)
    await journal.backup(to)
    await must(journal.close())
    const restored = join(await newFolder(), 'data')
    await restoreJournal(old, restored)
    const mistaken = await openIn(restored, SEGMENT)
    await expect(mistaken.backup(to)).rejects.toMatchObject({ code: 'BACKUP_MISMATCH' })
    await more(mistaken, 80, 'other ') // now it has more positions than the backup, and other records
    await expect(mistaken.backup(to)).rejects.toMatchObject({ code: 'BACKUP_MISMATCH' })
    expect(await recordsOf(to)).toHaveLength(160)
    await mistaken.backup(old)
  })

  it('refuses a backup that somebody has opened as a journal and written to', async () => {
    const [folder, to] = [await newFolder(), await newFolder()]
    const journal = await filled(folder, 40)
    await journal.backup(to)
    const other = await openIn(to, SEGMENT)
    await expect(journal.backup(to)).rejects.toMatchObject({ code: 'LOCKED' })
    await more(other, 1)
    await must(other.close())
    await more(journal, 50)
    await expect(journal.backup(to)).rejects.toMatchObject({ code: 'BACKUP_MISMATCH' })
    expect(await recordsOf(to)).toHaveLength(82)
    // K7 nor is any of what was written to it left out of what is made again from it
    const restored = join(await newFolder(), 'data')
    expect(await restoreJournal(to, restored)).toMatchObject({ position: 82 })
    expect(await recordsOf(restored)).toEqual(await recordsOf(to))
  })

  it('one that somebody has only read is brought up to date', async () => {
    const [folder, to] = [await newFolder(), await newFolder()]
    const journal = await filled(folder, 40)
    await journal.backup(to)
    await recordsOf(to)
    await more(journal, 50)
    await journal.backup(to)
    expect(await recordsOf(to)).toEqual(await all(journal.readAll()))
  })

  it('K12 holds segments and nothing that could be a key, for nobody else to read', async () => {
    const folder = await newFolder()
    const to = join(await newFolder(), 'new', 'backup')
    const journal = await filled(folder)
    await mkdir(join(folder, 'keys'))
    await writeFile(join(folder, 'keys', 'a'), 'secret')
    await journal.backup(to)
    expect((await readdir(to)).filter((name) => !/^\d{16}\.log$/.test(name))).toEqual(['backup.json'])
    for (const name of await readdir(to)) expect((await stat(join(to, name))).mode & 0o777).toBe(0o600)
    expect((await stat(to)).mode & 0o777).toBe(0o700)
  })

  it('what was left by one that was killed is removed, or put in place, as its manifest says', async () => {
    const [folder, to] = [await newFolder(), await newFolder()]
    const journal = await filled(folder, 40)
    await journal.backup(to)
    const first = await newFolder()
    await cp(to, first, { recursive: true })
    await more(journal, 60)
    const records = await all(journal.readAll())
    await journal.backup(to)
    // the second one was killed before its manifest: the first one counts
    const names = await logs(to)
    for (const name of names) await cp(join(to, name), join(first, `${name}.new-2`))
    const restored = join(await newFolder(), 'data')
    expect(await restoreJournal(first, restored)).toMatchObject({ position: 80 })
    // … or after it: the second one counts
    await cp(join(to, 'backup.json'), join(first, 'backup.json'))
    const again = join(await newFolder(), 'data')
    expect(await restoreJournal(first, again)).toMatchObject({ position: 200 })
    expect(await recordsOf(again)).toEqual(records)
    // half of them have their places already
    for (const name of names.slice(3)) await rename(join(first, `${name}.new-2`), join(first, name))
    const once = join(await newFolder(), 'data')
    expect(await restoreJournal(first, once)).toMatchObject({ position: 200 })
    expect(await journal.backup(first)).toMatchObject({ position: 200, bytes: 0 })
    expect(await logs(first)).toEqual(names)
    expect(await recordsOf(first)).toEqual(records)
  })

  it('tells how far it is', async () => {
    const [folder, to] = [await newFolder(), await newFolder()]
    const journal = await filled(folder)
    const told: [number, number][] = []
    const { bytes } = await journal.backup(to, { onProgress: (done, total) => told.push([done, total]) })
    expect(told.at(-1)).toEqual([bytes, bytes])
    expect(told.map(([done]) => done)).toEqual(told.map(([done]) => done).sort((a, b) => a - b))
    // of a segment that has grown, what is new of it
    const size = async () => {
      const stats = await Promise.all((await listSegments(to)).map(({ file }) => stat(file)))
      return stats.reduce((sum, one) => sum + one.size, 0)
    }
    const before = await size()
    await add(journal, 'new', 0, 'one')
    const again = await journal.backup(to, { onProgress: (done, total) => told.push([done, total]) })
    expect(again.bytes).toBe((await size()) - before)
    expect(told.at(-1)).toEqual([again.bytes, again.bytes])
  })
})

/** Gives up all but the last record of streams that were trimmed, in all segments but the last. */
async function reclaim(folder: string, salt: number, dead: (stream: string, seq: number) => boolean): Promise<void> {
  for (const segment of (await listSegments(folder)).slice(0, -1)) {
    const ranges: { offset: number; bytes: number; positions: number }[] = []
    const size = await segmentSize(segment.file)
    await walk(segment.file, HEADER_BYTES, size, salt, (frame, start, end) => {
      const before = ranges.at(-1)
      if (frame.trim || (!frame.hole && !dead(frame.stream, frame.seq))) return
      const positions = frame.hole ? frame.seq : 1
      if (before !== undefined && before.offset + before.bytes === start) {
        before.bytes += end - start
        before.positions += positions
      } else ranges.push({ offset: start, bytes: end - start, positions })
    })
    if (ranges.length > 0) await rewriteSegment({ ...segment, size }, salt, ranges, () => {})
  }
}

async function saltOf(folder: string): Promise<number> {
  const [first] = await listSegments(folder)
  return (await readFile(first!.file)).readUInt32LE(12)
}

describe('segments with holes', () => {
  const trimmed = async (journal: Journal) => {
    for (let stream = 0; stream < 6; stream++) {
      const { seq } = (await journal.head(`s${stream}`))!
      await must(journal.trim(`s${stream}`, seq))
    }
  }
  const dead = (stream: string) => stream !== 's6'
  const deadBefore = (journal: Journal) => async (folder: string) => {
    const heads = new Map((await all(journal.heads())).map(({ stream, seq }) => [stream, seq]))
    await reclaim(folder, await saltOf(folder), (stream, seq) => dead(stream) && seq < heads.get(stream)!)
  }

  it('are copied anew where records were given up since, and stay sparse', async () => {
    const [folder, to] = [await newFolder(), await newFolder()]
    const journal = await openIn(folder, { ...SEGMENT, segmentBytes: 1 << 20 })
    const text = 'x'.repeat(50_000)
    for (let number = 0; number < 120; number++) await add(journal, `s${number % 7}`, Math.floor(number / 7), text)
    await journal.backup(to)
    await trimmed(journal)
    await must(journal.close())
    const again = await openIn(folder, { ...SEGMENT, segmentBytes: 1 << 20 })
    await deadBefore(again)(folder)
    await must(again.close())
    const { bytes } = await backupJournal(folder, to)
    expect(bytes).toBeGreaterThan(0)
    const blocks = async (where: string) => {
      const stats = await Promise.all((await listSegments(where)).map(({ file }) => stat(file)))
      return stats.reduce((sum, one) => sum + one.blocks * 512, 0)
    }
    expect(await blocks(to)).toBeLessThan(3_000_000)
    const restored = join(await newFolder(), 'data')
    await restoreJournal(to, restored)
    expect(await blocks(restored)).toBeLessThan(3_000_000)
    expect(await recordsOf(restored)).toEqual(await recordsOf(folder))
  })

  it('of the beginning alone, as after a reclaim: the next ones go on', async () => {
    const [folder, to] = [await newFolder(), await newFolder()]
    const journal = await filled(folder)
    await trimmed(journal)
    await journal.backup(to)
    expect((await journal.reclaim()).segments).toBeGreaterThan(0)
    expect((await journal.backup(to)).bytes).toBeGreaterThan(0)
    await more(journal, 3)
    expect(await journal.backup(to)).toMatchObject({ position: 612 })
    await more(journal, 100)
    await journal.backup(to)
    expect(await recordsOf(to)).toEqual(await all(journal.readAll()))
  })

  it('K3 can not be restored to where what was given up was still wanted', async () => {
    const [folder, to] = [await newFolder(), await newFolder()]
    const journal = await filled(folder, 200)
    const before = (await all(journal.readAll())).at(-1)!.position
    await trimmed(journal)
    await more(journal, 20)
    const { position } = (await all(journal.readAll())).at(-1)!
    const whole = await newFolder()
    await journal.backup(whole)
    await must(journal.close())
    const again = await openIn(folder, SEGMENT)
    await deadBefore(again)(folder)
    await must(again.close())
    await backupJournal(folder, to)
    const dir = async () => join(await newFolder(), 'data')
    await expect(restoreJournal(to, await dir(), { until: before })).rejects.toMatchObject({
      code: 'BAD_OPTION',
      where: { position: before, stream: expect.stringMatching(/^s[0-5]$/) },
    })
    expect(await restoreJournal(whole, await dir(), { until: before })).toMatchObject({ position: before })
    expect(await restoreJournal(to, await dir(), { until: position - 2 })).toMatchObject({ position: position - 2 })
    expect(await restoreJournal(to, await dir())).toMatchObject({ position })
  })
})

describe('restore', () => {
  it('gives the journal as it was, and it goes on', async () => {
    const [folder, to] = [await newFolder(), await newFolder()]
    const journal = await filled(folder)
    await journal.backup(to)
    const dir = join(await newFolder(), 'a', 'b')
    expect(await restoreJournal(to, dir)).toMatchObject({ position: 600 })
    const restored = await openIn(dir, SEGMENT)
    expect(await all(restored.readAll())).toEqual(await all(journal.readAll()))
    await more(restored, 10)
    await restored.backup(to)
    await must(restored.close())
    expect(await recordsOf(to)).toEqual(await recordsOf(dir))
    for (const name of await readdir(dir))
      if (name.endsWith('.log')) expect((await stat(join(dir, name))).mode & 0o777).toBe(0o600)
  })

  it('until a position gives what was there then, whole appends only', async () => {
    const [folder, to] = [await newFolder(), await newFolder()]
    const journal = await filled(folder, 60)
    const records = await all(journal.readAll())
    await journal.backup(to)
    for (const until of [1, 2, 3, 40, 41, 119, 120, 500]) {
      const dir = join(await newFolder(), 'data')
      const last = Math.min(until - (until % 2), 120)
      expect(await restoreJournal(to, dir, { until })).toMatchObject({ position: last })
      expect(await recordsOf(dir)).toEqual(records.slice(0, last))
    }
  })

  it('from any folder with a journal, also one that is written to', async () => {
    const folder = await newFolder()
    const journal = await filled(folder, 40)
    const dir = join(await newFolder(), 'data')
    await restoreJournal(folder, dir)
    expect(await recordsOf(dir)).toEqual(await all(journal.readAll()))
  })

  it('refuses a folder that has a journal, and one that has none to give', async () => {
    const [folder, to, empty] = [await newFolder(), await newFolder(), await newFolder()]
    const journal = await filled(folder, 40)
    await journal.backup(to)
    await expect(restoreJournal(to, folder)).rejects.toMatchObject({ code: 'LOCKED' })
    await must(journal.close())
    await expect(restoreJournal(to, folder)).rejects.toMatchObject({ code: 'NOT_EMPTY' })
    await expect(restoreJournal(folder, to)).rejects.toMatchObject({ code: 'NOT_EMPTY' })
    await expect(restoreJournal(empty, join(empty, 'data'))).rejects.toMatchObject({ code: 'BAD_OPTION' })
    await expect(restoreJournal(join(empty, 'missing'), join(empty, 'data'))).rejects.toMatchObject({
      code: 'FOLDER_MISSING',
    })
    expect(await readdir(empty)).toEqual([])
  })

  it('refuses a damaged backup with the place, and leaves no journal', async () => {
    const [folder, to] = [await newFolder(), await newFolder()]
    const journal = await filled(folder)
    await journal.backup(to)
    const segments = await listSegments(to)
    const dir = await newFolder()
    for (const { file } of [segments[0]!, segments[3]!, segments.at(-1)!]) {
      const whole = await readFile(file)
      for (const spoil of [
        () => damage(file),
        () => damage(file, -2000 + 1000),
        () => writeFile(file, whole.subarray(0, -5)),
      ]) {
        await spoil()
        await expect(restoreJournal(to, dir)).rejects.toMatchObject({ code: 'JOURNAL_DAMAGED', where: { file } })
        expect(await readdir(dir)).toEqual([])
        await writeFile(file, whole)
      }
      await rm(file)
      await expect(restoreJournal(to, dir)).rejects.toMatchObject({ code: 'JOURNAL_DAMAGED' })
      expect(await readdir(dir)).toEqual([])
      await writeFile(file, whole)
    }
    await restoreJournal(to, dir)
    expect(await recordsOf(dir)).toEqual(await all(journal.readAll()))
  })

  it('K3 begins anew where the backup that it reads is replaced meanwhile', async () => {
    const [folder, to, newer] = [await newFolder(), await newFolder(), await newFolder()]
    const journal = await filled(folder)
    await journal.backup(to)
    await more(journal, 50, 'later ')
    await journal.backup(newer)
    let replaced = false
    const onProgress = () => {
      if (replaced) return
      replaced = true
      for (const name of readdirSync(newer)) cpSync(join(newer, name), join(to, name))
    }
    const dir = join(await newFolder(), 'data')
    expect(await restoreJournal(to, dir, { onProgress })).toMatchObject({ position: 700 })
    expect(await recordsOf(dir)).toEqual(await all(journal.readAll()))
  })

  it('K7 leaves no journal where a file could not get its place', async () => {
    const [folder, dir] = [await newFolder(), await newFolder()]
    await must((await filled(folder, 300)).close())
    expect((await listSegments(folder)).length).toBeGreaterThan(1)
    const first = '0000000000000001.log'
    const onProgress = () => mkdirSync(join(dir, first), { recursive: true })
    await expect(restoreJournal(folder, dir, { onProgress })).rejects.toMatchObject({ code: 'IO' })
    expect(await readdir(dir)).toEqual([first])
    await rmdir(join(dir, first))
    await restoreJournal(folder, dir)
    expect(await recordsOf(dir)).toEqual(await recordsOf(folder))
  })

  it('from media that can not be written to', async () => {
    const [folder, to] = [await newFolder(), await newFolder()]
    const journal = await filled(folder, 40)
    await journal.backup(to)
    await chmod(to, 0o500)
    const before = await readdir(to)
    const dir = join(await newFolder(), 'data')
    await restoreJournal(to, dir)
    await chmod(to, 0o700)
    expect(await readdir(to)).toEqual(before)
    expect(await recordsOf(dir)).toEqual(await all(journal.readAll()))
  })
})
