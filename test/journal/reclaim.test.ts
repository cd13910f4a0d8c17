// Reclaim gives back the space of what was trimmed, and nothing else: whatever fails or dies meanwhile.
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, readdirSync, readlinkSync } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import fc from 'fast-check'
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import {
  checkJournal,
  type FileJournal,
  type FileJournalOptions,
  memoryJournal,
  type StoredRecord,
} from '../../src/journal/index.ts'
import { add, all, must } from '../../src/testing/journal/case.ts'
import { newFolder, openIn, segmentsOf } from './folder.ts'
import { handles } from './handles.ts'

const SMALL = { segmentBytes: 16_384, reclaim: false }
const TEXT_BYTES = 1000

afterEach(() => {
  vi.restoreAllMocks()
})

/** All that can be read, in every way. */
async function contentOf(journal: FileJournal) {
  const records = await all(journal.readAll())
  const streams = [...new Set(records.map(({ stream }) => stream))]
  const byStream = await Promise.all(streams.map((stream) => all(journal.read(stream))))
  const byPosition = (one: StoredRecord, other: StoredRecord) => one.position - other.position
  const middle = await all(journal.readAll({ from: records[Math.floor(records.length / 2)]?.position ?? 1 }))
  return { records, byStream, middle, heads: (await all(journal.heads())).sort(byPosition) }
}

/** Four streams of 60 records, ten of one stream after the other; two of them are trimmed to their last ten. */
async function filled(folder: string, options: FileJournalOptions = SMALL): Promise<FileJournal> {
  const journal = await openIn(folder, options)
  for (let seq = 0; seq < 60; seq += 10) {
    for (let stream = 0; stream < 4; stream++) {
      for (let more = 0; more < 10; more++) {
        await add(journal, `s${stream}`, seq + more, `${stream} ${seq + more} `.padEnd(TEXT_BYTES, 'x'))
      }
    }
    if (seq === 30) await must(journal.trim('s0', 20))
  }
  for (const stream of ['s0', 's2']) await must(journal.trim(stream, 51))
  await add(journal, 's1', 60, 'y'.repeat(SMALL.segmentBytes))
  return journal
}

async function blocksOf(folder: string): Promise<number> {
  const sizes = await Promise.all(
    (await readdir(folder)).filter((name) => name.endsWith('.log')).map((name) => stat(join(folder, name))),
  )
  return sizes.reduce((sum, { blocks }) => sum + blocks, 0)
}

/** Whether a text is in any file of a folder. */
async function holds(folder: string, text: string): Promise<boolean> {
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile() && (await readFile(join(entry.parentPath, entry.name))).includes(text)) return true
  }
  return false
}

async function reopened(folder: string, options: FileJournalOptions = SMALL) {
  const journal = await openIn(folder, options)
  const content = await contentOf(journal)
  await must(journal.close())
  return content
}

