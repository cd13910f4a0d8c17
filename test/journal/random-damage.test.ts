// K7 K3 whatever happens to the files of a closed journal (segments, index, snapshots, what is read beside its writer): it is
// refused with its place, when it is opened or when it is read, or what is there is what there was after one of its commits.
// What was trimmed stays trimmed; nothing is read that was not written.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FRAME_BYTES } from '../../src/journal/file/segments/format.ts'
import { fileJournal, type Journal, type StoredRecord } from '../../src/journal/index.ts'
import { isDuramenError } from '../../src/ports/errors.ts'
import { must } from '../../src/testing/journal/case.ts'
import { newFolder, openFilesIn, openIn, quiet } from './folder.ts'

/** A block of the disk, made small, so that a journal has many. */
const BLOCK = 512
const OPTIONS = { segmentBytes: 2048, indexEvery: 16 }
const STREAMS = ['a', 'b', 'c', 'machine/ü']

type Files = Map<string, Buffer>

/** What was done, in the order of positions: `before` for a trim, of the records of a stream with a seq below. */
type Frame =
  | { readonly stream: string; readonly seq: number; readonly text: string }
  | { readonly stream: string; readonly before: number }

interface Sample {
  readonly frames: readonly Frame[]
  /** What there was after so many of them. */
  readonly states: readonly (readonly StoredRecord[])[]
  /** How many frames there are before the last group. */
  readonly sure: number
  readonly files: Files
  /** As they were when half of it was done. */
  readonly older: Files
}

/** All files below a folder. */
function filesOf(folder: string): Files {
  const found = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((one) => one.isFile())
  const paths = found.map((one) => join(one.parentPath, one.name)).sort()
  return new Map(paths.map((path) => [relative(folder, path), readFileSync(path)]))
}

function put(folder: string, files: Files): void {
  rmSync(folder, { recursive: true, force: true })
  for (const [name, bytes] of files) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), bytes)
  }
}

async function written(): Promise<Sample> {
  const folder = await newFolder()
  const frames: Frame[] = []
  const last = new Map<string, number>()
  let journal = await openIn(folder, { ...OPTIONS, reclaim: false })
  let older: Files = new Map()
  let sure = 0
  for (let turn = 0; turn < 25; turn++) {
    if (turn === 12) {
      await must(journal.close())
      older = filesOf(folder)
      journal = await openIn(folder, { ...OPTIONS, reclaim: false })
    }
    sure = frames.length
    const done = STREAMS.slice(0, 1 + (turn % 4)).map((stream) => {
      const seq = (last.get(stream) ?? 0) + 1
      const texts = Array.from({ length: 1 + (turn % 2) }, (_, number) =>
        `${stream} ${seq + number} `.padEnd((seq * 7) % 90, '.'),
      )
      for (const [number, text] of texts.entries()) frames.push({ stream, seq: seq + number, text })
      last.set(stream, seq + texts.length - 1)
      return must(journal.append({ stream, expected: seq - 1, texts }))
    })
    await Promise.all(done)
    if (turn % 5 === 4) {
      const stream = STREAMS[turn % 3]!
      const before = last.get(stream)! - 2
      sure = frames.length
      frames.push({ stream, before })
      await must(journal.trim(stream, before))
    }
    await must(
      journal.saveSnapshot({ stream: 'a', seq: last.get('a')!, text: `of a ${last.get('a')} ${'.'.repeat(200)}` }),
    )
  }
  await must(journal.close())
  const states = Array.from({ length: frames.length + 1 }, (_, count) => after(frames, count))
  return { frames, states, sure, files: filesOf(folder), older }
}

/** What there is after so many frames. */
function after(frames: readonly Frame[], count: number): StoredRecord[] {
  let records: StoredRecord[] = []
  for (const [index, frame] of frames.slice(0, count).entries()) {
    if ('text' in frame) {
      const { stream, seq, text } = frame
      records.push({ stream, seq, position: index + 1, text })
    } else records = records.filter(({ stream, seq }) => stream !== frame.stream || seq >= frame.before)
  }
  return records
}

/** What was read until the end, or until it was refused. */
interface Read {
  readonly records: readonly StoredRecord[]
  readonly refused: boolean
}

