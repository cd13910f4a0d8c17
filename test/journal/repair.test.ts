// K7: a repair makes a damaged journal one that can be opened, loses nothing before the first damage, leaves of each stream
// its beginning, and keeps all that it takes out.
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkJournal, type RepairLosses, repairJournal, type StoredRecord } from '../../src/journal/index.ts'
import { add, all, must } from '../../src/testing/journal/case.ts'
import { type Damaging, damagedAt, damages, type SegmentFile, sample } from './damage.ts'
import { newFolder, openIn, replaceSegments, segmentsOf } from './folder.ts'

/** What a journal holds, without an index; it takes appends as before. */
async function readOf(folder: string): Promise<StoredRecord[]> {
  const journal = await openIn(folder)
  const records = await all(journal.readAll())
  const last = new Map(records.map(({ stream, seq }) => [stream, seq]))
  for (const stream of ['a', 'b', 'c', 'd']) await add(journal, stream, last.get(stream) ?? 0, 'more')
  await must(journal.close())
  return records
}

/** Each stream is a true beginning of what it was, at its old positions where they are known for certain. */
function expectPrefixes(found: readonly StoredRecord[], written: readonly StoredRecord[]): void {
  for (const name of ['a', 'b', 'c']) {
    const was = written.filter(({ stream }) => stream === name)
    const is = found.filter(({ stream }) => stream === name)
    expect(is.map(({ text }) => text)).toEqual(was.slice(0, is.length).map(({ text }) => text))
  }
  const positions = found.map(({ position }) => position)
  expect(positions).toEqual(positions.toSorted((one, other) => one - other))
}

/** All bytes that a repair has put into quarantine. */
async function keptIn(folders: readonly string[]): Promise<Buffer[]> {
  const files = await Promise.all(
    folders.map(async (folder) => (await readdir(folder)).map((name) => join(folder, name))),
  )
  return Promise.all(files.flat().map((file) => readFile(file)))
}

describe('K7 quarantine', () => {
  test('a flipped bit, at every 97th byte: all other instances are complete, and positions stay', async () => {
    const { folder, records, segments, last } = await sample()
    const size = segments.reduce((sum, { bytes }) => sum + bytes.length, 0)
    for (let at = 0; at < size; at += 97) {
      const [hit, offset, changed] = damagedAt(segments, at)
      await replaceSegments(folder, changed)
      const before = await checkJournal(folder)
      if (before.sound) {
        expect(hit).toBe(last)
        continue
      }
      const report = await repairJournal(folder, { how: 'quarantine' })
      expect(report).toMatchObject({ repaired: true, damages: before.damages })
      expect(await checkJournal(folder), `byte ${at}`).toMatchObject({ sound: true, damages: [] })
      const found = await readOf(folder)
      if (offset < 32) expect(found).toEqual(records)
      else {
        const lost = before.damages[0]!.from!
        const { stream, seq } = records[lost - 1]!
        // an append of several records is there as a whole or not at all
        const from = stream === 'c' ? 1 : seq
        expect(found).toEqual(records.filter((one) => one.stream !== stream || one.seq < from))
        const isLast = from === 40 || stream === 'c'
        expect(report).toMatchObject({ lost: isLast ? [] : [{ stream, from }], lostIsAll: false })
      }
    }
  })

  test('a segment that is missing becomes a hole of its positions', async () => {
    const { folder, records, segments } = await sample()
    for (const [number, missing] of segments.slice(0, -1).entries()) {
      await replaceSegments(
        folder,
        segments.filter((one) => one !== missing),
      )
      const { damages } = await checkJournal(folder)
      expect(damages).toMatchObject([{ kind: 'missing', exact: true }])
      const { from, to } = damages[0]!
      await repairJournal(folder, { how: 'quarantine' })
      expect((await segmentsOf(folder))[number]!.bytes.length).toBe(56)
      expect((await checkJournal(folder)).sound).toBe(true)
      const found = await readOf(folder)
      const cut = new Map<string, number>()
      for (const { stream, seq } of records.slice(from! - 1, to)) cut.set(stream, Math.min(seq, cut.get(stream) ?? seq))
      expect(found).toEqual(records.filter(({ stream, seq }) => seq < (cut.get(stream) ?? Number.POSITIVE_INFINITY)))
    }
  })

  test('whatever happened: what is left can be opened, is a beginning of each stream, and nothing before is lost', async () => {
    const { folder, records, segments } = await sample()
    await fc.assert(
      fc.asyncProperty(damages(segments.length), async (list: Damaging[]) => {
        const changed = list.reduce((now, damage) => damage(now), segments)
        await replaceSegments(folder, changed)
        const before = await checkJournal(folder)
        const report = await repairJournal(folder, { how: 'quarantine' })
        expect(report.repaired).toBe(!before.sound)
        expect((await checkJournal(folder)).damages).toEqual([])
        const found = await readOf(folder)
        expectPrefixes(found, records)
        expectUntouched(before.damages, found, records)
      }),
      { numRuns: process.env.DURAMEN_SOAK === '1' ? 1000 : 40 },
    )
  })
})

