// The chain of hashes: whatever was changed before a noted end is found, however well the checksums were made right again.
import fs from 'node:fs'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { type ChainHead, type ChainReport, ChainVerifier, hashOfGroup } from '../../src/journal/file/segments/chain.ts'
import { crc } from '../../src/journal/file/segments/crc.ts'
import {
  decodeFrame,
  decodeHeader,
  encodeHole,
  frameEnd,
  HEADER_BYTES,
  marksOf,
  writeLink,
} from '../../src/journal/file/segments/format.ts'
import { checkJournal, type FileJournal, fileJournal } from '../../src/journal/index.ts'
import { add, all, must, refused } from '../../src/testing/journal/case.ts'
import { copyJournal, newFolder, openIn, quiet, replaceSegments, segmentsOf } from './folder.ts'

interface File {
  readonly file: string
  readonly bytes: Buffer
}

/** Where frames are; undefined where lengths lead beyond the end. */
function framesOf(bytes: Buffer): { at: number; end: number }[] | undefined {
  const found = []
  for (let at = HEADER_BYTES; at < bytes.length && bytes.readUInt32LE(at) !== 0; ) {
    const end = at + 24 <= bytes.length ? frameEnd(bytes, at) : undefined
    if (end === undefined || end > bytes.length) return undefined
    found.push({ at, end })
    at = end
  }
  return found
}

/** What there is to say of the chain of these segments; a text where they are not as they were written. */
function verify(segments: readonly File[], expected?: ChainHead): ChainReport | string {
  const verifier = new ChainVerifier(expected)
  let position = 0
  for (const { bytes } of segments) {
    const header = decodeHeader(bytes)
    const frames = framesOf(bytes)
    if (typeof header === 'string') return header
    if (header.first !== position + 1) return 'positions are missing'
    if (frames === undefined) return 'a length leads nowhere'
    verifier.segment(bytes.subarray(0, HEADER_BYTES))
    for (const { at, end } of frames) {
      const frame = decodeFrame(bytes, at, end, header.salt, at)
      if (frame === undefined) return 'a frame is not as it was written'
      position += frame.hole ? frame.seq : 1
      verifier.frame(frame, bytes, at, end, position)
    }
  }
  return verifier.end()
}

/** Makes all checksums right again, and with `link` the chain as well; whether that can be done. */
function forge(segments: readonly File[], link: boolean): boolean {
  let before = Buffer.alloc(32)
  for (const { bytes } of segments) {
    bytes.writeUInt32LE(crc(bytes, 0, 28, 0), 28)
    const frames = framesOf(bytes)
    if (frames === undefined) return false
    let group = hashOfGroup(undefined)
    for (const { at, end } of frames) {
      const { first, hole, chained } = marksOf(bytes, at)
      if (first && at > HEADER_BYTES) before = group.digest() as Buffer<ArrayBuffer>
      if (first) group = hashOfGroup(at === HEADER_BYTES ? bytes.subarray(0, HEADER_BYTES) : undefined)
      if (link && first && chained && end - at >= 56 + bytes.readUInt16LE(at + 22)) {
        writeLink(bytes.subarray(at), before)
      }
      const salt = bytes.readUInt32LE(12)
      const sum = crc(bytes, at + 8, hole ? at + 24 : end, first ? (salt + at) % 2 ** 32 : salt)
      bytes.writeUInt32LE(sum, at + 4)
      group.update(bytes.subarray(at, end))
    }
    before = group.digest() as Buffer<ArrayBuffer>
  }
  return true
}

const expectBad = (call: Promise<unknown>) => expect(call).rejects.toMatchObject({ code: 'BAD_OPTION' })

const copies = (segments: readonly File[]) => segments.map(({ file, bytes }) => ({ file, bytes: Buffer.from(bytes) }))

/** Some groups of every kind: of one append, of several, with refused ones in front, with a trim in front, in segments. */
async function fill(journal: FileJournal, rounds = 6, from = 0) {
  for (let round = from; round < from + rounds; round++) {
    const seq = round * 3
    await add(journal, 'alone', seq, 'a', 'bé', `round ${round}`)
    await Promise.all([
      refused(journal.append({ stream: 'alone', expected: 1e6, texts: ['late'] })),
      ...['x', 'y', 'z'].map((stream) => add(journal, stream, round, `${stream} ${round}`)),
    ])
    if (round > 0) await Promise.all([must(journal.trim('x', round + 1)), add(journal, 'trims', round - 1, '')])
    expect(await refused(journal.append({ stream: 'alone', expected: 1e6, texts: ['too late'] }))).toBe('CONFLICT')
  }
}

