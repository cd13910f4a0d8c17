// A journal, and what can happen to its files.
import fc from 'fast-check'
import { expect } from 'vitest'
import type { StoredRecord } from '../../src/journal/index.ts'
import { add, all, must } from '../../src/testing/journal/case.ts'
import { newFolder, openIn, segmentsOf } from './folder.ts'

export interface SegmentFile {
  readonly file: string
  readonly bytes: Buffer
}

export interface Sample {
  readonly folder: string
  readonly records: readonly StoredRecord[]
  readonly segments: SegmentFile[]
  readonly last: SegmentFile
}

/** A closed journal of several segments, two long streams, and a last append of three records. */
export async function sample(rounds = 40): Promise<Sample> {
  const folder = await newFolder()
  const journal = await openIn(folder, { segmentBytes: 1024 })
  for (let seq = 0; seq < rounds; seq++) {
    await Promise.all([add(journal, 'a', seq, `a${seq} ${'é'.repeat(seq % 9)}`), add(journal, 'b', seq, `b${seq}`)])
  }
  await add(journal, 'c', 0, 'one', 'two two', 'three three three')
  const records = await all(journal.readAll())
  await must(journal.close())
  const segments = await segmentsOf(folder)
  expect(segments.length).toBeGreaterThan(2)
  return { folder, records, segments, last: segments.at(-1)! }
}

/** The segment that holds a byte of the whole journal, the byte's offset there, and all segments with a bit of it flipped. */
export function damagedAt(segments: readonly SegmentFile[], at: number): [SegmentFile, number, SegmentFile[]] {
  let offset = at
  for (const hit of segments) {
    if (offset < hit.bytes.length) {
      const bytes = Buffer.from(hit.bytes)
      bytes[offset]! ^= 1 << (at % 8)
      return [hit, offset, segments.map((one) => (one === hit ? { ...hit, bytes } : one))]
    }
    offset -= hit.bytes.length
  }
  throw new Error(`the journal has no byte ${at}`)
}

/** Something that happens to segments. */
export type Damaging = (segments: SegmentFile[]) => SegmentFile[]

/** One to three things that happen to so many segments. */
export function damages(count: number): fc.Arbitrary<Damaging[]> {
  const change = fc
    .record({
      segment: fc.nat(count - 1),
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      kind: fc.constantFrom('overwrite', 'insert', 'remove', 'truncate', 'zero', 'lose'),
      bytes: fc.uint8Array({ minLength: 1, maxLength: 80 }),
    })
    .map(({ segment, at, kind, bytes }): Damaging => {
      return (segments) => {
        const target = segments[segment]
        if (target === undefined) return segments
        if (kind === 'lose') return segments.filter((one) => one !== target)
        const offset = Math.floor(at * target.bytes.length)
        const gone = { overwrite: bytes.length, zero: bytes.length, remove: bytes.length, insert: 0, truncate: 1e9 }[
          kind
        ]
        const filler = { overwrite: bytes, insert: bytes, zero: new Uint8Array(bytes.length) }[kind as 'zero'] ?? []
        const rest = target.bytes.subarray(offset + gone)
        const changed = Buffer.concat([target.bytes.subarray(0, offset), Uint8Array.from(filler), rest])
        return segments.map((one) => (one === target ? { file: one.file, bytes: changed } : one))
      }
    })
  return fc.array(change, { minLength: 1, maxLength: 3 })
}
