// K7: a check finds every place at which a journal is not as it was written, and says what it has cost.
import { renameSync } from 'node:fs'
import { cp, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkJournal, fileJournal, repairJournal } from '../../src/journal/index.ts'
import { add, must } from '../../src/testing/journal/case.ts'
import { type Damaging, damagedAt, damages, sample } from './damage.ts'
import { newFolder, openIn, quiet, replaceSegments, segmentsOf } from './folder.ts'

/** Opens without an index: what was cut, or the refusal. */
async function opening(folder: string) {
  await rm(join(folder, 'index'), { recursive: true, force: true })
  try {
    const journal = await fileJournal(folder, { logger: quiet })
    await must(journal.close())
    return { torn: journal.torn }
  } catch (error) {
    return { refused: error }
  }
}

describe('K7 a check', () => {
  test('finds nothing in a sound journal, and counts what it holds', async () => {
    const { folder, records, segments } = await sample()
    const report = await checkJournal(folder)
    expect(report).toMatchObject({
      sound: true,
      damages: [],
      lost: [],
      lostIsAll: true,
      torn: undefined,
      leftovers: [],
    })
    const bytes = segments.reduce((sum, one) => sum + one.bytes.length, 0)
    expect(report.usage).toEqual({
      segments: segments.length,
      bytes,
      last: records.length,
      records: records.length,
      streams: 3,
      trimmedBytes: 0,
    })
  })

  test('a flipped bit, at every 97th byte: names the place, and nothing else', async () => {
    const { folder, segments, last } = await sample()
    const size = segments.reduce((sum, { bytes }) => sum + bytes.length, 0)
    for (let at = 0; at < size; at += 97) {
      const [hit, offset, changed] = damagedAt(segments, at)
      await replaceSegments(folder, changed)
      const report = await checkJournal(folder)
      if (report.torn !== undefined) expect(hit).toBe(last)
      else {
        expect(report.damages, `byte ${at}`).toHaveLength(1)
        const [damage] = report.damages
        expect(damage).toMatchObject({
          kind: offset < 32 ? expect.stringMatching(/header|foreign/) : 'frame',
          file: hit.file,
        })
        expect(damage!.offset).toBeLessThanOrEqual(offset)
        expect(damage!.offset + damage!.bytes).toBeGreaterThan(offset)
        if (offset >= 32) expect(damage).toMatchObject({ exact: true, from: damage!.to })
      }
      for (const { file, bytes } of changed) expect((await readFile(file)).equals(bytes)).toBe(true)
    }
  })

  test('whatever happened: finds something if and only if opening without an index refuses or cuts', async () => {
    const { folder, segments } = await sample()
    await fc.assert(
      fc.asyncProperty(damages(segments.length), async (list: Damaging[]) => {
        const changed = list.reduce((now, damage) => damage(now), segments)
        await replaceSegments(folder, changed)
        const report = await checkJournal(folder)
        const opened = await opening(folder)
        expect({ damaged: !report.sound, torn: report.torn }).toEqual({
          damaged: 'refused' in opened,
          torn: 'refused' in opened ? report.torn : opened.torn,
        })
      }),
      { numRuns: process.env.DURAMEN_SOAK === '1' ? 2000 : 80 },
    )
  })

  test('finds several damages at once, with the positions of each, and what they cost', async () => {
    const { folder, records, segments } = await sample()
    const flip = (number: number, position: number) => {
      const { text } = records[position - 1]!
      const bytes = Buffer.from(segments[number]!.bytes)
      bytes[bytes.indexOf(text)]! ^= 1
      return { file: segments[number]!.file, bytes }
    }
    await replaceSegments(folder, [flip(0, 5), ...segments.slice(1, -1), flip(segments.length - 1, 79)])
    const { damages, lost } = await checkJournal(folder)
    expect(damages.map(({ kind, from, to }) => [kind, from, to])).toEqual([
      ['frame', 5, 5],
      ['frame', 79, 79],
    ])
    const fifth = records[4]!
    expect(lost).toEqual([{ stream: fifth.stream, from: fifth.seq }])
  })

  test('a page of zeros, and a segment in the middle that is shorter: positions from the segment behind', async () => {
    const folder = await newFolder()
    const journal = await openIn(folder, { segmentBytes: 1 << 16 })
    for (let seq = 0; seq < 60; seq++) await add(journal, `s/${seq % 3}`, Math.floor(seq / 3), 'x'.repeat(3000))
    await must(journal.close())
    const segments = await segmentsOf(folder)
    const [first, second, ...rest] = segments
    const zeroed = Buffer.from(first!.bytes).fill(0, 8192, 12_288)
    await replaceSegments(folder, [
      { ...first!, bytes: zeroed },
      { ...second!, bytes: second!.bytes.subarray(0, 20_000) },
      ...rest,
    ])
    const { damages, lost } = await checkJournal(folder)
    expect(damages).toMatchObject([
      { kind: 'frame', file: first!.file, from: 3, to: 5, exact: true },
      { kind: 'frame', file: second!.file, from: 28, to: 42, exact: true },
    ])
    expect(lost.map(({ stream, from }) => `${stream} ${from}`).sort()).toEqual(['s/0 2', 's/1 2', 's/2 1'])
  })

  test('asks the index for positions, and for streams that have lost just their last records', async () => {
    const folder = await newFolder()
    const journal = await openIn(folder, { indexEvery: 16 })
    for (let number = 1; number <= 64; number++) await add(journal, `s/${number}`, 0, `text ${number}`)
    await must(journal.close())
    const [{ file, bytes }] = (await segmentsOf(folder)) as [{ file: string; bytes: Buffer }]
    const [from, to] = [bytes.indexOf('s/10'), bytes.indexOf('text 12')]
    await writeFile(file, Buffer.from(bytes).fill(0, from, to))
    const known = await checkJournal(folder)
    expect(known.damages).toMatchObject([{ kind: 'frame', from: 10, to: 12, exact: true }])
    expect(known.lost.toSorted((one, other) => (one.stream < other.stream ? -1 : 1))).toEqual([
      { stream: 's/10', from: 1 },
      { stream: 's/11', from: 1 },
      { stream: 's/12', from: 1 },
    ])
    expect(known.lostIsAll).toBe(true)
    await rm(join(folder, 'index'), { recursive: true })
    const unknown = await checkJournal(folder)
    expect(unknown).toMatchObject({ lost: [], lostIsAll: false, damages: [{ from: 10, exact: false }] })
  })

  test('a journal that ends before a record that its index knows is damaged, however it ends', async () => {
    const folder = await newFolder()
    const journal = await openIn(folder, { indexEvery: 16 })
    for (let seq = 0; seq < 16; seq++) await add(journal, 's/1', seq, `text ${seq}`)
    await must(journal.close())
    const [{ file, bytes }] = (await segmentsOf(folder)) as [{ file: string; bytes: Buffer }]
    for (const end of [bytes.length - 1, bytes.indexOf('text 14') - 30]) {
      await writeFile(file, bytes.subarray(0, end))
      const { damages, lost } = await checkJournal(folder)
      expect(damages).toMatchObject([{ kind: 'end', to: 16 }])
      expect(lost).toEqual([{ stream: 's/1', from: damages[0]!.from }])
    }
  })

  test('a text that holds the bytes of frames is text, also behind a damaged place', async () => {
    const folder = await newFolder()
    // until the checksum of the copied frame has no byte that UTF-8 would change
    for (let tries = 0; ; tries++) {
      const journal = await openIn(folder)
      await Promise.all([add(journal, 's/1', 0, 'one'), add(journal, 's/2', 0, 'two')])
      const bytes = (await segmentsOf(folder))[0]!.bytes
      const start = bytes.indexOf('s/2') - 24
      const copied = bytes.subarray(start, start + 24 + 's/2two'.length)
      if (tries > 2000) throw new Error('no such checksum')
      if (copied.some((byte) => byte > 127)) {
        await must(journal.close())
        await rm(folder, { recursive: true })
        continue
      }
      const text = copied.toString('latin1')
      await Promise.all([add(journal, 's/3', 0, `${'.'.repeat(40)}${text}`), add(journal, 's/4', 0, 'four')])
      await add(journal, 's/5', 0, 'five')
      await must(journal.close())
      break
    }
    const [{ file, bytes }] = (await segmentsOf(folder)) as [{ file: string; bytes: Buffer }]
    const damaged = Buffer.from(bytes)
    damaged[bytes.indexOf('s/3') - 24]! ^= 4 // its length
    await writeFile(file, damaged)
    await rm(join(folder, 'index'), { recursive: true, force: true })
    const report = await checkJournal(folder)
    expect(report.damages).toMatchObject([{ kind: 'frame', from: 3, offset: bytes.indexOf('s/3') - 24 }])
    expect(report.damages[0]!.bytes).toBe(bytes.indexOf('s/4') - bytes.indexOf('s/3'))
    expect(report.usage.records).toBe(4)
  })

  test('beside the process that writes: looks at what is committed, names the process, and changes nothing', async () => {
    const folder = await newFolder()
    const journal = await openIn(folder)
    let seq = 0
    const writing = (async () => {
      while (seq < 400) {
        await add(journal, 's/1', seq, 'x'.repeat(500))
        seq++
      }
    })()
    while (seq < 400) {
      const before = seq
      const report = await checkJournal(folder)
      expect(report).toMatchObject({ sound: true, torn: undefined, writer: { pid: process.pid, alive: true } })
      expect(report.usage.records).toBeGreaterThanOrEqual(Math.min(before, report.usage.records))
    }
    await writing
    await must(journal.close())
    expect((await checkJournal(folder)).usage.records).toBe(400)
  })

  test('beside a reclaim: what is given up while it reads is no damage', async () => {
    const [folder, after] = [await newFolder(), await newFolder()]
    const options = { segmentBytes: 1024 }
    let journal = await openIn(folder, options)
    for (let seq = 0; seq < 40; seq++) {
      await Promise.all([add(journal, 'a', seq, `a${seq} ${'x'.repeat(100)}`), add(journal, 'b', seq, `b${seq}`)])
    }
    await must(journal.trim('a', 39))
    await add(journal, 'b', 40, 'x'.repeat(1024))
    await must(journal.close())
    await cp(folder, after, { recursive: true })
    journal = await openIn(after, options)
    await journal.reclaim()
    await must(journal.close())
    const names = (await segmentsOf(folder)).map(({ file }) => basename(file))
    const replaced: string[] = []
    const onProgress = (bytes: number) => {
      if (bytes <= 1024 || replaced.length > 0) return
      replaced.push(...names)
      for (const name of names) renameSync(join(after, name), join(folder, name))
    }
    expect(await checkJournal(folder, { onProgress })).toMatchObject({ sound: true, damages: [] })
    expect(replaced.length).toBeGreaterThan(3)
  })

  test('tells of records that are no commits, of files that are none of its own, and how far it is', async () => {
    const folder = await newFolder()
    const journal = await openIn(folder)
    await add(
      journal,
      's/1',
      0,
      '{"stream":"s/1","seq":1,"at":1,"kind":"start","version":1}\n{}\nj1',
      'nonsense',
      'more',
    )
    await must(journal.trim('s/1', 3))
    await must(journal.close())
    await writeFile(join(folder, 'notes.txt'), '')
    const steps: [number, number][] = []
    const report = await checkJournal(folder, { onProgress: (...step) => void steps.push(step) })
    expect(report).toMatchObject({
      sound: true,
      notCommits: { count: 2, stream: 's/1', seq: 2 },
      leftovers: [join(folder, 'notes.txt')],
    })
    expect(report.usage.trimmedBytes).toBeGreaterThan(50)
    expect(steps.at(-1)).toEqual([report.usage.bytes, report.usage.bytes])
  })

  test('takes the holes of a repair for what they are: the chain of hashes is broken there, nothing was changed', async () => {
    const folder = await newFolder()
    const journal = await openIn(folder, { chain: true, segmentBytes: 2048 })
    for (let seq = 0; seq < 40; seq++) {
      await Promise.all(['a', 'b', 'c'].map((stream) => add(journal, stream, seq, `text ${stream} ${seq}`)))
    }
    await must(journal.close())
    const [first, ...others] = await segmentsOf(folder)
    const bytes = Buffer.from(first!.bytes)
    bytes[bytes.indexOf('text b 3')]! ^= 1
    await replaceSegments(folder, [{ file: first!.file, bytes }, ...others])
    await repairJournal(folder, { how: 'quarantine' })
    const { sound, chain } = await checkJournal(folder)
    expect(sound).toBe(true)
    expect([...new Set(chain!.broken.map(({ what }) => what))]).toEqual(['what was before was given up'])
    const again = await openIn(folder)
    await add(again, 'd', 0, 'more')
    await must(again.close())
    expect((await checkJournal(folder)).sound).toBe(true)
  })
})
