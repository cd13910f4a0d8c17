// The memory journal is the model: whatever is asked of both, in whatever groups, the file journal answers the same.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Journal, memoryJournal } from '../../src/journal/index.ts'
import { all, must } from '../../src/testing/journal/case.ts'
import { newFolder, openIn } from './folder.ts'

const append = fc.record({
  stream: fc.constantFrom('a', 'b', '__proto__', 'ü'),
  off: fc.constantFrom(0, 0, 0, 0, 1, -1),
  texts: fc.array(fc.string({ unit: 'grapheme', maxLength: 200 }), { minLength: 1, maxLength: 3 }),
  adopt: fc.constantFrom(undefined, undefined, true as const),
})
const trim = fc.record({ trim: fc.constantFrom('a', 'b', '__proto__', 'ü'), off: fc.integer({ min: -6, max: 1 }) })
const step = fc.oneof(
  { weight: 9, arbitrary: fc.array(append, { minLength: 1, maxLength: 60 }) },
  { weight: 3, arbitrary: trim },
  fc.constant('reopen'),
)

test.each([{}, { indexEvery: 16 }])('K2 the file journal answers as the memory journal does, %j', async (more) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      const folder = await newFolder()
      const options = { segmentBytes: 1024, ...more }
      let file: Journal = await openIn(folder, options)
      const model = memoryJournal()
      const seqs = new Map<string, number>()
      for (const group of steps) {
        if (typeof group === 'string') {
          await must(file.close())
          file = await openIn(folder, options)
          continue
        }
        if ('trim' in group) {
          const last = seqs.get(group.trim) ?? 0
          expect(await file.trim(group.trim, last + group.off)()).toEqual(
            await model.trim(group.trim, last + group.off)(),
          )
          continue
        }
        const appends = group.map(({ stream, off, texts, adopt }) => {
          const last = seqs.get(stream) ?? 0
          const expected = Math.max(last + off, 0)
          if (adopt ? last === 0 : last === expected) seqs.set(stream, expected + texts.length)
          return { stream, expected, texts, ...(adopt && { adopt }) }
        })
        const answers = (journal: Journal) => Promise.all(appends.map((one) => journal.append(one)()))
        expect(await answers(file)).toEqual(await answers(model))
        for (const { stream, seq } of await all(model.heads())) seqs.set(stream, seq)
      }
      expect(await all(file.readAll())).toEqual(await all(model.readAll()))
      for (const stream of seqs.keys()) {
        expect(await all(file.read(stream))).toEqual(await all(model.read(stream)))
        expect(await file.head(stream)).toEqual(await model.head(stream))
      }
      const byPosition = async (journal: Journal) =>
        (await all(journal.heads())).sort((one, other) => one.position - other.position)
      expect(await byPosition(file)).toEqual(await byPosition(model))
      await must(file.close())
    }),
    { numRuns: 100, endOnFailure: true },
  )
})
