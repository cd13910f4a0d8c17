import { expect } from '../expect.ts'
import { describe } from '../suite.ts'
import { add, type JournalUnderTest, journalTest, must, numbered, refused } from './case.ts'

export function snapshotCases(subject: JournalUnderTest): void {
  describe('snapshots', () => {
    journalTest(subject, 'there is none before one is kept', async (journal) => {
      await add(journal, 'a', 0, 'one')
      expect(await journal.snapshot('a')).toBeUndefined()
      expect(await journal.snapshot('nobody')).toBeUndefined()
    })

    journalTest(subject, 'what was kept is there at once, of its own stream only', async (journal) => {
      await add(journal, 'a', 0, ...numbered(3))
      await add(journal, 'b', 0, 'b1')
      const snapshot = { stream: 'a', seq: 2, text: 'zwölf 👍\0' }
      await must(journal.saveSnapshot(snapshot))
      expect(await journal.snapshot('a')).toEqual(snapshot)
      expect(await journal.snapshot('b')).toBeUndefined()
    })

    journalTest(subject, 'the newest counts, in whatever order they come', async (journal) => {
      await add(journal, 'a', 0, ...numbered(5))
      for (const seq of [2, 4, 3, 1]) await must(journal.saveSnapshot({ stream: 'a', seq, text: `at ${seq}` }))
      expect(await journal.snapshot('a')).toEqual({ stream: 'a', seq: 4, text: 'at 4' })
      await must(journal.saveSnapshot({ stream: 'a', seq: 4, text: 'at 4, anew' }))
      expect(await journal.snapshot('a')).toEqual({ stream: 'a', seq: 4, text: 'at 4, anew' })
    })

    journalTest(subject, 'one of records that are not there does not count', async (journal) => {
      await must(journal.saveSnapshot({ stream: 'a', seq: 1, text: 'of nothing' }))
      expect(await journal.snapshot('a')).toBeUndefined()
      await add(journal, 'a', 0, 'one')
      await must(journal.saveSnapshot({ stream: 'a', seq: 2, text: 'too far' }))
      expect(await journal.snapshot('a')).toBeUndefined()
      await must(journal.saveSnapshot({ stream: 'a', seq: 1, text: 'at 1' }))
      expect((await journal.snapshot('a'))?.text).toBe('at 1')
      await add(journal, 'a', 1, 'two')
      expect((await journal.snapshot('a'))?.text).toBe('at 1')
    })

    journalTest(subject, 'one counts as long as the record it was taken after is kept', async (journal) => {
      await add(journal, 'a', 0, ...numbered(5))
      await must(journal.saveSnapshot({ stream: 'a', seq: 3, text: 'at 3' }))
      await must(journal.trim('a', 3))
      expect((await journal.snapshot('a'))?.text).toBe('at 3')
      await must(journal.trim('a', 4))
      expect(await journal.snapshot('a')).toBeUndefined()
      await must(journal.saveSnapshot({ stream: 'a', seq: 5, text: 'at 5' }))
      expect((await journal.snapshot('a'))?.text).toBe('at 5')
    })

    journalTest(subject, 'a thousand streams, a text of 1 MB among them', async (journal) => {
      const names = Array.from({ length: 1000 }, (_, number) => `s${number}`)
      await Promise.all(names.map((name) => add(journal, name, 0, 'one')))
      const text = (name: string) => (name === 's7' ? 'x'.repeat(1 << 20) : `of ${name}`)
      await Promise.all(names.map((stream) => must(journal.saveSnapshot({ stream, seq: 1, text: text(stream) }))))
      for (const name of names) expect((await journal.snapshot(name))?.text === text(name)).toBe(true)
    })

    journalTest(subject, 'names are as free as those of records', async (journal) => {
      for (const name of ['__proto__', '..', 'a\0b', 'ü', 'u\u0308', '文'.repeat(512)]) {
        await add(journal, name, 0, 'one')
        await must(journal.saveSnapshot({ stream: name, seq: 1, text: `of ${name}` }))
        expect((await journal.snapshot(name))?.text).toBe(`of ${name}`)
      }
    })

    journalTest(subject, 'they are no records', async (journal) => {
      await add(journal, 'a', 0, 'one')
      await must(journal.saveSnapshot({ stream: 'a', seq: 1, text: 'at 1' }))
      expect(await journal.head('a')).toEqual({ stream: 'a', seq: 1, position: 1, text: 'one' })
      expect(await add(journal, 'a', 1, 'two')).toBe(2)
    })

    journalTest(subject, 'K8 what no record can be is refused', async (journal) => {
      const codes = [
        { stream: '', seq: 1, text: 'x' },
        { stream: 'a', seq: 0, text: 'x' },
        { stream: 'a', seq: 1.5, text: 'x' },
        { stream: 'a', seq: 1, text: '\ud83d' },
      ].map((snapshot) => refused(journal.saveSnapshot(snapshot)))
      expect(await Promise.all(codes)).toEqual(['BAD_ID', 'BAD_INPUT', 'BAD_INPUT', 'NOT_SERIALIZABLE'])
    })

    journalTest(subject, 'after close both are refused', async (journal) => {
      await add(journal, 'a', 0, 'one')
      await must(journal.close())
      expect(await refused(journal.saveSnapshot({ stream: 'a', seq: 1, text: 'x' }))).toBe('CLOSED')
      await expect(journal.snapshot('a')).rejects.toMatchObject({ code: 'CLOSED' })
    })
  })
}
