// K7: a power cut keeps any pages of the group that was not yet synced and loses the others. The journal opens with
// everything that was acknowledged. The same in a group that was synced is damage, and refused with its place.
import { readFile } from 'node:fs/promises'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { StoredRecord } from '../../src/journal/index.ts'
import { add, all, must, refused } from '../../src/testing/journal/case.ts'
import { newFolder, openIn, replaceSegments, segmentsOf } from './folder.ts'

/** A page, made small, so that a group has many. */
const PAGE = 512

/** The lengths of the texts of each append of a group. */
type GroupPlan = { readonly conflict: boolean; readonly appends: readonly (readonly number[])[] }

/** Where a group is in the file, and how many records there are up to it. */
interface Place {
  readonly start: number
  readonly end: number
  readonly before: number
}

/** A journal that was not closed: its only segment, its records, and where its groups are. */
async function written(plans: readonly GroupPlan[]) {
  const folder = await newFolder()
  const journal = await openIn(folder)
  const groups: Place[] = []
  let seq = 0
  let end = 32
  for (const [number, { conflict, appends }] of plans.entries()) {
    const start = end
    const before = seq
    const answers: Promise<unknown>[] = []
    if (conflict) answers.push(refused(journal.append({ stream: 's', expected: seq + 1, texts: ['late'] })))
    for (const lengths of appends) {
      const texts = lengths.map((length, index) => `${number} ${index} `.padEnd(length, 'text '))
      answers.push(add(journal, 's', seq, ...texts))
      seq += texts.length
      for (const text of texts) end += 24 + 1 + text.length
    }
    await Promise.all(answers)
    groups.push({ start, end, before })
  }
  const records = await all(journal.readAll())
  const [segment] = await segmentsOf(folder)
  await must(journal.close())
  expect((await readFile(segment!.file)).length).toBe(end)
  expect(records.length).toBe(seq)
  return { folder, segment: segment!, records, groups }
}

/** The bytes after a power cut that lost these pages of a group; they hold zeros, or what the disk held there before. */
function losing(bytes: Buffer, { start, end }: Place, lost: readonly boolean[], garbage: Uint8Array): Buffer {
  const changed = Buffer.from(bytes)
  for (let page = Math.floor(start / PAGE), index = 0; page * PAGE < end; page++, index++) {
    if (!lost[index % lost.length]) continue
    const [from, to] = [Math.max(start, page * PAGE), Math.min(end, (page + 1) * PAGE)]
    if (garbage.length === 0) changed.fill(0, from, to)
    else changed.fill(garbage, from, to)
  }
  return changed
}

const firstChange = (one: Buffer, other: Buffer) => one.findIndex((byte, at) => byte !== other[at])

async function opening(folder: string, file: string, bytes: Buffer) {
  await replaceSegments(folder, [{ file, bytes }])
  const journal = await openIn(folder)
  const records: StoredRecord[] = await all(journal.readAll())
  await must(journal.close())
  return { records, torn: journal.torn }
}

const many: GroupPlan = { conflict: false, appends: Array.from({ length: 20 }, () => [300, 40]) }

