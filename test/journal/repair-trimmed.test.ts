// K7: a repair of a journal with trims, and with holes of a reclaim: of a stream that was trimmed, what is left begins where
// the trim had left it, or before, and has no gap.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { checkJournal, repairJournal, type StoredRecord } from '../../src/journal/index.ts'
import { add, all, must } from '../../src/testing/journal/case.ts'
import { type Damaging, damages } from './damage.ts'
import { newFolder, openIn, replaceSegments, segmentsOf } from './folder.ts'

const STREAMS = 6

/** Six streams, half of them trimmed again and again; with holes where `reclaim` has been. */
async function trimmed(reclaim: boolean) {
  const folder = await newFolder()
  const journal = await openIn(folder, { segmentBytes: 1024, reclaim: false })
  const written: StoredRecord[] = []
  /** The seq before which nothing of a stream is needed. */
  const before = new Map<string, number>()
  for (let seq = 0; seq < 25; seq++) {
    for (let number = 0; number < STREAMS; number++) {
      const stream = `s/${number}`
      const text = `text ${seq + 1} of ${number}`
      const position = await add(journal, stream, seq, text)
      written.push({ stream, seq: seq + 1, position, text })
      if (number % 2 === 0 || seq % 8 !== 7) continue
      await must(journal.trim(stream, seq))
      before.set(stream, seq)
    }
  }
  if (reclaim) await journal.reclaim()
  await must(journal.close())
  return { folder, written, before, segments: await segmentsOf(folder) }
}

async function opens(folder: string): Promise<boolean> {
  try {
    await must((await openIn(folder)).close())
    return true
  } catch (error) {
    expect(error).toMatchObject({ code: 'JOURNAL_DAMAGED' })
    return false
  }
}

test.each([
  ['trims', false],
  ['trims and holes', true],
])('K7 quarantine of a journal with %s, whatever happened', async (_, reclaim) => {
  const { folder, written, before, segments } = await trimmed(reclaim)
  await fc.assert(
    fc.asyncProperty(damages(segments.length), async (list: Damaging[]) => {
      const changed = list.reduce((now, damage) => damage(now), segments)
      await replaceSegments(folder, changed)
      const { sound } = await checkJournal(folder)
      expect(await opens(folder)).toBe(sound)
      await replaceSegments(folder, changed)
      await repairJournal(folder, { how: 'quarantine' })
      expect((await checkJournal(folder)).damages).toEqual([])
      const journal = await openIn(folder)
      for (let number = 0; number < STREAMS; number++) {
        const stream = `s/${number}`
        const found = await all(journal.read(stream))
        const first = found[0]?.seq ?? 1
        expect(first).toBeLessThanOrEqual(before.get(stream) ?? 1)
        const was = written.filter((one) => one.stream === stream).slice(first - 1, first - 1 + found.length)
        expect(found.map(({ seq, text }) => [seq, text])).toEqual(was.map(({ seq, text }) => [seq, text]))
      }
      await must(journal.close())
    }),
    { numRuns: process.env.DURAMEN_SOAK === '1' ? 1000 : 40 },
  )
})

test('K7 a gap among records that were trimmed all the same costs nothing that is needed', async () => {
  const { folder, before, segments } = await trimmed(false)
  const [first, ...others] = segments
  const bytes = Buffer.from(first!.bytes)
  bytes[bytes.indexOf('text 2 of 1')]! ^= 1
  await replaceSegments(folder, [{ file: first!.file, bytes }, ...others])
  expect((await checkJournal(folder)).lost).toEqual([])
  await repairJournal(folder, { how: 'quarantine' })
  const journal = await openIn(folder)
  const seqs = (await all(journal.read('s/1'))).map(({ seq }) => seq)
  expect(seqs).toEqual(Array.from({ length: 25 - before.get('s/1')! + 1 }, (_, at) => before.get('s/1')! + at))
})
