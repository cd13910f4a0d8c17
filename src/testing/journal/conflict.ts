import { expect } from '../expect.ts'
import { describe } from '../suite.ts'
import { add, all, type JournalUnderTest, journalTest, must, refused, texts } from './case.ts'

export function conflictCases(subject: JournalUnderTest): void {
  describe('K2 conflict', () => {
    journalTest(subject, 'an append that comes too late is refused and changes nothing', async (journal) => {
      await add(journal, 'a', 0, 'kept')
      expect(await refused(journal.append({ stream: 'a', expected: 0, texts: ['late'] }))).toBe('CONFLICT')
      expect(await texts(journal.readAll())).toEqual(['kept'])
    })

    journalTest(subject, 'an append ahead of its stream is refused', async (journal) => {
      await add(journal, 'a', 0, 'one')
      expect(await refused(journal.append({ stream: 'a', expected: 2, texts: ['early'] }))).toBe('CONFLICT')
      expect(await refused(journal.append({ stream: 'new', expected: 1, texts: ['early'] }))).toBe('CONFLICT')
      expect(await all(journal.read('new'))).toEqual([])
    })

    journalTest(subject, 'of an append of several texts nothing is kept when it is refused', async (journal) => {
      await add(journal, 'a', 0, 'kept')
      await refused(journal.append({ stream: 'a', expected: 0, texts: ['x', 'y', 'z'] }))
      expect(await texts(journal.readAll())).toEqual(['kept'])
    })

    journalTest(subject, 'the error names the stream and the seq of its last record', async (journal) => {
      await add(journal, 'a', 0, 'one', 'two')
      const answer = await journal.append({ stream: 'a', expected: 0, texts: ['late'] })()
      expect(answer).toMatchObject({ left: { where: { stream: 'a', seq: 2 } } })
    })

    journalTest(subject, 'after a conflict the right seq is accepted, and no position is lost', async (journal) => {
      await add(journal, 'a', 0, 'one')
      await refused(journal.append({ stream: 'a', expected: 0, texts: ['late'] }))
      expect(await add(journal, 'a', 1, 'two')).toBe(2)
    })

    journalTest(subject, 'the neighbours of a refused append succeed', async (journal) => {
      await add(journal, 'a', 0, 'old')
      const [before, late, after] = await Promise.all([
        must(journal.append({ stream: 'b', expected: 0, texts: ['b1'] })),
        refused(journal.append({ stream: 'a', expected: 0, texts: ['late one', 'late two'] })),
        must(journal.append({ stream: 'c', expected: 0, texts: ['c1', 'c2'] })),
      ])
      expect([before.position, late, after.position]).toEqual([2, 'CONFLICT', 3])
      expect(await texts(journal.readAll())).toEqual(['old', 'b1', 'c1', 'c2'])
    })

    journalTest(subject, 'streams that were only refused are not there', async (journal) => {
      await refused(journal.append({ stream: 'ghost', expected: 3, texts: ['x'] }))
      expect(await all(journal.heads())).toEqual([])
      await add(journal, 'ghost', 0, 'real')
      expect(await texts(journal.heads())).toEqual(['real'])
    })
  })
}
