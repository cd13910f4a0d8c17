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

    journalTest(subject, 'what was trimmed stays away, and the stream goes on counting', async (journal) => {
      await add(journal, 'a', 0, ...numbered(5))
      await must(journal.trim('a', 3))
      await add(journal, 'b', 0, 'b1')
      await must(journal.trim('a', 5))
      const before = await all(journal.readAll())
      const opened = await again(journal)
      expect(await all(opened.readAll())).toEqual(before)
      expect(await texts(opened.read('a'))).toEqual(['text 5'])
      expect((await all(opened.heads())).map(({ stream, seq }) => `${stream}${seq}`).sort()).toEqual(['a5', 'b1'])
      expect(await opened.head('a')).toMatchObject({ seq: 5, text: 'text 5' })
      expect(await refused(opened.append({ stream: 'a', expected: 1, texts: ['late'] }))).toBe('CONFLICT')
      expect(await refused(opened.trim('a', 6))).toBe('BAD_OPTION')
      const position = await add(opened, 'a', 5, 'text 6')
      expect(position).toBeGreaterThan(before.at(-1)!.position)
      expect(await all((await again(opened)).readAll({ from: position }))).toEqual([
        { stream: 'a', seq: 6, position, text: 'text 6' },
      ])
    })

    journalTest(subject, 'a stream that was adopted begins where it began', async (journal) => {
      await must(journal.append({ stream: 'a', expected: 7, texts: ['a8', 'a9'], adopt: true }))
      await add(journal, 'b', 0, ...numbered(40))
      const before = await all(journal.readAll())
      const opened = await again(journal)
      expect(await all(opened.readAll())).toEqual(before)
      expect(await texts(opened.read('a'))).toEqual(['a8', 'a9'])
      expect(await refused(opened.append({ stream: 'a', expected: 2, texts: ['late'] }))).toBe('CONFLICT')
      expect(await refused(opened.append({ stream: 'a', expected: 9, texts: ['x'], adopt: true }))).toBe('CONFLICT')
      await add(opened, 'a', 9, 'a10')
      const last = await again(opened)
      expect(await texts(last.read('a'))).toEqual(['a8', 'a9', 'a10'])
      await must(last.trim('a', 10))
      expect(await texts(last.read('a'))).toEqual(['a10'])
    })

    journalTest(subject, 'K3 a snapshot is as it was, or is not there', async (journal) => {
      await add(journal, 'a', 0, ...numbered(3))
      const snapshot = { stream: 'a', seq: 2, text: 'zwölf 👍\0' }
      await must(journal.saveSnapshot(snapshot))
      const opened = await again(journal)
      expect((await opened.snapshot('a')) ?? snapshot).toEqual(snapshot)
    })

    journalTest(subject, 'a text of 16 MB is there', async (journal) => {
      const text = '0123456789abcdef'.repeat(1 << 20)
      await add(journal, 'a', 0, 'small', text, 'small')
      const [, found] = await texts((await again(journal)).read('a'))
      expect(found === text).toBe(true)
    })
  })
}
