// A journal as text and back: K3 to the letter, K7 no cut or edited file passes for a whole one, K9 in flat memory.
import { createReadStream, createWriteStream } from 'node:fs'
import { appendFile, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import fc from 'fast-check'
import { right } from 'fp-ts/lib/Either.js'
import { describe, expect, it } from 'vitest'
import { exportJournal, importJournal, type Journal, memoryJournal } from '../../src/journal/index.ts'
import { encodeCommit } from '../../src/journal/records.ts'
import { add, all, must } from '../../src/testing/journal/case.ts'
import { newFolder, openIn } from './folder.ts'

const linesOf = async (lines: AsyncIterable<string>) => {
  const found: string[] = []
  for await (const line of lines) found.push(line)
  return found
}
const recordsOf = async (journal: Journal) =>
  (await all(journal.readAll())).map(({ stream, seq, text }) => ({ stream, seq, text }))

const header = { stream: 'order/o-1', seq: 1, at: 1, kind: 'event', version: 1 } as const
const commit = (payload: string, format: 'json' | 'devalue' = 'json', outcome = '{"value":"open"}') =>
  encodeCommit(header, outcome, { format, text: payload })

const ODD = [
  '',
  'no commit',
  'one\ntwo',
  'one\ntwo\njthree',
  '{}\n{}\nx',
  '{}\n{}\n',
  '{ }\n{}\nj{}',
  '{"a":1,"a":2}\n{}\nj',
  '1\n2\nj3',
  '{}\n{}\nj-0',
  '{}\n{}\nj1e400',
  '{}\n{}\nj12345678901234567890',
  '{"2":0,"1":0}\n{}\nj',
  `{}\n{}\nj${'['.repeat(50_000)}`,
  '{}\n\nj',
  'a\u2028b\u2029c\r\nd\0\uFEFF',
  commit(''),
  commit('{"type":"PAY"}'),
  commit('{"type":"PAY","__proto__":{"polluted":true}}'),
  commit('"\u2028 \\ud83d 👩‍👩‍👧 \\u0000"'),
  commit('{\n "type": "PAY"\n}'),
  commit('[["Map",1],2]', 'devalue'),
  commit('', 'json', ''),
]

async function odd(journal: Journal): Promise<Journal> {
  for (const [number, text] of ODD.entries()) await add(journal, 'order/o-1', number, text)
  await add(journal, '__proto__', 0, 'one', 'two')
  await must(journal.append({ stream: 'order/late', expected: 41, texts: ['42'], adopt: true }))
  await add(journal, 'order/trimmed', 0, 'one', 'two', 'three')
  await must(journal.trim('order/trimmed', 3))
  return journal
}

describe('export and import', () => {
  it('K3 every record comes back to the letter, from file to memory to file', async () => {
    const file = await odd(await openIn(await newFolder()))
    const memory = memoryJournal()
    const { records } = await importJournal(exportJournal(file), memory)
    expect(records).toBe(ODD.length + 4)
    expect(await recordsOf(memory)).toEqual(await recordsOf(file))
    const again = await openIn(await newFolder())
    await importJournal(exportJournal(memory), again)
    expect(await recordsOf(again)).toEqual(await recordsOf(file))
    expect(await again.head('order/late')).toMatchObject({ seq: 42 })
  })

  it('K3 whatever the text', async () => {
    const part = fc.oneof(fc.json(), fc.string({ unit: 'grapheme' }), fc.constant(''))
    const text = fc.oneof(
      fc.tuple(part, part, fc.constantFrom('j', 'd', 'x', ''), part).map(([a, b, c, d]) => `${a}\n${b}\n${c}${d}`),
      fc.string({ unit: 'grapheme' }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 20 }), async (texts) => {
        const from = memoryJournal()
        await add(from, 'a', 0, ...texts)
        const to = memoryJournal()
        await importJournal(exportJournal(from), to)
        expect(await recordsOf(to)).toEqual(await recordsOf(from))
      }),
      { numRuns: 200 },
    )
  })

  it('a commit stands there as JSON that other programs read', async () => {
    const journal = memoryJournal()
    await add(journal, 'order/o-1', 0, commit('{"type":"PAY","amount":12}'), 'text')
    const [first, ...lines] = (await linesOf(exportJournal(journal))).map((line) => JSON.parse(line))
    expect(first).toEqual({ duramen: 'journal', version: 1 })
    expect(lines).toEqual([
      {
        position: 1,
        stream: 'order/o-1',
        seq: 1,
        header,
        outcome: { value: 'open' },
        payload: { type: 'PAY', amount: 12 },
        format: 'json',
      },
      { position: 2, stream: 'order/o-1', seq: 2, text: 'text' },
      { duramen: 'end', records: 2, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
    ])
  })

  it('takes a file in pieces of any size', async () => {
    const from = await odd(memoryJournal())
    const bytes = Buffer.from((await linesOf(exportJournal(from))).join(''))
    for (const size of [1, 7, 4096, bytes.length]) {
      const pieces: Buffer[] = []
      for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size))
      const to = memoryJournal()
      await importJournal(size === 7 ? Readable.from(pieces) : pieces, to)
      expect(await recordsOf(to)).toEqual(await recordsOf(from))
    }
  })

  it('a text of 16 MB goes through a file', async () => {
    const folder = await newFolder()
    const from = memoryJournal()
    const text = `"ä\0${'0123456789abcdef'.repeat(1 << 20)}`
    await add(from, 'a', 0, 'small', text, commit(JSON.stringify({ text })))
    const file = join(folder, 'export.ndjson')
    await pipeline(exportJournal(from), createWriteStream(file))
    const to = await openIn(join(folder, 'journal'))
    await importJournal(createReadStream(file), to)
    const before = await recordsOf(from)
    const after = await recordsOf(to)
    expect(after.map((record, number) => record.text === before[number]!.text)).toEqual([true, true, true])
  })

  it('machine and instance choose what is exported', async () => {
    const journal = memoryJournal()
    for (const stream of ['$host', '$machine/order', '$machine/other', 'order/o-1', 'order/o-2', 'orders/o-1'])
      await add(journal, stream, 0, 'text')
    const streams = async (options: object) => {
      const lines = (await linesOf(exportJournal(journal, options))).map((line) => JSON.parse(line))
      return lines.flatMap(({ stream }) => stream ?? [])
    }
    expect(await streams({ machine: 'order' })).toEqual(['$machine/order', 'order/o-1', 'order/o-2'])
    expect(await streams({ machine: 'order', instance: 'o-2' })).toEqual(['$machine/order', 'order/o-2'])
    expect(await streams({ machine: 'none' })).toEqual([])
    const part = memoryJournal()
    await importJournal(exportJournal(journal, { machine: 'order', instance: 'o-2' }), part)
    expect((await recordsOf(part)).map(({ stream }) => stream)).toEqual(['$machine/order', 'order/o-2'])
  })
})