describe('reclaim', () => {
  test.each([{}, { indexEvery: 16 }])(
    'gives space back; all that is kept stays as and where it is: %j',
    async (more) => {
      const folder = await newFolder()
      const options = { ...SMALL, ...more }
      const journal = await filled(folder, options)
      const expected = await contentOf(journal)
      const before = await blocksOf(folder)
      const reclaimed = await journal.reclaim()
      expect(reclaimed.archived).toBe(0)
      expect(reclaimed.bytes).toBe(100 * (24 + 2 + TEXT_BYTES) + 24 + 2)
      expect(reclaimed.segments).toBeGreaterThan(5)
      expect(await contentOf(journal)).toEqual(expected)
      expect(await blocksOf(folder)).toBeLessThan(before - 100 * 0.4 * (TEXT_BYTES / 512))
      expect(await journal.reclaim()).toEqual({ bytes: 0, segments: 0, archived: 0 })
      await must(journal.close())
      expect(await reopened(folder, options)).toEqual(expected)
      await rm(join(folder, 'index'), { recursive: true, force: true })
      expect(await reopened(folder, options)).toEqual(expected)
      const again = await openIn(folder, options)
      expect(await add(again, 's0', 60, 'more')).toBe(expected.records.at(-1)!.position + 1)
    },
  )

  test('a segment of which nothing is kept takes 56 bytes', async () => {
    const folder = await newFolder()
    const journal = await openIn(folder, { segmentBytes: 4096 })
    for (let seq = 0; seq < 100; seq++) await add(journal, 'a', seq, 'x'.repeat(1000))
    await must(journal.trim('a', 100))
    await journal.reclaim()
    const sizes = (await segmentsOf(folder)).map(({ bytes }) => bytes.length)
    expect(sizes.length).toBeGreaterThan(30)
    expect(sizes.slice(0, -2).every((size) => size === 56)).toBe(true)
    expect(await blocksOf(folder)).toBeLessThanOrEqual(sizes.length * 8 + 16)
    await must(journal.close())
    expect((await reopened(folder)).records.map(({ seq }) => seq)).toEqual([100])
  })

  test('a journal whose first file of the index comes after a trim has that file', async () => {
    const folder = await newFolder()
    const journal = await openIn(folder, { indexEvery: 16 })
    await add(journal, 'a', 0, 'one', 'two')
    await must(journal.trim('a', 2))
    for (let seq = 0; seq < 40; seq++) await add(journal, 'b', seq, 'x')
    await must(journal.close())
    expect((await readdir(join(folder, 'index'))).filter((name) => name.endsWith('.run')).length).toBeGreaterThan(0)
  })

  test('the index is used on after it: nothing that it names was given up', async () => {
    const folder = await newFolder()
    const options = { ...SMALL, indexEvery: 16 }
    const journal = await filled(folder, options)
    await journal.reclaim()
    await must(journal.close())
    const runs = async () => (await readdir(join(folder, 'index'))).filter((name) => name.endsWith('.run'))
    const before = await runs()
    expect(before.length).toBeGreaterThan(0)
    await must((await openIn(folder, options)).close())
    expect(await runs()).toEqual(before)
  })

  test('K12 what was dropped is in no file any more, nor are its snapshots', async () => {
    const folder = await newFolder()
    const journal = await openIn(folder, { segmentBytes: 4096, indexEvery: 16 })
    await add(journal, 'a', 0, 'secret 1', 'secret 2', 'secret 3')
    await must(journal.saveSnapshot({ stream: 'a', seq: 3, text: 'secret snapshot' }))
    for (let seq = 0; seq < 40; seq++) {
      if (seq === 12) await add(journal, 'a', 3, 'secret 4', 'tombstone')
      await add(journal, 'b', seq, 'x'.repeat(200))
    }
    await vi.waitFor(async () => expect(await holds(folder, 'secret snapshot')).toBe(true))
    await must(journal.trim('a', 5))
    await journal.reclaim()
    expect(await holds(folder, 'tombstone')).toBe(true)
    expect(await holds(folder, 'secret')).toBe(false)
    await must(journal.close())
    expect(await holds(folder, 'secret')).toBe(false)
  })

  test('of a chained journal only gives up segments from its beginning of which nothing is kept', async () => {
    const folder = await newFolder()
    const options = { segmentBytes: 4096, chain: true }
    const journal = await openIn(folder, options)
    for (let seq = 0; seq < 20; seq++) await add(journal, 'a', seq, 'x'.repeat(1000))
    await add(journal, 'b', 0, 'kept')
    for (let seq = 20; seq < 40; seq++) await add(journal, 'a', seq, 'x'.repeat(1000))
    await must(journal.trim('a', 40))
    const expected = await contentOf(journal)
    const head = journal.chainHead()
    expect(head).toBeDefined()
    const { segments } = await journal.reclaim()
    const sizes = (await segmentsOf(folder)).map(({ bytes }) => bytes.length)
    expect(sizes.map((size) => size === 56)).toEqual(sizes.map((_, number) => number < segments))
    expect(segments).toBeGreaterThan(3)
    expect(segments).toBeLessThan(sizes.length / 2)
    await must(journal.close())
    expect((await checkJournal(folder)).damages).toEqual([])
    const again = await openIn(folder, options)
    expect(again.chainHead()).toEqual(head)
    expect(await contentOf(again)).toEqual(expected)
  })

  test('closes the files that it has replaced, so that their space is free', async () => {
    const folder = await newFolder()
    const journal = await filled(folder)
    await contentOf(journal)
    await journal.reclaim()
    await contentOf(journal)
    const open = readdirSync('/proc/self/fd').flatMap((fd) => {
      try {
        return [readlinkSync(`/proc/self/fd/${fd}`)]
      } catch {
        return []
      }
    })
    expect(open.filter((path) => path.startsWith(folder) && path.endsWith('(deleted)'))).toEqual([])
  })

  test('reads that have begun go on: each record that is kept is read once', async () => {
    const folder = await newFolder()
    const journal = await filled(folder)
    const expected = await contentOf(journal)
    const reads = [journal.readAll(), journal.heads(), journal.read('s0'), journal.read('s1')].map((read) =>
      read[Symbol.asyncIterator](),
    )
    const found: StoredRecord[][] = []
    for (const read of reads) found.push([(await read.next()).value])
    for (const stream of ['s0', 's1', 's2', 's3']) {
      const last = (await journal.head(stream))!.seq
      await add(journal, stream, last, 'z'.repeat(SMALL.segmentBytes))
      await must(journal.trim(stream, last + 1))
    }
    await journal.reclaim()
    for (const [number, read] of reads.entries()) {
      for (let next = await read.next(); !next.done; next = await read.next()) found[number]!.push(next.value)
    }
    const places = (records: readonly StoredRecord[]) => records.map(({ position }) => position)
    expect(places(found[1]!)).toEqual(places(expected.heads))
    for (const [number, whole] of [expected.records, expected.heads, expected.byStream[0]!].entries()) {
      const known = new Map(whole.map((record) => [record.position, record]))
      for (const record of found[number]!) expect(known.get(record.position) ?? record).toEqual(record)
      expect(places(found[number]!)).toEqual([...new Set(places(found[number]!))].sort((a, b) => a - b))
    }
    await journal.reclaim()
    const left = await contentOf(journal)
    expect(left.records).toEqual(left.heads)
  })

  test('appends, trims and reads beside it are answered, and one reclaim waits for the other', async () => {
    const folder = await newFolder()
    const journal = await filled(folder)
    const model = memoryJournal()
    for (const { stream, seq, text } of (await contentOf(journal)).records) {
      const expected = (await model.head(stream))?.seq ?? 0
      await must(model.append({ stream, expected, texts: [...Array(seq - expected - 1).fill(''), text] }))
    }
    let running = true
    const reclaims = Promise.all([journal.reclaim(), journal.reclaim()]).finally(() => {
      running = false
    })
    let turns = 0
    for (; running || turns === 0; turns++) {
      const stream = `s${turns % 4}`
      const seq = (await journal.head(stream))!.seq
      for (const one of [journal, model]) await add(one, stream, seq, `beside ${turns}`.padEnd(300))
      if (turns % 3 === 0) for (const one of [journal, model]) await must(one.trim(stream, seq - 3))
    }
    for (const { bytes } of await reclaims) expect(bytes).toBeGreaterThan(0)
    for (const stream of ['s0', 's1', 's2', 's3']) {
      const kept = async (from: { read: FileJournal['read'] }) =>
        (await all(from.read(stream, { from: 51 }))).map(({ seq, text }) => ({ seq, text }))
      expect(await kept(journal)).toEqual(await kept(model))
    }
  })

  test('BAD_OPTION changes nothing; CLOSED after close; close lets it end', async () => {
    const folder = await newFolder()
    const journal = await filled(folder)
    const before = await segmentsOf(folder)
    const link = join(await newFolder(), 'link')
    await symlink(folder, link)
    for (const options of [
      { archive: '' },
      { archive: 1 },
      { archive: folder },
      { archive: join(folder, 'index') },
      { archive: join(link, 'archive', 'old') },
      { archve: folder },
      1,
      [],
    ] as never[]) {
      await expect(journal.reclaim(options)).rejects.toMatchObject({ code: 'BAD_OPTION' })
    }
    expect(await segmentsOf(folder)).toEqual(before)
    const ended = journal.reclaim().then(
      () => 'reclaimed',
      ({ code }) => code,
    )
    await must(journal.close())
    expect(['CLOSED', 'reclaimed']).toContain(await ended)
    await expect(journal.reclaim()).rejects.toMatchObject({ code: 'CLOSED' })
    expect((await readdir(folder)).filter((name) => name.endsWith('.new'))).toEqual([])
  })
})