describe('K7 pages that were lost', () => {
  test.each([
    ['zeros', new Uint8Array()],
    ['garbage', Uint8Array.of(7, 130, 0, 255, 3)],
  ])('in the middle of the last group (%s): what is before is kept, the rest cut and reported', async (_, garbage) => {
    const { folder, segment, records, groups } = await written([many, many, many])
    const last = groups.at(-1)!
    for (let page = 0; page * PAGE < last.end - last.start; page++) {
      const lost = Array.from({ length: 100 }, (_, index) => index === page)
      const bytes = losing(segment.bytes, last, lost, garbage)
      const found = await opening(folder, segment.file, bytes)
      expect(found.records.length).toBeGreaterThanOrEqual(last.before)
      expect(found.records).toEqual(records.slice(0, found.records.length))
      expect(found.torn).toMatchObject({ file: segment.file })
      expect(found.torn!.offset).toBeLessThanOrEqual(firstChange(bytes, segment.bytes))
      expect(await opening(folder, segment.file, await readFile(segment.file))).toEqual({ ...found, torn: undefined })
    }
  })

  test('in the middle of the group before the last: refused with the place, and nothing changed', async () => {
    const { folder, segment, groups } = await written([many, many, many])
    const group = groups.at(-2)!
    for (let page = 0; page * PAGE < group.end - group.start; page++) {
      const lost = Array.from({ length: 100 }, (_, index) => index === page)
      const bytes = losing(segment.bytes, group, lost, new Uint8Array())
      const offset = expect.toSatisfy((at: number) => at >= group.start && at <= firstChange(bytes, segment.bytes))
      await expect(opening(folder, segment.file, bytes)).rejects.toMatchObject({
        code: 'JOURNAL_DAMAGED',
        where: { file: segment.file, offset },
      })
      expect((await readFile(segment.file)).equals(bytes)).toBe(true)
    }
  })

  test('in the first group of a segment: the segments before are kept', async () => {
    const folder = await newFolder()
    const journal = await openIn(folder, { segmentBytes: 4096 })
    for (let seq = 0; seq < 3; seq++) await add(journal, 's', seq, 'x'.repeat(1000))
    await Promise.all([3, 4, 5, 6, 7].map((seq) => add(journal, 's', seq, 'x'.repeat(500))))
    const segments = await segmentsOf(folder)
    await must(journal.close())
    const last = segments.at(-1)!
    expect(segments.length).toBe(2)
    const bytes = Buffer.from(last.bytes).fill(0, 32, 1024)
    await replaceSegments(folder, [segments[0]!, { file: last.file, bytes }])
    const again = await openIn(folder)
    expect(again.torn).toMatchObject({ file: last.file, offset: 32 })
    expect(await all(again.readAll())).toHaveLength(3)
    expect(await add(again, 's', 3, 'again')).toBe(4)
  })

  test('whatever was written, and whichever pages of whichever group are lost', async () => {
    const lengths = fc.oneof(fc.integer({ min: 8, max: 60 }), fc.integer({ min: 400, max: 3000 }))
    const append = fc.array(lengths, { minLength: 1, maxLength: 3 })
    const plan = fc.record({ conflict: fc.boolean(), appends: fc.array(append, { minLength: 1, maxLength: 25 }) })
    await fc.assert(
      fc.asyncProperty(
        fc.array(plan, { minLength: 1, maxLength: 5 }),
        fc.nat(4),
        fc.array(fc.boolean(), { minLength: 1, maxLength: 40 }),
        fc.uint8Array({ maxLength: 50 }),
        async (plans, which, lost, garbage) => {
          const { folder, segment, records, groups } = await written(plans)
          const number = Math.max(groups.length - 1 - which, 0)
          const group = groups[number]!
          const bytes = losing(segment.bytes, group, lost, garbage)
          const change = firstChange(bytes, segment.bytes)
          const opened = opening(folder, segment.file, bytes)
          if (change >= 0 && number < groups.length - 1) {
            const offset = expect.toSatisfy((at: number) => at >= group.start && at <= change)
            await expect(opened).rejects.toMatchObject({ code: 'JOURNAL_DAMAGED', where: { offset } })
            return
          }
          const found = await opened
          expect(found.records).toEqual(records.slice(0, found.records.length))
          if (change < 0) expect(found).toEqual({ records, torn: undefined })
          else expect(found.records.length).toBeGreaterThanOrEqual(group.before)
          if (found.torn === undefined) {
            const kept = found.records.reduce((sum, { text }) => sum + 24 + 1 + text.length, 32)
            expect(bytes.subarray(kept).every((byte) => byte === 0)).toBe(true)
          }
        },
      ),
      { numRuns: 200 },
    )
  })
})