/** All records of streams that have no record behind the first damage, and all before it. */
function expectUntouched(
  damages: readonly { kind: string; file: string; offset: number; from?: number }[],
  found: readonly StoredRecord[],
  written: readonly StoredRecord[],
): void {
  const first = Math.min(...damages.map(({ from = 1 }) => from))
  if (!Number.isFinite(first)) return
  const before = written.filter(({ position, stream }) => position < first && stream !== 'c')
  expect(found.slice(0, before.length)).toEqual(before)
}

describe('K7 cut', () => {
  test('whatever happened: all before the first damage is kept, all behind it is in quarantine', async () => {
    const { folder, records, segments } = await sample()
    await fc.assert(
      fc.asyncProperty(damages(segments.length), async (list: Damaging[]) => {
        const changed: SegmentFile[] = list.reduce((now, damage) => damage(now), segments)
        await replaceSegments(folder, changed)
        const before = await checkJournal(folder)
        const report = await repairJournal(folder, { how: 'cut' })
        expect((await checkJournal(folder)).damages).toEqual([])
        const left = await segmentsOf(folder)
        for (const { file, bytes } of changed) {
          const now = left.find((one) => one.file === file)?.bytes
          if (now?.subarray(32).equals(bytes.subarray(32))) continue
          const cut = now === undefined ? bytes : bytes.subarray(now.length)
          const kept = await keptIn(report.quarantine)
          if (before.torn?.file !== file) expect(kept.some((one) => one.includes(cut))).toBe(true)
        }
        const found = await readOf(folder)
        expect(found).toEqual(records.slice(0, found.length))
        expectUntouched(before.damages, found, records)
      }),
      { numRuns: process.env.DURAMEN_SOAK === '1' ? 1000 : 40 },
    )
  })
})

test('asks before it changes anything', async () => {
  const { folder, segments } = await sample()
  const [, , changed] = damagedAt(segments, 200)
  await replaceSegments(folder, changed)
  let asked: unknown
  const confirm = (losses: unknown) => {
    asked = losses
    return false
  }
  const report = await repairJournal(folder, { how: 'quarantine', confirm })
  expect(report).toMatchObject({ repaired: false, quarantine: [] })
  expect(asked).toMatchObject({ records: expect.any(Number), lost: [{ stream: expect.any(String) }] })
  expect(await segmentsOf(folder)).toEqual(changed)
  await rm(join(folder, 'index'), { recursive: true, force: true })
})

