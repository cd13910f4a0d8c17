import { expect } from '../expect.ts'
import { describe } from '../suite.ts'
import { add, all, type JournalUnderTest, journalTest, texts } from './case.ts'

export function readAllCases(subject: JournalUnderTest): void {
  describe('readAll', () => {
    journalTest(subject, 'an empty journal has no records', async (journal) => {
      expect(await all(journal.readAll())).toEqual([])
    })

    journalTest(subject, 'all streams, in the order of commit, without gaps', async (journal) => {
      for (let seq = 0; seq < 10; seq++) for (const stream of ['a', 'b', 'c']) await add(journal, stream, seq, stream)
      const records = await all(journal.readAll())
      expect(records.map(({ position }) => position)).toEqual(Array.from({ length: 30 }, (_, index) => index + 1))
      expect(records.slice(-3).map(({ stream, seq }) => stream + seq)).toEqual(['a10', 'b10', 'c10'])
    })

    const bounds: [string, object, string[]][] = [
      ['a lower bound', { from: 3 }, ['a2', 'b2']],
      ['an upper bound', { to: 2 }, ['a1', 'b1']],
      ['both bounds', { from: 2, to: 3 }, ['b1', 'a2']],
      ['a single record', { from: 4, to: 4 }, ['b2']],
      ['a lower bound behind the end', { from: 5 }, []],
      ['an upper bound behind the end', { from: 4, to: 9 }, ['b2']],
    ]
    for (const [title, range, expected] of bounds) {
      journalTest(subject, title, async (journal) => {
        for (const [stream, seq] of [
          ['a', 1],
          ['b', 1],
          ['a', 2],
          ['b', 2],
        ] as const) {
          await add(journal, stream, seq - 1, `${stream}${seq}`)
        }
        expect(await texts(journal.readAll(range))).toEqual(expected)
      })
    }

    journalTest(subject, 'it ends where the journal ended when it began', async (journal) => {
      await add(journal, 'a', 0, 'one', 'two')
      const found: string[] = []
      for await (const { text, seq } of journal.readAll()) {
        found.push(text)
        await add(journal, 'b', seq - 1, 'later')
      }
      expect(found).toEqual(['one', 'two'])
    })
  })
}