describe('an archive', () => {
  test('gets each segment as it was before it first lost something, and keeps it', async () => {
    const folder = await newFolder()
    const archive = join(await newFolder(), 'some', 'archive')
    const journal = await filled(folder)
    const before = await segmentsOf(folder)
    const { segments, archived } = await journal.reclaim({ archive })
    expect(archived).toBe(segments)
    expect(await segmentsOf(archive)).toHaveLength(archived)
    await must(journal.trim('s1', 50))
    const more = await journal.reclaim({ archive })
    expect(more.archived).toBeLessThan(more.segments)
    const kept = await segmentsOf(archive)
    expect(kept).toHaveLength(archived + more.archived)
    for (const { file, bytes } of kept) {
      const original = before.find((one) => one.file.endsWith(file.slice(archive.length)))!
      expect(bytes.equals(original.bytes)).toBe(true)
    }
  })

  test('that holds segments of another journal is refused, and nothing is lost', async () => {
    const archive = await newFolder()
    await must((await filled(archive)).close())
    const folder = await newFolder()
    const journal = await filled(folder)
    const before = await segmentsOf(folder)
    await expect(journal.reclaim({ archive })).rejects.toMatchObject({ code: 'BACKUP_MISMATCH' })
    expect(await segmentsOf(folder)).toEqual(before)
  })
})