test('K7 a disk that goes on lying: what more is to be given up is asked for, too, and the report has the sum', async () => {
  const { folder, segments, records } = await sample()
  const [, , once] = damagedAt(segments, 200)
  /** A record of the stream that has lost nothing so far. */
  const flip = async ({ lost: [stream] }: RepairLosses) => {
    const text = stream!.stream === 'a' ? 'b30' : 'a30'
    const { file, bytes } = (await segmentsOf(folder)).find((one) => one.bytes.includes(text))!
    bytes[bytes.indexOf(text)]! ^= 128
    await writeFile(file, bytes)
  }
  const run = async (answers: boolean[]) => {
    await replaceSegments(folder, once)
    const asked: RepairLosses[] = []
    const confirm = async (losses: RepairLosses) => {
      if (asked.push(losses) === 1) await flip(losses)
      return answers[asked.length - 1]!
    }
    return { asked, report: await repairJournal(folder, { how: 'quarantine', confirm }) }
  }

  const half = await run([true, false])
  expect(half.asked).toHaveLength(2)
  const [first, second] = half.asked as [RepairLosses, RepairLosses]
  expect(half.report).toMatchObject({ ...first, repaired: true, declined: second, quarantine: { length: 1 } })
  expect(await checkJournal(folder)).toMatchObject({ sound: false, damages: second.damages })

  const { report } = await run([true, true])
  expect(report).toMatchObject({
    records: first.records + second.records,
    bytes: first.bytes + second.bytes,
    damages: [...first.damages, ...second.damages],
    quarantine: { length: 2 },
  })
  expect(report).not.toHaveProperty('declined')
  expect(new Set(report.lost.map(({ stream }) => stream)).size).toBe(report.lost.length)
  const found = await readOf(folder)
  for (const { stream, from } of report.lost) {
    expect(found.filter((one) => one.stream === stream)).toHaveLength(from - 1)
    expect(records.filter((one) => one.stream === stream).length).toBeGreaterThanOrEqual(from)
  }
})

test.each([1, 30])(
  'K7 the only header of a journal is nonsense: %i records are as they were, its salt comes of their checksums',
  async (count) => {
    const folder = await newFolder()
    const journal = await openIn(folder)
    for (let seq = 0; seq < count; seq++) await add(journal, 'a', seq, `a${seq}`)
    const records = await all(journal.readAll())
    await must(journal.close())
    const [segment] = await segmentsOf(folder)
    const { file, bytes } = segment!
    const damaged = Buffer.from(bytes).fill(7, 8, count === 1 ? 28 : 32)
    await replaceSegments(folder, [{ file, bytes: damaged }])
    await expect(openIn(folder)).rejects.toMatchObject({ code: 'JOURNAL_DAMAGED' })
    expect(await repairJournal(folder, { how: 'quarantine' })).toMatchObject({ repaired: true, records: 0, lost: [] })
    expect(await segmentsOf(folder)).toEqual([segment])
    expect(await readOf(folder)).toEqual(records)
  },
)

test('does nothing to a sound journal, and is refused while a process writes', async () => {
  const { folder, segments } = await sample()
  expect(await repairJournal(folder, { how: 'cut' })).toMatchObject({ repaired: false, quarantine: [], records: 0 })
  expect(await segmentsOf(folder)).toEqual(segments)
  await openIn(folder)
  await expect(repairJournal(folder, { how: 'cut' })).rejects.toMatchObject({ code: 'LOCKED' })
})

test('K7 leaves alone what is not its own, under whatever name', async () => {
  const { folder, segments } = await sample()
  const files = ['quarantine-mine/plan.json', 'quarantine-20260101T000000Z/mine', 'index/mine', 'snapshots/mine']
  for (const file of files) {
    await mkdir(dirname(join(folder, file)), { recursive: true })
    await writeFile(join(folder, file), '{}')
  }
  expect(await repairJournal(folder, { how: 'cut' })).toMatchObject({ repaired: false })
  await writeFile(segments[1]!.file, segments[1]!.bytes.fill(0, 50, 60))
  expect(await repairJournal(folder, { how: 'quarantine' })).toMatchObject({ repaired: true })
  await readOf(folder)
  for (const file of files) expect(await readFile(join(folder, file), 'utf8')).toBe('{}')
})