/** Whether what was read is all there is, or its beginning where the rest was refused. */
function fits({ records, refused }: Read, state: readonly StoredRecord[]): boolean {
  if (refused ? records.length > state.length : records.length !== state.length) return false
  return records.every(({ stream, seq, position, text }, index) => {
    const other = state[index]!
    return seq === other.seq && stream === other.stream && position === other.position && text === other.text
  })
}

async function readOn(read: AsyncIterable<StoredRecord>): Promise<Read> {
  const records: StoredRecord[] = []
  try {
    for await (const record of read) records.push(record)
    return { records, refused: false }
  } catch (error) {
    expectDamage(error)
    return { records, refused: true }
  }
}

function expectDamage(error: unknown): void {
  if (!isDuramenError(error) || error.code !== 'JOURNAL_DAMAGED') throw error
  expect(error.where.file).toBeDefined()
  expect(error.where.offset ?? error.where.position).toBeDefined()
  expect(error.hint).toBeDefined()
}

const isSegment = (name: string) => name.endsWith('.log')

/** How many frames a damaged journal says that it has; undefined where it is refused in some way. */
async function kept(folder: string, { states }: Sample, files: Files): Promise<number | undefined> {
  put(folder, files)
  let journal: Journal
  try {
    journal = await fileJournal(folder, { ...OPTIONS, logger: quiet })
  } catch (error) {
    expectDamage(error)
    expect(openFilesIn(folder)).toEqual([])
    const now = filesOf(folder)
    for (const [name, bytes] of files) if (isSegment(name)) expect(now.get(name)?.equals(bytes), name).toBe(true)
    return undefined
  }
  try {
    const everything = await readOn(journal.readAll())
    const count = states.findLastIndex((state) => fits(everything, state))
    if (count < 0) expect(everything.records).toEqual(states.at(-1))
    let { refused } = everything
    for (const stream of STREAMS) {
      const read = await readOn(journal.read(stream))
      refused ||= read.refused
      const possible = refused ? states : [states[count]!]
      const own = possible.map((state) => state.filter((record) => record.stream === stream))
      if (!own.some((records) => fits(read, records))) expect(read.records).toEqual(own.at(-1))
    }
    const snapshot = await journal.snapshot('a')
    if (snapshot !== undefined) expect(snapshot.text.startsWith(`of a ${snapshot.seq} .`)).toBe(true)
    return refused ? undefined : count
  } finally {
    await journal.close()()
    expect(openFilesIn(folder)).toEqual([])
  }
}

const place = { file: fc.nat(1000), at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }) }
const damage = fc.oneof(
  fc.record({ kind: fc.constant('flip' as const), ...place, bit: fc.nat(7) }),
  fc.record({ kind: fc.constant('zero' as const), ...place }),
  fc.record({ kind: fc.constant('garbage' as const), ...place, bytes: fc.uint8Array({ minLength: 1, maxLength: 60 }) }),
  fc.record({ kind: fc.constant('swap' as const), ...place, other: fc.nat(1000) }),
  fc.record({ kind: fc.constant('older' as const), ...place }),
  fc.record({ kind: fc.constant('cut' as const), ...place }),
  fc.record({ kind: fc.constant('copy' as const), ...place, other: fc.nat(1000) }),
  fc.record({ kind: fc.constant('lose' as const), ...place }),
)
type Damage = typeof damage extends fc.Arbitrary<infer One> ? One : never

function damageTo({ files, older }: Sample, damages: readonly Damage[]): Files {
  const changed: Files = new Map(Array.from(files, ([name, bytes]) => [name, Buffer.from(bytes)]))
  for (const one of damages) {
    const names = [...changed.keys()]
    const name = names[one.file % names.length]!
    const bytes = changed.get(name)!
    const at = Math.floor(one.at * bytes.length)
    const block = at - (at % BLOCK)
    const end = Math.min(block + BLOCK, bytes.length)
    if (one.kind === 'flip' && bytes.length > 0) bytes[at]! ^= 1 << one.bit
    if (one.kind === 'zero') bytes.fill(0, block, end)
    if (one.kind === 'garbage') bytes.set(one.bytes.subarray(0, bytes.length - at), at)
    if (one.kind === 'cut') changed.set(name, bytes.subarray(0, at))
    if (one.kind === 'lose') changed.delete(name)
    if (one.kind === 'older') {
      const then = older.get(name) ?? Buffer.alloc(0)
      bytes.fill(0, block, end)
      then.copy(bytes, block, Math.min(block, then.length), Math.min(end, then.length))
    }
    if (one.kind === 'swap' || one.kind === 'copy') {
      const target = changed.get(names[one.other % names.length]!)!
      if (one.kind === 'copy') changed.set(name, Buffer.from(target))
      else {
        const mine = Buffer.from(bytes.subarray(block, end))
        const room = Math.min(mine.length, Math.max(target.length - block, 0))
        bytes.set(target.subarray(block, block + room), block)
        mine.copy(target, block, 0, room)
      }
    }
  }
  return changed
}

