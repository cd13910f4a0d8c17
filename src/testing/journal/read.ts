import { expect } from '../expect.ts'
import { describe } from '../suite.ts'
import { add, all, type JournalUnderTest, journalTest, numbered, texts } from './case.ts'

export function readCases(subject: JournalUnderTest): void {
  describe('read', () => {
    const bounds: [string, object, string[]][] = [
      ['all', {}, ['text 1', 'text 2', 'text 3', 'text 4', 'text 5']],
      ['a lower bound', { from: 4 }, ['text 4', 'text 5']],
      ['an upper bound', { to: 2 }, ['text 1', 'text 2']],
      ['both bounds', { from: 2, to: 4 }, ['text 2', 'text 3', 'text 4']],
      ['a single record', { from: 3, to: 3 }, ['text 3']],
      ['an upper bound behind the end', { from: 5, to: 99 }, ['text 5']],
      ['a lower bound before the beginning', { from: 0, to: 1 }, ['text 1']],
      ['a lower bound behind the end', { from: 6 }, []],
      ['an upper bound of 0', { to: 0 }, []],
      ['bounds that cross', { from: 4, to: 3 }, []],
    ]
    for (const [title, range, expected] of bounds) {
      journalTest(subject, title, async (journal) => {
        for (const [index, text] of numbered(5).entries()) {
          await add(journal, 'a', index, text)
          await add(journal, 'other', index, 'other')
        }
        expect(await texts(journal.read('a', range))).toEqual(expected)
      })
    }

    journalTest(subject, 'an unknown stream has no records', async (journal) => {
      await add(journal, 'a', 0, 'one')
      expect(await all(journal.read('b'))).toEqual([])
      expect(await all(journal.read('a '))).toEqual([])
    })

    journalTest(subject, 'it can be stopped early, and begun again', async (journal) => {
      await add(journal, 'a', 0, ...numbered(100))
      for await (const record of journal.read('a')) {
        if (record.seq === 3) break
      }
      expect(await texts(journal.read('a'))).toEqual(numbered(100))
    })

    journalTest(subject, 'what is appended after the read has begun is not part of it', async (journal) => {
      await add(journal, 'a', 0, 'one', 'two')
      const found: string[] = []
      for await (const record of journal.read('a')) {
        found.push(record.text)
        await add(journal, 'a', 2 + record.seq - 1, 'later')
      }
      expect(found).toEqual(['one', 'two'])
    })

    journalTest(subject, 'two reads at the same time do not disturb each other', async (journal) => {
      await add(journal, 'a', 0, ...numbered(500))
      const [one, two] = await Promise.all([texts(journal.read('a')), texts(journal.read('a', { from: 250 }))])
      expect([one.length, two.length, two[0]]).toEqual([500, 251, 'text 250'])
    })

    journalTest(subject, 'ten thousand records of one stream between those of others', async (journal) => {
      for (let round = 0; round < 10; round++) {
        await add(journal, 'a', round * 1000, ...numbered(1000))
        await add(journal, 'b', round, 'b'.repeat(100_000))
      }
      const found = await all(journal.read('a'))
      expect(found.map(({ seq }) => seq)).toEqual(Array.from({ length: 10_000 }, (_, index) => index + 1))
      expect(found.at(-1)).toEqual({ stream: 'a', seq: 10_000, position: 10_009, text: 'text 1000' })
    })
  })
}
