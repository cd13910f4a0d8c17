import { expect } from '../expect.ts'
import { describe } from '../suite.ts'
import { add, all, type JournalUnderTest, journalTest, numbered, refused, texts } from './case.ts'

export function concurrencyCases(subject: JournalUnderTest): void {
  describe('concurrency', () => {
    journalTest(subject, 'appends to one stream keep the order of the calls', async (journal) => {
      const positions = await Promise.all(numbered(500).map((text, index) => add(journal, 'a', index, text)))
      expect(positions).toEqual(Array.from({ length: 500 }, (_, index) => index + 1))
      expect(await texts(journal.read('a'))).toEqual(numbered(500))
    })

    journalTest(subject, 'appends to one stream are answered in the order of the calls', async (journal) => {
      const answered: number[] = []
      await Promise.all(
        numbered(200).map((text, index) => add(journal, 'a', index, text).then((at) => answered.push(at))),
      )
      expect(answered).toEqual(Array.from({ length: 200 }, (_, index) => index + 1))
    })

    journalTest(subject, 'K2 of writers that race for one seq one wins', async (journal) => {
      const codes = await Promise.all(
        numbered(20).map((text) => refused(journal.append({ stream: 'a', expected: 0, texts: [text] }))),
      )
      expect(codes.filter((code) => code === 'CONFLICT')).toHaveLength(19)
      expect(await all(journal.read('a'))).toHaveLength(1)
    })

    journalTest(subject, 'many writers on many streams: every record once, positions without gaps', async (journal) => {
      const writer = async (stream: string) => {
        for (let seq = 0; seq < 40; seq++) await add(journal, stream, seq, `${stream} ${seq + 1}`)
      }
      await Promise.all(Array.from({ length: 50 }, (_, number) => writer(`s${number}`)))
      const records = await all(journal.readAll())
      expect(records.map(({ position }) => position)).toEqual(Array.from({ length: 2000 }, (_, index) => index + 1))
      expect(records.every(({ stream, seq, text }) => text === `${stream} ${seq}`)).toBe(true)
    })

    journalTest(subject, 'an append of several texts is not mixed with others', async (journal) => {
      await Promise.all(Array.from({ length: 50 }, (_, number) => add(journal, `s${number}`, 0, 'x', 'y', 'z')))
      const streams = (await all(journal.readAll())).map(({ stream }) => stream)
      for (let at = 0; at < streams.length; at += 3) expect(new Set(streams.slice(at, at + 3)).size).toBe(1)
    })

    journalTest(subject, 'reads go on while others append', async (journal) => {
      await add(journal, 'a', 0, ...numbered(300))
      let reading = true
      const writer = (async () => {
        for (let seq = 0; reading; seq++) {
          await add(journal, 'b', seq, 'b')
          await new Promise(setImmediate)
        }
      })()
      for (let round = 0; round < 5; round++) expect(await texts(journal.read('a'))).toEqual(numbered(300))
      reading = false
      await writer
      const positions = (await all(journal.readAll())).map(({ position }) => position)
      expect(positions).toEqual(positions.map((_, index) => index + 1))
    })
  })
}