/** A closed chained journal, and its noted end. */
async function sample(options = {}) {
  const folder = await newFolder()
  const journal = await openIn(folder, { chain: true, segmentBytes: 1024, ...options })
  expect(journal.chainHead()).toBeUndefined()
  await fill(journal, 3)
  const noted = journal.chainHead()!
  await fill(journal, 3, 3)
  const head = journal.chainHead()!
  await must(journal.close())
  const segments = await segmentsOf(folder)
  return { folder, segments, noted, head }
}

const whole = { broken: [], met: true }

afterEach(() => void vi.restoreAllMocks())

describe('the chain', () => {
  test('of a journal that was left alone holds, and an end that was noted earlier is met on the way', async () => {
    const { segments, noted, head } = await sample()
    expect(segments.length).toBeGreaterThan(2)
    expect(verify(segments, head)).toEqual({ ...whole, from: 1, head })
    expect(verify(segments, noted)).toEqual({ ...whole, from: 1, head })
    expect(noted.position).toBeLessThan(head.position)
    expect(head).toEqual({ position: 46, hash: expect.stringMatching(/^[0-9a-f]{64}$/) })
  })

  test.each([
    ['', false],
    [', and the chain,', true],
  ])('shows any byte that was changed, though all checksums%s were made right again', async (_, link) => {
    const { segments, head } = await sample()
    const missed: string[] = []
    for (const [number, { bytes }] of segments.entries()) {
      for (let at = 0; at < bytes.length; at++) {
        const changed = copies(segments)
        changed[number]!.bytes[at]! ^= 1 << (at % 8)
        if (!forge(changed, link)) continue
        if (changed.every(({ bytes: now }, nth) => now.equals(segments[nth]!.bytes))) continue
        const report = verify(changed, head)
        const found = typeof report === 'string' || report.met === false || (!link && report.broken.length > 0)
        if (!found) missed.push(`byte ${at} of segment ${number}`)
      }
    }
    expect(missed).toEqual([])
  })

  test('whose checksums alone were made right again is broken behind that place', async () => {
    const { segments } = await sample()
    const changed = copies(segments)
    const at = changed[1]!.bytes.indexOf('round')
    changed[1]!.bytes.write('ROUND', at)
    forge(changed, false)
    const report = verify(changed) as ChainReport
    expect(report.broken).toEqual([
      { position: expect.any(Number), what: 'it does not carry the hash of the group before' },
    ])
    expect(report.from).toBe(report.broken[0]!.position)
  })

  test('shows what was taken away at its end by a noted end alone', async () => {
    const { segments, noted, head } = await sample()
    expect(verify(segments.slice(0, -1), head)).toMatchObject({ broken: [], met: false })
    expect(verify(segments.slice(0, -1), noted)).toMatchObject({ broken: [], met: true })
    expect(verify([], head)).toEqual({ from: undefined, head: undefined, broken: [], met: false })
  })

  test('of another journal, or none, is not taken for it', async () => {
    const [one, other] = [await sample(), await sample()]
    expect(verify(other.segments, one.head)).toMatchObject({ broken: [], met: false })
    const folder = await newFolder()
    const plain = await openIn(folder)
    await fill(plain)
    expect(plain.chainHead()).toBeUndefined()
    await must(plain.close())
    const unchained = verify(await segmentsOf(folder), one.head)
    expect(unchained).toEqual({ from: undefined, head: undefined, broken: [], met: false })
  })
})

