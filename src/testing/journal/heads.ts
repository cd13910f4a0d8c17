import { expect } from '../expect.ts'
import { describe } from '../suite.ts'
import { add, all, type JournalUnderTest, journalTest } from './case.ts'

export function headsCases(subject: JournalUnderTest): void {
  describe('heads', () => {
    journalTest(subject, 'an empty journal has none', async (journal) => {
      expect(await all(journal.heads())).toEqual([])
    })

    journalTest(subject, 'the last record of every stream, once', async (journal) => {
      await add(journal, 'a', 0, 'a1', 'a2')
      await add(journal, 'b', 0, 'b1')
      await add(journal, 'a', 2, 'a3')
      const heads = (await all(journal.heads())).sort((x, y) => x.position - y.position)
      expect(heads).toEqual([
        { stream: 'b', seq: 1, position: 3, text: 'b1' },
        { stream: 'a', seq: 3, position: 4, text: 'a3' },
      ])
    })

    journalTest(subject, 'the head of one stream, as it grows', async (journal) => {
      expect(await journal.head('a')).toBeUndefined()
      await add(journal, 'a', 0, 'a1', 'a2')
      await add(journal, 'b', 0, 'b1')
      expect(await journal.head('a')).toEqual({ stream: 'a', seq: 2, position: 2, text: 'a2' })
      await add(journal, 'a', 2, 'a3')
      expect(await journal.head('a')).toEqual({ stream: 'a', seq: 3, position: 4, text: 'a3' })
      expect(await journal.head('a ')).toBeUndefined()
    })

    journalTest(subject, 'a thousand streams', async (journal) => {
      await Promise.all(Array.from({ length: 1000 }, (_, number) => add(journal, `s${number}`, 0, `${number}`)))
      const heads = await all(journal.heads())
      expect(new Set(heads.map(({ stream, text }) => `${stream}=s${text}`)).size).toBe(1000)
      expect(heads.every(({ stream, text }) => stream === `s${text}`)).toBe(true)
    })
  })
}