const withoutIndex = (files: Files): Files => new Map([...files].filter(([name]) => !name.startsWith('index')))

/** What is wrong only beside the segments is no damage: they are the truth. */
const cachesOnly = (files: Files, changed: Files) =>
  [...files].every(([name, bytes]) => !isSegment(name) || changed.get(name)?.equals(bytes))

describe('K7 damage', () => {
  test('of any kinds, to any files', { timeout: 120_000 }, async () => {
    const folder = await newFolder()
    const sample = await written()
    await fc.assert(
      fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 4 }), fc.boolean(), async (damages, indexed) => {
        const files = damageTo(sample, damages)
        const found = await kept(folder, sample, indexed ? files : withoutIndex(files))
        if (cachesOnly(sample.files, files)) expect(found).toBe(sample.frames.length)
      }),
      { numRuns: 150, endOnFailure: true },
    )
  })

  test('a flipped bit anywhere: cut in the last group, refused before it, and no matter beside the segments', async () => {
    const folder = await newFolder()
    const sample = await written()
    const { files, frames, sure } = sample
    const last = [...files.keys()].findLast(isSegment)
    const group = files.get(last!)!.length - FRAME_BYTES - Buffer.byteLength(frames.at(-1)!.stream)
    for (const [name, bytes] of files) {
      if (name.endsWith('.run')) continue // index.test.ts does these
      for (let at = name.length % 97; at < bytes.length; at += 97) {
        const flipped = Buffer.from(bytes)
        flipped[at]! ^= 1 << (at % 8)
        const changed: Files = new Map(files).set(name, flipped)
        const indexed = await kept(folder, sample, changed)
        const alone = await kept(folder, sample, withoutIndex(changed))
        const inLast = name === last && at >= group
        const expected = inLast ? sure : isSegment(name) ? undefined : frames.length
        expect(alone, `${name} at ${at}`).toBe(expected)
        // With the index nobody reads the bytes of what is trimmed.
        expect([expected, isSegment(name) && !inLast ? frames.length : expected], `${name} at ${at}`).toContain(indexed)
      }
    }
  })

  test('blocks of two segments that changed places are refused, with the index too: each frame of them is whole', async () => {
    const folder = await newFolder()
    const sample = await written()
    const [one, other] = [...sample.files.keys()].filter(isSegment).slice(1, 3)
    const files: Files = new Map(Array.from(sample.files, ([name, bytes]) => [name, Buffer.from(bytes)]))
    const block = Buffer.from(files.get(one!)!.subarray(0, BLOCK))
    files.get(other!)!.copy(files.get(one!)!, 0, 0, BLOCK)
    block.copy(files.get(other!)!)
    expect(await kept(folder, sample, files)).toBe(undefined)
    expect(await kept(folder, sample, withoutIndex(files))).toBe(undefined)
  })

  test('the last group is cut at every byte: what is before is kept, trims as well, or it is refused where the index knows of it', async () => {
    const folder = await newFolder()
    const sample = await written()
    const { files, frames, sure } = sample
    const last = [...files.keys()].findLast(isSegment)!
    const bytes = files.get(last)!
    for (
      let size = bytes.length - FRAME_BYTES - Buffer.byteLength(frames.at(-1)!.stream);
      size < bytes.length;
      size++
    ) {
      const cut: Files = new Map(files).set(last, bytes.subarray(0, size))
      expect([sure, undefined]).toContain(await kept(folder, sample, cut))
      expect(await kept(folder, sample, withoutIndex(cut))).toBe(sure)
    }
  })
})