describe('a chained journal', () => {
  test('stays chained whatever the option says, over many openings, with and without an index', async () => {
    const folder = await newFolder()
    const noted: ChainHead[] = []
    for (let round = 0; round < 8; round++) {
      const journal = await openIn(folder, { chain: round === 0, segmentBytes: 1024, indexEvery: 16 })
      expect(journal.chainHead()).toEqual(noted.at(-1))
      await fill(journal, 1, round)
      noted.push(journal.chainHead()!)
      await must(journal.close())
      if (round % 3 === 2) fs.rmSync(`${folder}/index`, { recursive: true, force: true })
    }
    const segments = await segmentsOf(folder)
    for (const head of noted) expect(verify(segments, head)).toMatchObject(whole)
  })

  test('finds its last group though that has thousands of records, or is the first of a segment', async () => {
    for (const count of [5000, 1]) {
      const folder = await newFolder()
      const journal = await openIn(folder, { chain: true, segmentBytes: 1024 })
      await add(journal, 'a', 0, 'x'.repeat(1000))
      await Promise.all(Array.from({ length: count }, (_, index) => add(journal, `s${index}`, 0, 'one')))
      const head = journal.chainHead()
      await must(journal.close())
      const again = await openIn(folder)
      expect(again.chainHead()).toEqual(head)
      await add(again, 'b', 0, 'one')
      const last = again.chainHead()
      await must(again.close())
      expect(verify(await segmentsOf(folder), last)).toMatchObject(whole)
    }
  })

  test('goes on behind the last whole append when a crash has torn its last group', async () => {
    const folder = await newFolder()
    const journal = await openIn(folder, { chain: true })
    await fill(journal, 2)
    const noted = journal.chainHead()!
    await Promise.all(['p', 'q', 'r'].map((stream) => add(journal, stream, 0, 'in one group')))
    await must(journal.close())
    const [segment] = (await segmentsOf(folder)) as [File]
    const cuts = framesOf(segment.bytes)!
      .slice(-3)
      .flatMap(({ at, end }) => [at + 1, end - 1])
    for (const cut of cuts) {
      const torn = await newFolder()
      await copyJournal(folder, torn)
      fs.truncateSync(segment.file.replace(folder, torn), cut)
      const again = await openIn(torn)
      expect(again.torn).toBeDefined()
      await add(again, 'after', 0, 'the crash')
      const head = again.chainHead()!
      await must(again.close())
      const segments = await segmentsOf(torn)
      expect(verify(segments, head)).toMatchObject(whole)
      expect(verify(segments, noted)).toMatchObject(whole)
    }
  })

  test('K11 goes on behind the last group when a write has failed and was undone', async () => {
    const folder = await newFolder()
    const journal = await openIn(folder, { chain: true })
    await fill(journal, 2)
    const noted = journal.chainHead()
    const { writeSync } = fs
    const handle = Object.getPrototypeOf(await fs.promises.open('/dev/null').then((one) => one.close().then(() => one)))
    const full = () => {
      throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })
    }
    vi.spyOn(fs, 'writeSync').mockImplementation(full)
    vi.spyOn(handle, 'write').mockImplementation(full)
    expect(await refused(journal.append({ stream: 'new', expected: 0, texts: ['one'] }))).toBe('NO_SPACE')
    vi.restoreAllMocks()
    expect(fs.writeSync).toBe(writeSync)
    expect(journal.chainHead()).toEqual(noted)
    await add(journal, 'new', 0, 'one')
    const head = journal.chainHead()
    await must(journal.close())
    expect(verify(await segmentsOf(folder), head)).toMatchObject(whole)
  })

  test('that was plain before is covered from the first group on that was written since', async () => {
    const folder = await newFolder()
    const plain = await openIn(folder, { segmentBytes: 1024 })
    await fill(plain, 3)
    await must(plain.close())
    const journal = await openIn(folder, { segmentBytes: 1024, chain: true })
    const position = await add(journal, 'first', 0, 'chained')
    await fill(journal, 2, 3)
    const head = journal.chainHead()!
    await must(journal.close())
    expect(verify(await segmentsOf(folder), head)).toEqual({ ...whole, from: position, head })
  })

  test('reads as any other, and is refused where it was damaged', async () => {
    const { folder, segments } = await sample()
    const journal = await openIn(folder)
    const texts = (await all(journal.readAll())).map(({ stream, seq, text }) => `${stream} ${seq} ${text}`)
    expect(texts).toContain('alone 3 round 0')
    expect(texts).toContain('z 6 z 5')
    await must(journal.close())
    fs.rmSync(`${folder}/index`, { recursive: true, force: true })
    const { file, bytes } = segments[0]!
    bytes[HEADER_BYTES + 24 + 5 + 3]! ^= 1 // in what the first frame carries
    fs.writeFileSync(file, bytes)
    await expect(fileJournal(folder, { logger: quiet })).rejects.toMatchObject({
      code: 'JOURNAL_DAMAGED',
      where: { file },
    })
  })
})

