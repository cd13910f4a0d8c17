import { expect } from '../expect.ts'
import { describe } from '../suite.ts'
import { add, all, type JournalUnderTest, journalTest, refused, texts } from './case.ts'

export function valuesCases(subject: JournalUnderTest): void {
  describe('values', () => {
    const kept: [string, string][] = [
      ['an empty text', ''],
      ['accents and other scripts', 'Äpfel, naïve, 日本語, العربية, ﷺ'],
      ['characters beyond 16 bits', '👩‍👩‍👧‍👦 𝒳 🏴󠁧󠁢󠁥󠁮󠁧󠁿'],
      ['NUL and control characters', 'a\0b\u0001\u001f\u007f\0'],
      ['nothing but NUL', '\0'.repeat(5000)],
      ['line ends', 'a\r\nb\nc\u2028d\u2029'],
      ['a byte order mark', '\uFEFFtext\uFEFF'],
      ['noncharacters and the replacement character', '\uFFFE\uFFFF\uFFFD'],
      ['JSON with quotes and backslashes', JSON.stringify({ a: '"\\\n', __proto__: null })],
    ]
    for (const [title, text] of kept) {
      journalTest(subject, `${title} comes back as it was`, async (journal) => {
        await add(journal, 'a', 0, text, `${text}.`)
        expect(await texts(journal.read('a'))).toEqual([text, `${text}.`])
      })
    }

    for (const megabytes of [1, 16]) {
      journalTest(subject, `a text of ${megabytes} MB comes back as it was, between small ones`, async (journal) => {
        const text = `ä${'0123456789abcdef'.repeat(megabytes * 65_536)}`
        await Promise.all([add(journal, 'a', 0, 'small'), add(journal, 'b', 0, text), add(journal, 'c', 0, 'small')])
        const [found] = await texts(journal.read('b'))
        expect(found === text).toBe(true)
        expect((await texts(journal.readAll())).map(({ length }) => length)).toEqual([5, text.length, 5])
      })
    }

    journalTest(subject, 'half a surrogate pair is refused, never altered', async (journal) => {
      expect(await refused(journal.append({ stream: 'a', expected: 0, texts: ['ok', '\ud83d'] }))).toBe(
        'NOT_SERIALIZABLE',
      )
      expect(await refused(journal.append({ stream: '\ud83d', expected: 0, texts: ['ok'] }))).toBe('BAD_ID')
      expect(await all(journal.readAll())).toEqual([])
    })

    const names = [
      '__proto__',
      'constructor',
      'toString',
      '..',
      '/',
      'a/b',
      'a\0b',
      ' ',
      'ü',
      'u\u0308',
      'A',
      'a',
      '0',
      '👍',
    ]
    journalTest(subject, `streams may be named ${names.join(' ').replace('\0', '\\0')}`, async (journal) => {
      for (const name of names) await add(journal, name, 0, `of ${name}`)
      for (const name of names) expect(await texts(journal.read(name))).toEqual([`of ${name}`])
      expect((await all(journal.heads())).map(({ stream }) => stream).sort()).toEqual([...names].sort())
    })

    journalTest(subject, 'a name may have 512 characters', async (journal) => {
      const name = '文'.repeat(512)
      await add(journal, name, 0, 'one')
      expect(await all(journal.read(name))).toEqual([{ stream: name, seq: 1, position: 1, text: 'one' }])
    })

    for (const [title, stream] of [
      ['an empty name', ''],
      ['a name of 513 characters', 'x'.repeat(513)],
    ] as const) {
      journalTest(subject, `${title} is refused`, async (journal) => {
        expect(await refused(journal.append({ stream, expected: 0, texts: ['x'] }))).toBe('BAD_ID')
        expect(await all(journal.read(stream))).toEqual([])
      })
    }
  })
}
