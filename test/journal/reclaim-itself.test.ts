// K9 logs have limits: a journal gives the space of what was trimmed back by itself, and loses nothing that is kept.
import { existsSync } from 'node:fs'
import {
  type FileHandle,
  mkdir,
  open,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { listSegments, segmentName } from '../../src/journal/file/segments/segments.ts'
import { type FileJournal, type FileJournalOptions, openJournal, restoreJournal } from '../../src/journal/index.ts'
import { add, all, must } from '../../src/testing/journal/case.ts'
import { noSmallDisk, smallDisk } from './disk.ts'
import { memory, newFolder, openIn, quiet, segmentsOf } from './folder.ts'
import { handles } from './handles.ts'

if (noSmallDisk !== undefined) console.warn(`SKIPPED: ${noSmallDisk}`)

const KIB = 1024
const SMALL = { segmentBytes: 16 * KIB }
/** What an empty file, or the last part of one, takes. */
const BLOCK = 4096

afterEach(() => {
  vi.restoreAllMocks()
})

/** Waits until it holds, on a slow machine too. */
const soon = (holds: () => unknown) => vi.waitFor(holds, 30_000)

const noteIn = (folder: string) => join(folder, 'index', 'reclaimed')

/** Where the last reclaim ended, as its note tells; 0 for none. */
async function reclaimedTo(folder: string): Promise<number> {
  const note = await readFile(noteIn(folder), 'latin1').catch(() => '')
  return note === '' ? 0 : JSON.parse(note.slice(8)).from
}

/** What the journal takes on disk. */
async function taken(folder: string): Promise<number> {
  const names = (await readdir(folder, { recursive: true })).map((name) => join(folder, name))
  const stats = await Promise.all(names.map((name) => stat(name).catch(() => undefined)))
  return stats.reduce((sum, one) => sum + (one?.blocks ?? 0) * 512, 0)
}

/** Bytes that were read from files since. */
function countReads(): () => number {
  const { read } = handles
  let bytes = 0
  vi.spyOn(handles, 'read').mockImplementation(async function (this: FileHandle, ...args: any) {
    const answer = await (read as any).apply(this, args)
    bytes += answer.bytesRead
    return answer
  } as any)
  return () => bytes
}

/** A stream of which about the last so many records are kept, as those of a worker are. */
class Worker {
  readonly journal: FileJournal
  readonly #stream: string
  readonly #keep: number
  #seq = 0

  constructor(journal: FileJournal, stream: string, keep: number) {
    this.journal = journal
    this.#stream = stream
    this.#keep = keep
  }

  async resume(): Promise<this> {
    this.#seq = (await this.journal.head(this.#stream))?.seq ?? 0
    return this
  }

  async commit(count: number, length = 100): Promise<void> {
    const texts = Array.from({ length: count }, (_, more) => this.textOf(this.#seq + more + 1, length))
    await add(this.journal, this.#stream, this.#seq, ...texts)
    const trims = Math.floor((this.#seq + count) / this.#keep) > Math.floor(this.#seq / this.#keep)
    this.#seq += count
    if (trims && this.#seq > this.#keep) await must(this.journal.trim(this.#stream, this.#seq - this.#keep + 1))
  }

  textOf(seq: number, length = 100): string {
    return `${this.#stream} ${seq} `.padEnd(length, 'x')
  }

  /** All that is kept is there. */
  async whole(length = 100): Promise<void> {
    const records = await all(this.journal.read(this.#stream))
    expect(records.length).toBeGreaterThanOrEqual(Math.min(this.#seq, this.#keep))
    expect(records.length).toBeLessThan(2 * this.#keep)
    expect(records.at(-1)!.seq).toBe(this.#seq)
    for (const { seq, text } of records) expect(text).toBe(this.textOf(seq, length))
  }
}

/** A journal with much that was trimmed, and that has not been given back; its content. */
async function neglected(folder: string, segments: number, options: FileJournalOptions & typeof SMALL = SMALL) {
  const journal = await openIn(folder, { ...options, reclaim: false })
  const length = Math.floor(options.segmentBytes / 80)
  let seq = 0
  for (; (await listSegments(folder)).length < segments; seq += 10) {
    await add(journal, 'a', seq, ...Array.from({ length: 10 }, (_, more) => `a ${seq + more + 1}`.padEnd(length)))
    await add(journal, 'kept', seq / 10, `kept ${seq}`.padEnd(length))
  }
  await must(journal.trim('a', seq - 5))
  const content = await all(journal.readAll())
  await must(journal.close())
  return content
}

describe('K9 space is given back by itself', () => {
  test('hundreds of thousands of commits of which a thousand are kept never take more than a little', {
    timeout: 60_000,
  }, async () => {
    const folder = await newFolder(memory)
    const segmentBytes = 128 * KIB
    const worker = new Worker(await openIn(folder, { segmentBytes, indexEvery: 4096 }), 'worker/w', 1000)
    let most = 0
    for (let commits = 0; commits < 200_000; commits += 50) {
      await worker.commit(50)
      if (commits % 5000 === 0) most = Math.max(most, await taken(folder))
    }
    const segments = (await listSegments(folder)).length
    expect(segments).toBeGreaterThan(150)
    const kept = 2000 * 140
    const bound = 2 * kept + segments * BLOCK
    // While it lasts, more comes: how much depends on the machine.
    expect(most).toBeLessThan(bound + 24 * segmentBytes)
    await soon(async () => expect(await taken(folder)).toBeLessThan(bound + 4 * segmentBytes))
    await worker.whole()
  })

  test('what is read for it stays within what is appended, however much is kept', async () => {
    const folder = await newFolder(memory)
    const journal = await openIn(folder, SMALL)
    for (let seq = 0; seq < 4000; seq += 10) await add(journal, 'kept', seq, ...Array(10).fill('k'.repeat(200)))
    const kept = await taken(folder)
    const read = countReads()
    const before = await taken(folder)
    const worker = new Worker(journal, 'worker/w', 10)
    const ends = new Set<number>()
    for (let commits = 0; commits < 8 * (kept / 140); commits += 10) {
      await worker.commit(10)
      if (commits % 100 === 0) ends.add(await reclaimedTo(folder))
    }
    ends.delete(0)
    expect(ends.size).toBeGreaterThanOrEqual(2)
    expect(ends.size).toBeLessThanOrEqual(9)
    expect(read()).toBeLessThan(8 * 8 * kept)
    await soon(async () => expect(await taken(folder)).toBeLessThan(2 * before + 800 * BLOCK))
    await worker.whole()
  })

  test('nothing is read where nothing was trimmed', async () => {
    const folder = await newFolder()
    const journal = await openIn(folder, SMALL)
    const read = countReads()
    for (let seq = 0; seq < 1000; seq += 10) await add(journal, 'a', seq, ...Array(10).fill('x'.repeat(200)))
    expect((await listSegments(folder)).length).toBeGreaterThan(10)
    expect(read()).toBe(0)
    await must(journal.close())
    expect(existsSync(noteIn(folder))).toBe(false)
  })

  test('not with `false`, nor by who only reads', async () => {
    const folder = await newFolder()
    const content = await neglected(folder, 6)
    const before = await segmentsOf(folder)
    const journal = await openIn(folder, { ...SMALL, reclaim: false })
    await must(journal.close())
    const reader = await openJournal(folder, { readOnly: true })
    expect(await all(reader.readAll())).toEqual(content)
    await must(reader.close())
    expect(await segmentsOf(folder)).toEqual(before)
  })

  test.each([
    [16 * KIB, {}],
    [4 * KIB, { indexEvery: 16 }],
    [4 * KIB, { chain: true }],
  ])('processes that end after a few segments of %d bytes do it as well: %j', async (segmentBytes, more) => {
    const folder = await newFolder(memory)
    let segments = 0
    for (let life = 0; life < 25; life++) {
      const worker = await new Worker(await openIn(folder, { segmentBytes, ...more }), 'worker/w', 20).resume()
      for (segments += 3; (await listSegments(folder)).length < segments; ) await worker.commit(10)
      await worker.whole()
      await must(worker.journal.close())
    }
    const journal = await openIn(folder, { segmentBytes, ...more })
    await soon(async () => expect(await taken(folder)).toBeLessThan(segments * BLOCK + 8 * segmentBytes + 64 * KIB))
    await (await new Worker(journal, 'worker/w', 20).resume()).whole()
  })

  test('opening again and again reads little of a log that was looked at', async () => {
    const folder = await newFolder(memory)
    const options = { ...SMALL, indexEvery: 16 }
    await neglected(folder, 30, options)
    const journal = await openIn(folder, options)
    await soon(async () => expect(await reclaimedTo(folder)).toBeGreaterThan(1))
    await must(journal.close())
    const all = (await segmentsOf(folder)).reduce((sum, { bytes }) => sum + bytes.length, 0)
    const read = countReads()
    for (let life = 0; life < 20; life++) {
      const worker = await new Worker(await openIn(folder, options), 'worker/w', 2).resume()
      await worker.commit(4)
      await must(worker.journal.close())
    }
    expect(read() / 20).toBeLessThan(all / 4)
  })
})

describe('K3 nothing depends on the note of the last one', () => {
  test.each([
    ['is gone', (note: string) => rm(note)],
    ['is cut short', (note: string) => truncate(note, 12)],
    ['is empty', (note: string) => truncate(note, 0)],
    ['is changed', (note: string) => writeFile(note, '00000000{"from":7}')],
    ['is a folder', (note: string) => rm(note).then(() => mkdir(note))],
  ])('that %s: all that is kept is there, and more is given back', async (_, spoil) => {
    const folder = await newFolder(memory)
    const worker = new Worker(await openIn(folder, SMALL), 'worker/w', 20)
    while ((await listSegments(folder)).length < 12) await worker.commit(10)
    await soon(async () => expect(await reclaimedTo(folder)).toBeGreaterThan(1))
    await must(worker.journal.close())
    await spoil(noteIn(folder))
    const again = await new Worker(await openIn(folder, SMALL), 'worker/w', 20).resume()
    await again.whole()
    while ((await listSegments(folder)).length < 24) await again.commit(10)
    await soon(async () => expect(await taken(folder)).toBeLessThan(24 * BLOCK + 6 * SMALL.segmentBytes))
    await again.whole()
  })
})

describe('K10 close', () => {
  test.each(['read', 'write'] as const)('ends one at its next %s, and the next opening goes on', async (call) => {
    const folder = await newFolder(memory)
    const options = { segmentBytes: 8 * KIB * KIB }
    const content = await neglected(folder, 3, options)
    const journal = await openIn(folder, { ...options, reclaim: false })
    const original = handles[call] as (...args: any) => Promise<any>
    let closing: Promise<void> | undefined
    let since = 0
    await must(journal.close())
    let started = false
    vi.spyOn(handles, call).mockImplementation(async function (this: FileHandle, ...args: any) {
      const answer = await original.apply(this, args)
      const bytes = answer.bytesRead ?? answer.bytesWritten
      if (closing !== undefined) since += bytes
      else if (started && bytes > 1000) closing = must(again.close())
      return answer
    } as any)
    const again = await openIn(folder, options)
    started = true
    await soon(() => expect(closing).toBeDefined())
    await closing
    expect(since).toBeLessThan(4 * KIB * KIB)
    expect((await readdir(folder)).filter((name) => name.endsWith('.new'))).toEqual([])
    expect(existsSync(noteIn(folder))).toBe(false)
    vi.restoreAllMocks()
    const third = await openIn(folder, options)
    await soon(async () => expect(await reclaimedTo(folder)).toBeGreaterThan(1))
    expect(await all(third.readAll())).toEqual(content)
  })
})

describe('one that fails', () => {
  test('is told once and tried again: an archive that was no folder', async () => {
    const folder = await newFolder()
    const archive = join(await newFolder(), 'archive')
    await writeFile(archive, 'no folder')
    const warnings: string[] = []
    const logger = { ...quiet, warn: (message: string) => warnings.push(message) }
    const worker = new Worker(await openIn(folder, { ...SMALL, logger, reclaim: { archive } }), 'worker/w', 20)
    while ((await listSegments(folder)).length < 20) await worker.commit(10)
    await soon(() => expect(warnings).toEqual([expect.stringContaining('could not be given back')]))
    expect(await reclaimedTo(folder)).toBe(0)
    await rm(archive)
    for (let segments = 20; segments < 50 && (await reclaimedTo(folder)) === 0; segments++)
      while ((await listSegments(folder)).length < segments) await worker.commit(10)
    await soon(async () => expect(await reclaimedTo(folder)).toBeGreaterThan(1))
    expect(warnings).toHaveLength(1)
    await worker.whole()
  })

  test('is told again for another cause, and after a success', async () => {
    const folder = await newFolder(memory)
    const mount = join(await newFolder(), 'mount')
    const archive = join(mount, 'archive')
    const warnings: unknown[] = []
    const logger = { ...quiet, warn: (_: string, { error }: any) => warnings.push(error.code) }
    const worker = new Worker(await openIn(folder, { ...SMALL, logger, reclaim: { archive } }), 'worker/w', 20)
    const until = async (holds: () => unknown) => {
      for (let segments = 0; segments < 100 && !(await holds()); segments++) {
        const { length } = await listSegments(folder)
        while ((await listSegments(folder)).length <= length) await worker.commit(10)
        await new Promise((resolve) => setTimeout(resolve, 20)) // the background's turn; it is waited for below
      }
      await soon(async () => expect(await holds()).toBe(true))
    }
    const away = async (code: string) => {
      await worker.journal.reclaim().catch(() => {}) // waits for one that is under way
      await rm(mount, { recursive: true })
      if (code === 'IO')
        await symlink('mount', mount) // ELOOP
      else await writeFile(mount, '')
    }
    await mkdir(mount)
    await away('IO')
    await until(() => warnings.length === 1)
    await away('FOLDER_MISSING')
    await until(() => warnings.length === 2)
    await worker.journal.reclaim().catch(() => {})
    await rm(mount)
    await until(async () => (await reclaimedTo(folder)) > 1)
    await away('FOLDER_MISSING')
    await until(() => warnings.length === 3)
    expect(warnings).toEqual(['IO', 'FOLDER_MISSING', 'FOLDER_MISSING'])
  })

  test.each(['before it reads', 'when the first copy is made'])(
    'K9 is tried again less and less often, and reads little meanwhile: an archive that fails %s',
    async (when) => {
      const folder = await newFolder(memory)
      const archive = join(await newFolder(), 'archive')
      const journal = await openIn(folder, { ...SMALL, reclaim: { archive } })
      await (when === 'before it reads'
        ? symlink('archive', archive)
        : mkdir(join(archive, `${segmentName(1)}.new`), { recursive: true }))
      const read = countReads()
      await add(journal, 'trimmed', 0, 'x', 'x')
      await must(journal.trim('trimmed', 2))
      let seq = 0
      for (let segments = 2; segments <= 64; segments++) {
        while ((await listSegments(folder)).length < segments) {
          await add(journal, 'kept', seq, ...Array(10).fill('k'.repeat(200)))
          seq += 10
        }
        await new Promise((resolve) => setTimeout(resolve, 10)) // an attempt's turn, where one was due
      }
      await must(journal.close())
      expect(read()).toBeLessThan(when === 'before it reads' ? SMALL.segmentBytes : 4 * 64 * SMALL.segmentBytes)
    },
  )

  test.skipIf(noSmallDisk !== undefined)(
    'for want of space: appends go on, and it works once there is some',
    async () => {
      const disk = await smallDisk('size=2m')
      const folder = join(disk, 'journal')
      const segmentBytes = 64 * KIB
      const warnings: string[] = []
      const logger = { ...quiet, warn: (message: string) => warnings.push(message) }
      await neglected(folder, 5, { segmentBytes })
      const filler = await open(join(disk, 'filler'), 'w')
      for (let full = false; !full; )
        full = await filler.write(Buffer.alloc(BLOCK)).then(
          () => false,
          () => true,
        )
      // room for the lock and some appends, none for the records that are kept of a segment, each in a block of its own
      await filler.truncate((await filler.stat()).size - 5 * BLOCK)
      await filler.close()
      const journal = await openIn(folder, { segmentBytes, logger, indexEvery: 1 << 20 })
      await soon(() => expect(warnings).toEqual([expect.stringContaining('could not be given back')]))
      const worker = new Worker(journal, 'worker/w', 2)
      for (let commits = 0; commits < 5; commits++) await worker.commit(1)
      await rm(join(disk, 'filler'))
      const { length } = await listSegments(folder)
      while ((await listSegments(folder)).length < length + 2) await worker.commit(10)
      await soon(async () => expect(await reclaimedTo(folder)).toBeGreaterThan(1))
      expect(warnings).toHaveLength(1)
      await worker.whole()
    },
  )
})

describe('beside it', () => {
  test('calls by hand wait for it, and for one another', async () => {
    const folder = await newFolder()
    const content = await neglected(folder, 8)
    const journal = await openIn(folder, SMALL)
    const byHand = await Promise.all([journal.reclaim(), journal.reclaim()])
    for (const reclaimed of byHand) expect(reclaimed).toEqual({ bytes: 0, segments: 0, archived: 0 })
    expect(await reclaimedTo(folder)).toBeGreaterThan(1)
    expect(await all(journal.readAll())).toEqual(content)
  })

  test('a reader in the folder sees what it saw, or that it was dropped', async () => {
    const folder = await newFolder(memory)
    const worker = new Worker(await openIn(folder, SMALL), 'worker/w', 20)
    await worker.commit(10)
    const reader = await openJournal(folder, { readOnly: true })
    for (let segments = 2; segments < 30; segments++) {
      while ((await listSegments(folder)).length < segments) await worker.commit(10)
      for (const { seq, text } of await all(reader.read('worker/w'))) expect(text).toBe(worker.textOf(seq))
      const positions = (await all(reader.readAll())).map(({ position }) => position)
      expect(positions).toEqual(positions.toSorted((one, other) => one - other))
    }
    expect(await reclaimedTo(folder)).toBeGreaterThan(1)
    await must(reader.close())
  })

  test('an archive gets each segment before it loses something, also from a call by hand', async () => {
    const folder = await newFolder()
    const archive = join(await newFolder(), 'archive')
    const content = await neglected(folder, 8)
    const before = await segmentsOf(folder)
    const options = { ...SMALL, reclaim: { archive } }
    const journal = await openIn(folder, options)
    await soon(async () => expect(await reclaimedTo(folder)).toBeGreaterThan(1))
    const archived = await segmentsOf(archive)
    expect(archived).toHaveLength(before.length - 1)
    for (const [number, { bytes }] of archived.entries()) expect(bytes.equals(before[number]!.bytes)).toBe(true)
    const last = content.at(-1)!
    await must(journal.trim('kept', 5))
    await add(journal, last.stream, last.seq, 'x'.repeat(SMALL.segmentBytes), 'x')
    const { archived: more } = await journal.reclaim()
    expect((await segmentsOf(archive)).length).toBe(archived.length + more)
    await must(journal.close())
    const then = join(await newFolder(), 'then')
    await restoreJournal(archive, then, { until: 110 })
    const restored = await all((await openIn(then, { reclaim: false })).readAll())
    expect(restored.map(({ position }) => position)).toEqual(Array.from({ length: 110 }, (_, at) => at + 1))
  })
})

describe('K7 the archive of a journal that was restored from a backup', () => {
  const options = { segmentBytes: 4 * KIB }
  const textOf = (who: string, seq: number, length: number) => `${who} ${seq} `.padEnd(length, 'x')

  /** A journal whose archive goes beyond its backup, and another that was restored from that and went another way. */
  async function forked(length: number) {
    const [folder, archive, backup, restored] = await Promise.all([1, 2, 3, 4].map(() => newFolder(memory)))
    const run = async (journal: FileJournal, who: string, from: number, to: number, length: number) => {
      for (let seq = from; seq < to; seq++) await add(journal, 's', seq, textOf(who, seq + 1, length))
    }
    const first = await openIn(folder!, { ...options, reclaim: false })
    await run(first, 'one', 0, 50, 200)
    await first.backup(backup!)
    await run(first, 'one', 50, 200, 200)
    await must(first.trim('s', 190))
    await run(first, 'one', 200, 300, 200)
    expect((await first.reclaim({ archive: archive! })).archived).toBeGreaterThan(5)
    await must(first.close())
    await restoreJournal(backup!, restored!)
    const second = await openIn(restored!, { ...options, reclaim: false })
    await run(second, 'TWO', 50, 200, length)
    await must(second.trim('s', 190))
    await run(second, 'TWO', 200, 300, length)
    await must(second.close())
    return { folder: restored!, archive: archive! }
  }

  const held = async (...folders: string[]) =>
    Buffer.concat((await Promise.all(folders.map(segmentsOf))).flat().map(({ bytes }) => bytes))

  test.each([
    ['of the same length', 200],
    ['of another length', 230],
  ])('is refused for what came since, %s: nothing is lost, and another folder gets it', async (_, length) => {
    const { folder, archive } = await forked(length)
    const before = await segmentsOf(archive)
    const journal = await openIn(folder, { ...options, reclaim: false })
    await expect(journal.reclaim({ archive })).rejects.toMatchObject({
      code: 'BACKUP_MISMATCH',
      message: expect.stringContaining('another history'),
      where: { file: expect.stringContaining(archive) },
      hint: expect.stringContaining('another archive folder'),
    })
    expect(await segmentsOf(archive)).toEqual(before)
    const other = await newFolder(memory)
    for (const there of [
      [folder, archive],
      [folder, archive, other],
    ]) {
      const bytes = await held(...there)
      for (let seq = 1; seq <= 300; seq++)
        expect(bytes.includes(seq <= 50 ? textOf('one', seq, 200) : textOf('TWO', seq, length))).toBe(true)
      if (there.length === 2) expect((await journal.reclaim({ archive: other })).segments).toBeGreaterThan(3)
    }
  })

  test('is told once, and by itself nothing is tried again until the journal is opened again', async () => {
    const { folder, archive } = await forked(200)
    const warnings: unknown[] = []
    const logger = { ...quiet, warn: (message: string, { error }: any) => warnings.push([message, error.code]) }
    const before = await segmentsOf(archive)
    for (const times of [1, 2]) {
      const journal = await openIn(folder, { ...options, logger, reclaim: { archive } })
      await soon(() => expect(warnings).toHaveLength(times))
      const read = countReads()
      let seq = (await journal.head('s'))!.seq
      for (const end = seq + 200; seq < end; seq++) await add(journal, 's', seq, textOf('TWO', seq + 1, 200))
      await must(journal.close())
      expect(read()).toBeLessThan(options.segmentBytes)
      vi.restoreAllMocks()
    }
    expect(warnings[0]).toEqual([expect.stringContaining('opened again'), 'BACKUP_MISMATCH'])
    expect(await segmentsOf(archive)).toEqual(before)
  })
})

test.each<[string, (folder: string) => unknown]>([
  ['a number', () => 1],
  ['a text', () => 'yes'],
  ['a list', () => []],
  ['an archive without a name', () => ({ archive: '' })],
  ["an archive in the journal's own folder", (archive) => ({ archive })],
  ['a misspelled name', () => ({ archve: './archive' })],
])('K8 %s is refused as BAD_OPTION, and nothing is changed', async (_, given) => {
  const folder = await newFolder()
  await expect(openIn(folder, { reclaim: given(folder) as never })).rejects.toMatchObject({ code: 'BAD_OPTION' })
  expect(await readdir(folder)).toEqual([])
})