describe('K7 a reclaim that does not get to its end', () => {
  test.each(['by hand', 'by itself'])(
    '%s, at whatever file operation the process dies: all that is kept is there, and the next one goes on',
    async (how) => {
      const folder = await newFolder()
      const copies = await newFolder()
      const options = { ...SMALL, indexEvery: 64 }
      const journal = await filled(folder, options)
      const expected = await contentOf(journal)
      await must(journal.close())
      const note = join(folder, 'index', 'reclaimed')
      const run = async () => {
        const again = await openIn(folder, { ...options, reclaim: how === 'by itself' })
        if (how === 'by hand') await again.reclaim()
        else await vi.waitFor(() => expect(existsSync(note)).toBe(true), 20_000)
        await must(again.close())
      }
      let taken = 0
      const take = () => {
        cpSync(folder, join(copies, String(taken++)), {
          recursive: true,
          filter: (path) => !basename(path).startsWith('lock'),
        })
      }
      for (const name of ['write', 'truncate', 'sync'] as const) {
        const original = handles[name] as (...args: unknown[]) => Promise<unknown>
        let calls = 0
        vi.spyOn(handles, name).mockImplementation(async function (this: FileHandle, ...args: unknown[]) {
          if (calls++ % 3 === 0) take()
          return (await original.apply(this, args)) as never
        })
      }
      await run()
      vi.restoreAllMocks()
      expect(taken).toBeGreaterThan(20)
      let unfinished = 0
      for (let copy = 0; copy < taken; copy++) {
        const dir = join(copies, String(copy))
        if (readdirSync(dir).some((name) => name.endsWith('.new'))) unfinished++
        if (copy % 2 === 0) await rm(join(dir, 'index'), { recursive: true, force: true })
        const again = await openIn(dir, SMALL)
        expect(readdirSync(dir).filter((name) => name.endsWith('.new'))).toEqual([])
        expect(await contentOf(again)).toEqual(expected)
        await again.reclaim()
        expect(await contentOf(again)).toEqual(expected)
        await must(again.close())
      }
      expect(unfinished).toBeGreaterThan(5)
    },
  )

  test('a damaged record that is kept stops it: nothing of its segment changes', async () => {
    const folder = await newFolder()
    const journal = await filled(folder)
    const [first] = await segmentsOf(folder)
    const damaged = Buffer.from(first!.bytes)
    damaged[damaged.indexOf('1 1 ')]! ^= 1
    await writeFile(first!.file, damaged)
    await expect(journal.reclaim()).rejects.toMatchObject({ code: 'JOURNAL_DAMAGED' })
    expect((await readFile(first!.file)).equals(damaged)).toBe(true)
  })
})