describe('K7 what is no whole export is refused', () => {
  const imported = async (lines: readonly string[]) => {
    const journal = memoryJournal()
    const error = await importJournal(lines, journal).catch((error) => error)
    return { error, records: await recordsOf(journal) }
  }
  const sample = async () => {
    const journal = memoryJournal()
    await add(journal, 'a', 0, commit('{"type":"PAY"}'), 'two')
    await add(journal, 'b', 0, 'one')
    return linesOf(exportJournal(journal))
  }

  it('cut at any byte', async () => {
    const whole = Buffer.from((await sample()).join(''))
    for (let length = 0; length < whole.length; length++) {
      const journal = memoryJournal()
      const error = await importJournal([whole.subarray(0, length)], journal).catch((error) => error)
      expect(error).toMatchObject({ code: 'EXPORT_DAMAGED', where: { line: expect.any(Number) } })
    }
  })

  it('with any byte changed', async () => {
    const whole = Buffer.from((await sample()).join(''))
    for (let at = 0; at < whole.length; at++) {
      const changed = Buffer.from(whole)
      changed[at]! ^= 1
      const error = await importJournal([changed], memoryJournal()).catch((error) => error)
      expect(error, `byte ${at}`).toMatchObject({ code: 'EXPORT_DAMAGED' })
    }
  })

  it('with lines that are missing, twice, in another order or of another file', async () => {
    const lines = await sample()
    const [first, a1, a2, b1, end] = lines as [string, string, string, string, string]
    const wrong: [string, string[], number][] = [
      ['nothing', [], 1],
      ['no header', [a1, a2, b1, end], 1],
      ['a text', ['hello\n'], 1],
      ['a record is missing', [first, a1, b1, end], 4],
      ['the first of a stream is missing', [first, a2, b1, end], 4],
      ['a record twice', [first, a1, a1, a2, b1, end], 3],
      ['another order', [first, b1, a1, a2, end], 3],
      ['no end', [first, a1, a2, b1], 5],
      ['something behind the end', [...lines, a1], 6],
      ['two exports', [...lines, ...lines], 6],
      ['a header within', [first, a1, first, a2, b1, end], 3],
      ['an empty line', [first, a1, '\n', a2, b1, end], 3],
      ['a newer version', [first.replace('"version":1', '"version":2'), a1, a2, b1, end], 1],
    ]
    for (const [title, changed, line] of wrong)
      expect((await imported(changed)).error, title).toMatchObject({ code: 'EXPORT_DAMAGED', where: { line } })
  })

  it('with line ends that another system has changed', async () => {
    const { error } = await imported((await sample()).map((line) => line.replace('\n', '\r\n')))
    expect(error).toMatchObject({ code: 'EXPORT_DAMAGED', where: { line: 5 } })
  })

  it('says how many records are in the journal, and what to do', async () => {
    const journal = memoryJournal()
    for (let seq = 0; seq < 2500; seq++) await add(journal, `s${seq % 3}`, Math.floor(seq / 3), `text ${seq}`)
    const lines = await linesOf(exportJournal(journal))
    const { error, records } = await imported(lines.filter((_, number) => number !== 2400))
    expect(error).toMatchObject({ code: 'EXPORT_DAMAGED', where: { line: 2403 } })
    expect(error.hint).toMatch(/^2000 records are in the journal, which is to be removed\. /)
    expect(records).toHaveLength(2000)
    expect((await imported(lines.slice(1))).error.hint).toMatch(/^Nothing was imported\. /)
  })
})

