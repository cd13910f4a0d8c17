import { expect } from '../expect.ts'
import { describe } from '../suite.ts'
import { add, all, type JournalUnderTest, journalTest, must, refused } from './case.ts'

export function closeCases(subject: JournalUnderTest): void {
  describe('K10 close', () => {
    journalTest(subject, 'it may be called twice, also at once', async (journal) => {
      await Promise.all([must(journal.close()), must(journal.close())])
      await must(journal.close())
    })

    journalTest(subject, 'it waits for the appends under way', async (journal) => {
      const appends = Array.from({ length: 100 }, (_, number) => add(journal, `s${number}`, 0, 'x'))
      let answered = 0
      for (const append of appends) append.then(() => answered++)
      await must(journal.close())
      await new Promise(setImmediate)
      expect(answered).toBe(100)
    })

    journalTest(subject, 'appends after it are refused', async (journal) => {
      await must(journal.close())
      expect(await refused(journal.append({ stream: 'a', expected: 0, texts: ['x'] }))).toBe('CLOSED')
    })

    journalTest(subject, 'reads after it, and those it interrupts, reject', async (journal) => {
      await add(journal, 'a', 0, 'one', 'two', 'three')
      const reading = journal.read('a')[Symbol.asyncIterator]()
      await reading.next()
      await must(journal.close())
      await expect(reading.next()).rejects.toMatchObject({ code: 'CLOSED' })
      await expect(all(journal.read('a'))).rejects.toMatchObject({ code: 'CLOSED' })
      await expect(all(journal.readAll())).rejects.toMatchObject({ code: 'CLOSED' })
      await expect(all(journal.heads())).rejects.toMatchObject({ code: 'CLOSED' })
      await expect(journal.head('a')).rejects.toMatchObject({ code: 'CLOSED' })
    })
  })
}