const root = process.platform === 'linux' && process.getuid?.() === 0
if (!root) console.warn('SKIPPED: full disks need Linux and root')

test.skipIf(!root)(
  'K11 on a full disk it answers NO_SPACE, leaves nothing, and goes on once there is space',
  async () => {
    const disk = join(await newFolder(), 'disk')
    await mkdir(disk)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk])
    onTestFinished(() => {
      execFileSync('umount', ['-l', disk])
    })
    const folder = join(disk, 'journal')
    const journal = await filled(folder, { segmentBytes: 32_768 })
    const expected = await contentOf(journal)
    const filler = await open(join(disk, 'filler'), 'w')
    for (let full = false; !full; )
      full = await filler.write(Buffer.alloc(4096)).then(
        () => false,
        () => true,
      )
    await filler.close()
    await expect(journal.reclaim()).rejects.toMatchObject({ code: 'NO_SPACE' })
    expect((await readdir(folder)).filter((name) => name.endsWith('.new'))).toEqual([])
    expect(await contentOf(journal)).toEqual(expected)
    await rm(join(disk, 'filler'))
    expect((await journal.reclaim()).bytes).toBeGreaterThan(0)
    expect(await contentOf(journal)).toEqual(expected)
    await must(journal.close())
    expect(await reopened(folder)).toEqual(expected)
  },
)

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      stream: fc.constantFrom('a', 'b', 'c'),
      texts: fc.array(fc.string({ unit: 'grapheme', maxLength: 300 }), { minLength: 1, maxLength: 4 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ trim: fc.constantFrom('a', 'b', 'c'), back: fc.nat(6) }) },
  { weight: 2, arbitrary: fc.constant('reclaim' as const) },
  { weight: 1, arbitrary: fc.constant('reopen' as const) },
  { weight: 1, arbitrary: fc.constant('reopen without index' as const) },
)

test.each([{}, { indexEvery: 16 }])(
  'K3 whatever is appended, trimmed and reclaimed, it reads as the model: %j',
  async (more) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 80 }), async (steps) => {
        const folder = await newFolder()
        const options = { segmentBytes: 1024, ...more }
        const model = memoryJournal()
        let journal = await openIn(folder, options)
        for (const one of steps) {
          if (one === 'reclaim') await journal.reclaim()
          else if (typeof one === 'string') {
            await must(journal.close())
            if (one !== 'reopen') await rm(join(folder, 'index'), { recursive: true, force: true })
            journal = await openIn(folder, options)
            expect(journal.torn).toBeUndefined()
          } else {
            const stream = 'trim' in one ? one.trim : one.stream
            const last = (await model.head(stream))?.seq ?? 0
            for (const each of [journal, model]) {
              if ('texts' in one) await add(each, stream, last, ...one.texts)
              else if (last > one.back) await must(each.trim(stream, last - one.back))
            }
          }
          expect(await all(journal.readAll())).toEqual(await all(model.readAll()))
          for (const stream of ['a', 'b', 'c']) {
            expect(await all(journal.read(stream))).toEqual(await all(model.read(stream)))
          }
        }
        const heads = async (of: Pick<FileJournal, 'heads'>) =>
          (await all(of.heads())).sort((left, right) => left.position - right.position)
        expect(await heads(journal)).toEqual(await heads(model))
        await must(journal.close())
      }),
      { numRuns: 30, endOnFailure: true },
    )
  },
)