describe('import', () => {
  it('goes into an empty journal only', async () => {
    const from = memoryJournal()
    await add(from, 'a', 0, 'one')
    const to = await openIn(await newFolder())
    await add(to, 'b', 0, 'here already')
    await expect(importJournal(exportJournal(from), to)).rejects.toMatchObject({ code: 'NOT_EMPTY' })
    expect((await recordsOf(to)).map(({ text }) => text)).toEqual(['here already'])
  })

  it('hands on what the journal answers, with the line', async () => {
    const lines = ['{"duramen":"journal","version":1}\n', '{"position":1,"stream":"a","seq":1,"text":"\\ud83d"}\n']
    const end = (await import('node:crypto')).createHash('sha256').update(lines.join('')).digest('hex')
    lines.push(`{"duramen":"end","records":1,"sha256":"${end}"}\n`)
    await expect(importJournal(lines, memoryJournal())).rejects.toMatchObject({
      code: 'NOT_SERIALIZABLE',
      where: { line: 2, stream: 'a' },
    })
  })

  it('says that the file could not be read', async () => {
    const missing = createReadStream(join(await newFolder(), 'missing'))
    await expect(importJournal(missing, memoryJournal())).rejects.toMatchObject({ code: 'FOLDER_MISSING' })
  })

  it('K9 asks the journal for streams that it does not remember', async () => {
    const streams = Array.from({ length: 66_000 }, (_, number) => `s${number}`)
    const from = memoryJournal()
    for (const stream of streams) await must(from.append({ stream, expected: 4, texts: ['5'], adopt: true }))
    for (const stream of streams) await add(from, stream, 5, '6')
    const to = memoryJournal()
    expect(await importJournal(exportJournal(from), to)).toEqual({ records: 132_000 })
    for (const stream of streams.slice(0, 100)) expect(await to.head(stream)).toMatchObject({ seq: 6, text: '6' })
    const gap = async function* () {
      for await (const line of exportJournal(from)) yield line.replace('"stream":"s7","seq":6', '"stream":"s7","seq":8')
    }
    await expect(importJournal(gap(), memoryJournal())).rejects.toMatchObject({
      code: 'EXPORT_DAMAGED',
      message: 'Line 66009 of the export: record 8 of s7 does not follow 5',
    })
  })

  it('K9 reads no further than the journal takes', async () => {
    let taken = 0
    let kept = 0
    async function* endless() {
      yield '{"duramen":"journal","version":1}\n'
      for (taken = 1; taken <= 20_000; taken++) yield `{"position":${taken},"stream":"a","seq":${taken},"text":"x"}\n`
    }
    let ahead = 0
    const slow: Pick<Journal, 'append' | 'head' | 'readAll'> = {
      ...memoryJournal(),
      append:
        ({ texts }) =>
        async () => {
          ahead = Math.max(ahead, taken - kept)
          kept += texts.length
          return right({ position: kept })
        },
    }
    await expect(importJournal(endless(), slow)).rejects.toMatchObject({ code: 'EXPORT_DAMAGED' }) // it has no end
    expect(kept).toBeGreaterThan(18_000)
    expect(ahead).toBeLessThanOrEqual(1001)
  })
})

it('K9 an export reads no further than its lines are taken, and ends when nobody wants more', async () => {
  const journal = memoryJournal()
  await add(journal, 'a', 0, ...Array.from({ length: 100 }, (_, number) => `${number}`))
  let read = 0
  const counting = {
    async *readAll() {
      for await (const record of journal.readAll()) {
        read++
        yield record
      }
    },
  }
  for await (const line of exportJournal(counting)) if (line.includes('"seq":10,')) break
  expect(read).toBe(10)
})

it('a file that something was added to is refused', async () => {
  const folder = await newFolder()
  const file = join(folder, 'export.ndjson')
  await pipeline(exportJournal(memoryJournal()), createWriteStream(file))
  expect(await importJournal([await readFile(file)], memoryJournal())).toEqual({ records: 0 })
  await appendFile(file, '{}')
  await expect(importJournal(createReadStream(file), memoryJournal())).rejects.toMatchObject({
    code: 'EXPORT_DAMAGED',
    where: { line: 3 },
  })
})
