import { expect } from '../expect.ts'
import { describe } from '../suite.ts'
import { add, all, type JournalUnderTest, journalTest, must, numbered, refused, texts } from './case.ts'

export function trimCases(subject: JournalUnderTest): void {
  describe('trim', () => {
    journalTest(subject, 'what is before is read no more, the rest as before', async (journal) => {
      await add(journal, 'a', 0, ...numbered(3))
      await add(journal, 'b', 0, 'b1')
      await add(journal, 'a', 3, 'text 4', 'text 5')
      const rest = (await all(journal.readAll())).filter(({ stream, seq }) => stream === 'b' || seq >= 4)
      await must(journal.trim('a', 4))
      expect(await all(journal.read('a'))).toEqual(rest.filter(({ stream }) => stream === 'a'))
      expect(await all(journal.readAll())).toEqual(rest)
      expect(await texts(journal.read('a', { from: 2 }))).toEqual(['text 4', 'text 5'])
      expect(await texts(journal.read('a', { from: 5 }))).toEqual(['text 5'])
      expect(await texts(journal.read('a', { to: 3 }))).toEqual([])
      expect(await texts(journal.read('a', { to: 4 }))).toEqual(['text 4'])
      expect(await texts(journal.readAll({ from: 2, to: 5 }))).toEqual(['b1', 'text 4'])
    })

    journalTest(subject, 'the heads stay, and the stream goes on counting', async (journal) => {
      await add(journal, 'a', 0, ...numbered(3))
      await must(journal.trim('a', 3))
      expect(await texts(journal.heads())).toEqual(['text 3'])
      expect(await journal.head('a')).toEqual({ stream: 'a', seq: 3, position: 3, text: 'text 3' })
      expect(await refused(journal.append({ stream: 'a', expected: 0, texts: ['again'] }))).toBe('CONFLICT')
      expect(await refused(journal.append({ stream: 'a', expected: 1, texts: ['again'] }))).toBe('CONFLICT')
      const position = await add(journal, 'a', 3, 'text 4')
      expect(position).toBeGreaterThan(3)
      expect(await all(journal.read('a'))).toEqual([
        { stream: 'a', seq: 3, position: 3, text: 'text 3' },
        { stream: 'a', seq: 4, position, text: 'text 4' },
      ])
    })

    journalTest(subject, 'positions ascend over it, and what comes later can be read from them', async (journal) => {
      await add(journal, 'a', 0, ...numbered(4))
      await must(journal.trim('a', 2))
      const b = await add(journal, 'b', 0, 'b1', 'b2')
      await must(journal.trim('a', 4))
      const c = await add(journal, 'c', 0, 'c1')
      expect((await all(journal.readAll())).map(({ position }) => position)).toEqual([4, b, b + 1, c])
      expect(await texts(journal.readAll({ from: b }))).toEqual(['b1', 'b2', 'c1'])
      expect(await texts(journal.readAll({ from: c }))).toEqual(['c1'])
    })

    journalTest(subject, 'before the first record, or what is gone already, it drops nothing', async (journal) => {
      await add(journal, 'a', 0, ...numbered(3))
      await must(journal.trim('a', 1))
      expect(await texts(journal.read('a'))).toEqual(numbered(3))
      await must(journal.trim('a', 3))
      await must(journal.trim('a', 3))
      await must(journal.trim('a', 2))
      expect(await texts(journal.readAll())).toEqual(['text 3'])
    })

    for (const [title, before] of [
      ['beyond the last record', 4],
      ['before 0', 0],
      ['between two records', 1.5],
      ['before NaN', Number.NaN],
    ] as const) {
      journalTest(subject, `${title} it is refused`, async (journal) => {
        await add(journal, 'a', 0, ...numbered(3))
        expect(await refused(journal.trim('a', before))).toBe('BAD_OPTION')
        expect(await texts(journal.read('a'))).toEqual(numbered(3))
      })
    }

    journalTest(subject, 'of a stream that is not there it is refused, and makes none', async (journal) => {
      expect(await refused(journal.trim('a', 1))).toBe('BAD_OPTION')
      expect(await refused(journal.trim('', 1))).toBe('BAD_ID')
      expect(await all(journal.heads())).toEqual([])
      expect(await add(journal, 'a', 0, 'one')).toBe(1)
    })

    journalTest(subject, 'the task does nothing until it is called', async (journal) => {
      await add(journal, 'a', 0, 'one', 'two')
      journal.trim('a', 2)
      expect(await texts(journal.read('a'))).toEqual(['one', 'two'])
    })

    journalTest(subject, 'it keeps the order of the calls between appends', async (journal) => {
      const tasks = [
        journal.append({ stream: 'a', expected: 0, texts: numbered(3) })(),
        journal.trim('a', 5)(),
        journal.append({ stream: 'a', expected: 3, texts: ['text 4', 'text 5'] })(),
        journal.trim('a', 5)(),
        journal.append({ stream: 'b', expected: 0, texts: ['b1'] })(),
      ]
      expect((await Promise.all(tasks)).map(({ _tag }) => _tag)).toEqual(['Right', 'Left', 'Right', 'Right', 'Right'])
      expect(await texts(journal.readAll())).toEqual(['text 5', 'b1'])
    })

    journalTest(subject, 'a read that has begun ends without an error', async (journal) => {
      await add(journal, 'a', 0, ...numbered(5))
      const reading = journal.read('a')[Symbol.asyncIterator]()
      await reading.next()
      await must(journal.trim('a', 5))
      let last: string | undefined
      for (let next = await reading.next(); !next.done; next = await reading.next()) last = next.value.text
      expect(last).toBe('text 5')
    })

    journalTest(subject, 'after close it is refused', async (journal) => {
      await add(journal, 'a', 0, 'one')
      await must(journal.close())
      expect(await refused(journal.trim('a', 1))).toBe('CLOSED')
    })
  })
}