describe('checkJournal', () => {
  test('tells the end of the chain, and whether it leads to one that was noted', async () => {
    const { folder, segments, noted, head } = await sample()
    expect(await checkJournal(folder)).toMatchObject({ sound: true, chain: { from: 1, head, broken: [] } })
    expect((await checkJournal(folder, { expect: noted })).chain).toEqual({ ...whole, from: 1, head })
    const changed = copies(segments)
    changed[0]!.bytes.write('ROUND', changed[0]!.bytes.indexOf('round'))
    forge(changed, true)
    await replaceSegments(folder, changed)
    const report = await checkJournal(folder, { expect: noted })
    expect(report).toMatchObject({ sound: true, chain: { from: 1, broken: [], met: false } })
    for (const expect of [null, {}, { ...noted, position: 0 }, { ...noted, hash: 'x' }]) {
      await expectBad(checkJournal(folder, { expect } as never))
    }
  })

  test('does not count an append that a crash has cut short, as its journal will not', async () => {
    for (const alone of [true, false]) {
      const folder = await newFolder()
      const journal = await openIn(folder, { chain: true })
      await fill(journal, 2)
      await Promise.all([
        ...(alone ? [] : [add(journal, 'p', 0, 'whole')]),
        add(journal, 'torn', 0, 'one', 'two', 'three'),
      ])
      await must(journal.close())
      const [{ file, bytes }] = (await segmentsOf(folder)) as [File]
      fs.truncateSync(file, bytes.length - 3)
      const { chain, torn } = await checkJournal(folder)
      expect(torn).toBeDefined()
      const again = await openIn(folder)
      expect(chain).toEqual({ from: 1, head: again.chainHead(), broken: [], met: undefined })
    }
  })

  test('has nothing to tell of a journal that is not chained, unless something was expected', async () => {
    const folder = await newFolder()
    const journal = await openIn(folder)
    await fill(journal, 1)
    await must(journal.close())
    expect((await checkJournal(folder)).chain).toBeUndefined()
    const expected = { position: 1, hash: '0'.repeat(64) }
    expect((await checkJournal(folder, { expect: expected })).chain?.met).toBe(false)
  })
})

describe('bytes that were given up', () => {
  /** The segment with a hole in place of its frames from … to. */
  const without = ({ file, bytes }: File, from: number, to: number): File => {
    const frames = framesOf(bytes)!
    const [at, end] = [frames[from]!.at, frames[to - 1]!.end]
    const hole = encodeHole(bytes.readUInt32LE(12), at, end - at, to - from)
    const changed = Buffer.from(bytes)
    changed.fill(0, at, end)
    changed.set(hole, at)
    return { file, bytes: changed }
  }

  test('at the beginning leave a chain that begins behind them, for which the noted end vouches', async () => {
    const { segments, head } = await sample()
    const frames = framesOf(segments[0]!.bytes)!.length
    const given = [without(segments[0]!, 0, frames), ...segments.slice(1)]
    expect(verify(given, head)).toEqual({ ...whole, from: frames + 1, head })
    const before = (decodeHeader(segments[1]!.bytes) as { first: number }).first - 1
    const last = verify(segments.slice(0, 1)) as ChainReport
    expect(last.head!.position).toBe(before)
    expect((verify(given, last.head) as ChainReport).met).toBe(true)
    expect((verify(given, { ...last.head!, position: before - 1 }) as ChainReport).met).toBeUndefined()
    const changed = copies(given)
    changed[1]!.bytes.write('ROUND', changed[1]!.bytes.indexOf('round'))
    forge(changed, true)
    expect(verify(changed, head)).toMatchObject({ met: false })
  })

  test('in the middle break it, and what is behind them is covered', async () => {
    const { segments, head } = await sample()
    const middle = without(segments[1]!, 0, framesOf(segments[1]!.bytes)!.length)
    const report = verify([segments[0]!, middle, ...segments.slice(2)], head)
    const position = decodeHeader(segments[2]!.bytes) as { first: number }
    expect(report).toEqual({
      from: position.first,
      head,
      broken: [{ position: position.first, what: 'what was before was given up' }],
      met: true,
    })
  })
})
