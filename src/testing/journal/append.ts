import { expect } from '../expect.ts'
import { describe } from '../suite.ts'
import { add, all, type JournalUnderTest, journalTest, numbered, refused, texts } from './case.ts'

export function appendCases(subject: JournalUnderTest): void {
  describe('append', () => {
    journalTest(subject, 'the first record has seq 1 and position 1', async (journal) => {
      expect(await add(journal, 'a', 0, 'one')).toBe(1)
      expect(await all(journal.read('a'))).toEqual([{ stream: 'a', seq: 1, position: 1, text: 'one' }])
    })

    journalTest(subject, 'positions go on over all streams, seqs within one', async (journal) => {
      expect(await add(journal, 'a', 0, 'a1')).toBe(1)
      expect(await add(journal, 'b', 0, 'b1')).toBe(2)
      expect(await add(journal, 'a', 1, 'a2')).toBe(3)
      expect((await all(journal.readAll())).map(({ stream, seq }) => [stream, seq])).toEqual([
        ['a', 1],
        ['b', 1],
        ['a', 2],
      ])
    })

    journalTest(subject, 'several texts get consecutive seqs and positions', async (journal) => {
      await add(journal, 'b', 0, 'before')
      expect(await add(journal, 'a', 0, 'one', 'two', 'three')).toBe(2)
      expect(await all(journal.read('a'))).toEqual([
        { stream: 'a', seq: 1, position: 2, text: 'one' },
        { stream: 'a', seq: 2, position: 3, text: 'two' },
        { stream: 'a', seq: 3, position: 4, text: 'three' },
      ])
    })

    journalTest(subject, 'a thousand texts in one append', async (journal) => {
      await add(journal, 'a', 0, ...numbered(1000))
      expect(await texts(journal.read('a'))).toEqual(numbered(1000))
    })

    journalTest(subject, 'the task does nothing until it is called', async (journal) => {
      journal.append({ stream: 'a', expected: 0, texts: ['never'] })
      await add(journal, 'a', 0, 'first')
      expect(await texts(journal.readAll())).toEqual(['first'])
    })

    journalTest(subject, 'what is answered can be read at once', async (journal) => {
      for (let seq = 0; seq < 20; seq++) {
        await add(journal, 'a', seq, `text ${seq + 1}`)
        expect(await texts(journal.read('a', { from: seq + 1 }))).toEqual([`text ${seq + 1}`])
      }
    })

    journalTest(subject, 'K8 an append without texts is refused', async (journal) => {
      expect(await refused(journal.append({ stream: 'a', expected: 0, texts: [] }))).toBe('BAD_INPUT')
      expect(await all(journal.readAll())).toEqual([])
    })

    for (const expected of [-1, 0.5, Number.NaN]) {
      journalTest(subject, `K8 ${expected} as the expected seq is refused`, async (journal) => {
        expect(await refused(journal.append({ stream: 'a', expected, texts: ['x'] }))).toBe('BAD_INPUT')
      })
    }
  })
}
