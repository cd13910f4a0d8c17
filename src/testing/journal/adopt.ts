import { expect } from '../expect.ts'
import { describe } from '../suite.ts'
import { add, all, type JournalUnderTest, journalTest, must, refused, texts } from './case.ts'

/** What an import needs for streams that were trimmed where they come from. */
export function adoptCases(subject: JournalUnderTest): void {
  const late = { stream: 'a', expected: 7, texts: ['a8', 'a9'], adopt: true } as const

  describe('adopt', () => {
    journalTest(subject, 'a new stream begins behind the seq that is expected', async (journal) => {
      await add(journal, 'b', 0, 'b1')
      const { position } = await must(journal.append(late))
      const records = [
        { stream: 'a', seq: 8, position, text: 'a8' },
        { stream: 'a', seq: 9, position: position + 1, text: 'a9' },
      ]
      expect(await all(journal.read('a'))).toEqual(records)
      expect(await all(journal.read('a', { to: 7 }))).toEqual([])
      expect(await texts(journal.read('a', { from: 2, to: 8 }))).toEqual(['a8'])
      expect(await texts(journal.readAll())).toEqual(['b1', 'a8', 'a9'])
      expect(await journal.head('a')).toEqual(records[1])
      expect((await texts(journal.heads())).sort()).toEqual(['a9', 'b1'])
    })

    journalTest(subject, 'it goes on, and is trimmed, as one that was trimmed here', async (journal) => {
      await must(journal.append(late))
      expect(await refused(journal.append({ stream: 'a', expected: 2, texts: ['late'] }))).toBe('CONFLICT')
      await add(journal, 'a', 9, 'a10')
      await must(journal.trim('a', 3))
      expect(await texts(journal.read('a'))).toEqual(['a8', 'a9', 'a10'])
      await must(journal.trim('a', 9))
      expect(await texts(journal.read('a'))).toEqual(['a9', 'a10'])
      await must(journal.saveSnapshot({ stream: 'a', seq: 9, text: 'at 9' }))
    })

    journalTest(subject, 'K2 a stream that is there is not adopted, whatever its last seq', async (journal) => {
      await add(journal, 'a', 0, ...Array.from({ length: 7 }, () => 'a'))
      expect(await refused(journal.append(late))).toBe('CONFLICT')
      expect(await refused(journal.append({ ...late, expected: 0 }))).toBe('CONFLICT')
      const again = { ...late, stream: 'c' }
      const answers = [journal.append(again)(), journal.append(again)()]
      expect((await Promise.all(answers)).map(({ _tag }) => _tag)).toEqual(['Right', 'Left'])
      expect(await texts(journal.readAll())).toHaveLength(9)
    })

    journalTest(subject, 'appends that follow it in the same breath are taken', async (journal) => {
      const answers = [
        journal.append(late)(),
        journal.append({ stream: 'a', expected: 9, texts: ['a10'] })(),
        journal.append({ stream: 'b', expected: 0, texts: ['b1'], adopt: true })(),
      ]
      expect((await Promise.all(answers)).map(({ _tag }) => _tag)).toEqual(['Right', 'Right', 'Right'])
      expect(await texts(journal.readAll())).toEqual(['a8', 'a9', 'a10', 'b1'])
    })

    journalTest(subject, 'K8 adopt is true or left out', async (journal) => {
      expect(await refused(journal.append({ ...late, adopt: 'yes' } as never))).toBe('BAD_INPUT')
      expect(await all(journal.readAll())).toEqual([])
    })
  })
}
