import type { Journal } from '../../journal/port.ts'
import { expect } from '../expect.ts'
import { describe, onTestFinished } from '../suite.ts'
import { add, all, type JournalUnderTest, journalTest, must, numbered, refused, texts } from './case.ts'

export function reopenCases(subject: JournalUnderTest, reopen: (closed: Journal) => Promise<Journal>): void {
  const again = async (journal: Journal) => {
    await must(journal.close())
    const opened = await reopen(journal)
    onTestFinished(async () => {
      await opened.close()()
    })
    return opened
  }

  describe('K7 reopened', () => {
    journalTest(subject, 'an empty journal is empty', async (journal) => {
      expect(await all((await again(journal)).readAll())).toEqual([])
    })

    journalTest(subject, 'every record is there as it was', async (journal) => {
      await add(journal, 'a', 0, 'one', '', 'zwölf 👍\0')
      await add(journal, '__proto__', 0, 'b1')
      await Promise.all(numbered(300).map((text, index) => add(journal, 'c', index, text)))
      const before = await all(journal.readAll())
      const opened = await again(journal)
      expect(await all(opened.readAll())).toEqual(before)
      expect(await texts(opened.read('c'))).toEqual(numbered(300))
      expect(await all(opened.heads())).toHaveLength(3)
    })

    journalTest(subject, 'it goes on where it was', async (journal) => {
      await add(journal, 'a', 0, 'one', 'two')
      const opened = await again(journal)
      expect(await add(opened, 'a', 2, 'three')).toBe(3)
      expect(await add(opened, 'b', 0, 'b1')).toBe(4)
      expect(await texts((await again(opened)).readAll())).toEqual(['one', 'two', 'three', 'b1'])
    })

    journalTest(subject, 'K2 it knows what it must refuse', async (journal) => {
      await add(journal, 'a', 0, 'one')
      const opened = await again(journal)
      expect(await refused(opened.append({ stream: 'a', expected: 0, texts: ['late'] }))).toBe('CONFLICT')
    })

    journalTest(subject, 'what was refused has not come back', async (journal) => {
      await Promise.all([
        add(journal, 'a', 0, 'kept'),
        refused(journal.append({ stream: 'a', expected: 0, texts: ['late'] })),
        add(journal, 'b', 0, 'kept too'),
      ])
      expect(await texts((await again(journal)).readAll())).toEqual(['kept', 'kept too'])
    })

    journalTest(subject, 'a text of 16 MB is there', async (journal) => {
      const text = '0123456789abcdef'.repeat(1 << 20)
      await add(journal, 'a', 0, 'small', text, 'small')
      const [, found] = await texts((await again(journal)).read('a'))
      expect(found === text).toBe(true)
    })
  })
}
