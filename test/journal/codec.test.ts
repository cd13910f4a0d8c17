// K12: what a codec makes of the texts is what is on disk, and nothing else; what does not open with its key is no data.
import { randomBytes } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { describe, expect, test, vi } from 'vitest'
import { crc } from '../../src/journal/file/segments/crc.ts'
import { aesGcm, type FileJournalOptions, type FrameCodec, fileJournal, type Keys } from '../../src/journal/index.ts'
import { add, all, must, texts } from '../../src/testing/journal/case.ts'
import { newFolder, openIn, quiet, segmentsOf } from './folder.ts'

/** Keys in memory: one per stream, and what was forgotten. */
function someKeys() {
  const secrets = new Map<string, Buffer | undefined>()
  const keys: Keys = (stream) => {
    if (!secrets.has(stream)) secrets.set(stream, randomBytes(32))
    const secret = secrets.get(stream)
    return secret && { id: 7, secret }
  }
  return { keys, forget: (stream: string) => void secrets.set(stream, undefined) }
}

const someAes = () => aesGcm({ keys: someKeys().keys })

const deflate: FrameCodec = {
  id: 64,
  encode: (bytes) => ({ bytes: deflateRawSync(bytes), keyId: 0 }),
  decode: (bytes) => inflateRawSync(bytes),
}

async function filesOf(folder: string): Promise<{ name: string; bytes: Buffer }[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  return Promise.all(files.map(async (name) => ({ name, bytes: await readFile(name) })))
}

async function errorOf(promise: Promise<unknown>) {
  return promise.then(
    () => 'nothing was refused',
    (error) => error,
  )
}

/** Text of so many records as an index of `indexEvery: 16` takes: all of them are in it when the journal is closed. */
const INDEXED = Array.from({ length: 16 }, (_, index) => `text ${index + 1}`)

const CANARY = 'the canary sings in the coal mine'

test('K12 no file of an encrypted journal holds a word of what was appended or kept as a snapshot', async () => {
  const codec = someAes()
  for (const options of [{ codec }, {}] as FileJournalOptions[]) {
    const folder = await newFolder()
    const journal = await openIn(folder, { ...options, indexEvery: 16, segmentBytes: 4096 })
    for (let seq = 0; seq < 60; seq++) await add(journal, 'bird', seq, `${CANARY} ${seq}`)
    await must(journal.trim('bird', 3))
    await must(journal.saveSnapshot({ stream: 'bird', seq: 60, text: `${CANARY}, asleep` }))
    await must(journal.close())
    const files = await filesOf(folder)
    expect(files.map(({ name }) => name).filter((name) => /snapshots|index/.test(name)).length).toBeGreaterThan(1)
    const telling = files.filter(({ bytes }) => bytes.includes('canary')).map(({ name }) => name)
    if (options.codec) expect(telling).toEqual([])
    else expect(telling.length).toBeGreaterThan(1) // a segment and the snapshots: it would be seen
    const again = await openIn(folder, options)
    expect(await again.head('bird')).toMatchObject({ seq: 60, text: `${CANARY} 59` })
    expect(await texts(again.read('bird'))).toEqual(Array.from({ length: 58 }, (_, index) => `${CANARY} ${index + 2}`))
    expect(await again.snapshot('bird')).toEqual({ stream: 'bird', seq: 60, text: `${CANARY}, asleep` })
  }
})

test('K12 what is written in plain text stays readable once there is a codec, and its snapshots go', async () => {
  const folder = await newFolder()
  const plain = await openIn(folder)
  await add(plain, 'a', 0, 'one', 'two')
  await must(plain.saveSnapshot({ stream: 'a', seq: 2, text: CANARY }))
  await must(plain.close())
  const codec = someAes()
  const journal = await openIn(folder, { codec })
  await add(journal, 'a', 2, 'three')
  expect(await texts(journal.read('a'))).toEqual(['one', 'two', 'three'])
  expect(await journal.snapshot('a')).toBeUndefined()
  await must(journal.close())
  expect((await readFile(join(folder, 'snapshots'))).includes(CANARY)).toBe(false)
  const again = await openIn(folder, { codec })
  expect(await texts(again.readAll())).toEqual(['one', 'two', 'three'])
})

describe('a codec of one’s own', () => {
  test('may compress, and encrypt what it has compressed', async () => {
    const aes = someAes()
    const both: FrameCodec = {
      id: 65,
      encode: (bytes, place) => aes.encode(deflateRawSync(bytes), place),
      decode(bytes, place, keyId) {
        const packed = aes.decode(bytes, place, keyId)
        return packed && inflateRawSync(packed)
      },
    }
    for (const codec of [deflate, both]) {
      const folder = await newFolder()
      const journal = await openIn(folder, { codec })
      const text = 'again and again '.repeat(1000)
      await add(journal, 'a', 0, text, 'ünd', '')
      await must(journal.close())
      expect((await segmentsOf(folder))[0]!.bytes.length).toBeLessThan(text.length / 10)
      expect(await texts((await openIn(folder, { codec })).read('a'))).toEqual([text, 'ünd', ''])
    }
  })

  test('the first of several writes, all of them read', async () => {
    const folder = await newFolder()
    const aes = someAes()
    for (const [number, codec] of [deflate, [aes, deflate], [deflate, aes]].entries()) {
      const journal = await openIn(folder, { codec })
      await add(journal, 'a', number, `written ${number}`)
      expect(await texts(journal.read('a'))).toHaveLength(number + 1)
      await must(journal.close())
    }
    const bytes = (await segmentsOf(folder))[0]!.bytes
    expect([0, 1, 2].map((number) => bytes.includes(`written ${number}`))).toEqual([false, false, false])
  })

  test('that throws, or gives no bytes, refuses that one append; its neighbours in the group are there', async () => {
    const odd = {
      throws: () => {
        throw new TypeError('no')
      },
      async: async () => ({ bytes: new Uint8Array(), keyId: 0 }),
      nothing: () => undefined,
      text: () => ({ bytes: 'text', keyId: 0 }),
      key: () => ({ bytes: new Uint8Array(), keyId: 2 ** 32 }),
    }
    for (const [name, encode] of Object.entries(odd)) {
      const codec = {
        ...deflate,
        encode: (bytes: Uint8Array, place: never) =>
          Buffer.from(bytes).includes('poison') ? encode() : deflate.encode(bytes, place),
      } as FrameCodec
      const folder = await newFolder()
      const journal = await openIn(folder, { codec })
      const [a, b, c] = await Promise.all([
        add(journal, 'a', 0, 'well'),
        errorOf(add(journal, 'b', 0, 'well', 'poison')),
        add(journal, 'c', 0, 'well'),
      ])
      expect([a, c], name).toEqual([1, 2])
      expect(b, name).toMatchObject({ code: 'CODEC_FAILED', where: { stream: 'b', seq: 2 } })
      expect(await add(journal, 'b', 0, 'well after all')).toBe(3)
      await must(journal.close())
      expect(await texts((await openIn(folder, { codec })).readAll())).toEqual(['well', 'well', 'well after all'])
    }
  })

  test('is refused before anything is made, if it is none', async () => {
    const folder = join(await newFolder(), 'never')
    for (const codec of [null, 5, {}, { ...deflate, id: 0 }, { ...deflate, id: 256 }, [], [deflate, deflate]]) {
      expect(await errorOf(fileJournal(folder, { codec: codec as never }))).toMatchObject({ code: 'BAD_OPTION' })
    }
    expect(await readdir(join(folder, '..'))).toEqual([])
  })
})

describe('K12 without its codec', () => {
  test('a journal opens when nothing must be decoded, and says CODEC_MISSING of what must', async () => {
    const folder = await newFolder()
    const codec = someAes()
    const journal = await openIn(folder, { codec, indexEvery: 16 })
    await add(journal, 'a', 0, ...INDEXED)
    await must(journal.close())
    const opened = await openIn(folder, { indexEvery: 16 })
    const missing = { code: 'CODEC_MISSING', where: { file: expect.any(String), offset: 32, stream: 'a', seq: 1 } }
    expect(await errorOf(all(opened.read('a')))).toMatchObject(missing)
    expect(await errorOf(all(opened.readAll()))).toMatchObject(missing)
    expect((await errorOf(all(opened.heads()))).code).toBe('CODEC_MISSING')
    expect((await errorOf(opened.head('a'))).hint).toContain('aesGcm')
    await add(opened, 'b', 0, 'in plain text')
    expect(await texts(opened.read('b'))).toEqual(['in plain text'])
    await must(opened.close())
    expect(await texts((await openIn(folder, { codec })).readAll())).toEqual([...INDEXED, 'in plain text'])
  })

  test('a journal of which the index lacks something does not open, and nothing was changed', async () => {
    const folder = await newFolder()
    const codec = someAes()
    const journal = await openIn(folder, { codec })
    await add(journal, 'a', 0, 'one')
    const files = await segmentsOf(folder) // as a crash would leave them
    await must(journal.close())
    const crashed = await newFolder()
    for (const { file, bytes } of files) await writeFile(file.replace(folder, crashed), bytes)
    expect(await errorOf(fileJournal(crashed, { logger: quiet }))).toMatchObject({ code: 'CODEC_MISSING' })
    expect((await segmentsOf(crashed)).map(({ bytes }, nth) => bytes.equals(files[nth]!.bytes))).toEqual([true])
    expect(await texts((await openIn(crashed, { codec })).readAll())).toEqual(['one'])
  })
})

describe('K12 aesGcm', () => {
  test('the wrong key is WRONG_KEY with file and offset, never data', async () => {
    const folder = await newFolder()
    const journal = await openIn(folder, { codec: someAes(), indexEvery: 16 })
    await add(journal, 'a', 0, ...INDEXED)
    await must(journal.saveSnapshot({ stream: 'a', seq: 2, text: 'kept' }))
    await must(journal.close())
    const wrong = await openIn(folder, { codec: someAes(), indexEvery: 16 })
    const { file } = (await segmentsOf(folder))[0]!
    expect(await errorOf(all(wrong.read('a')))).toMatchObject({
      code: 'WRONG_KEY',
      where: { file, offset: 32, seq: 1 },
    })
    expect(await errorOf(wrong.head('a'))).toMatchObject({ code: 'WRONG_KEY', where: { file, seq: 16 } })
    expect(await wrong.snapshot('a')).toBeUndefined()
  })

  test('bytes that were copied to another seq, stream, key id or kind do not open there', () => {
    const secret = randomBytes(32)
    const codec = aesGcm({ keys: (_, id = 1) => ({ id, secret }) })
    const place = { stream: 'a', seq: 12, kind: 'record' } as const
    const { bytes, keyId } = codec.encode(Buffer.from('text'), place)
    expect(Buffer.from(codec.decode(bytes, place, keyId)!).toString()).toBe('text')
    for (const other of [{ seq: 1 }, { stream: 'b' }, { kind: 'snapshot' }, { seq: 1, stream: '2 a' }] as const) {
      expect(() => codec.decode(bytes, { ...place, ...other }, keyId)).toThrow('does not open with key 1')
    }
    expect(() => codec.decode(bytes, place, 2)).toThrow('does not open with key 2')
    for (let at = 0; at < bytes.length; at++) {
      const changed = Uint8Array.from(bytes)
      changed[at]! ^= 1
      expect(() => codec.decode(changed, place, keyId)).toThrow('does not open')
      expect(() => codec.decode(bytes.subarray(0, at), place, keyId)).toThrow('does not open')
    }
  })

  test('a frame with a changed cipher text and its checksum made right is found when it is read', async () => {
    const folder = await newFolder()
    const codec = someAes()
    const journal = await openIn(folder, { codec })
    await add(journal, 'a', 0, 'one', 'two')
    await must(journal.close())
    const [segment] = await segmentsOf(folder)
    const { bytes, file } = segment!
    const second = 32 + 8 + bytes.readUInt32LE(32)
    bytes[bytes.length - 20]! ^= 1
    bytes.writeUInt32LE(crc(bytes, second + 8, bytes.length, bytes.readUInt32LE(12)), second + 4)
    await writeFile(file, bytes)
    const opened = await errorOf(openIn(folder, { codec }))
    const error = 'read' in opened ? await errorOf(all(opened.read('a'))) : opened
    expect(error).toMatchObject({ code: 'WRONG_KEY', where: { file, offset: second, seq: 2 } })
  })

  test('the same text is another one each time, and a key may be changed: old ids are asked for by id', async () => {
    const secrets = [randomBytes(32), randomBytes(32)]
    let now = 0
    const keys = vi.fn<Keys>((_, id = now) => ({ id, secret: secrets[id]! }))
    const folder = await newFolder()
    const journal = await openIn(folder, { codec: aesGcm({ keys }) })
    await add(journal, 'a', 0, 'same', 'same')
    now = 1
    await add(journal, 'a', 2, 'same')
    await must(journal.close())
    const again = await openIn(folder, { codec: aesGcm({ keys }) })
    keys.mockClear()
    expect(await texts(again.read('a'))).toEqual(['same', 'same', 'same'])
    expect(keys.mock.calls).toEqual([
      ['a', 0],
      ['a', 0],
      ['a', 1],
    ])
  })

  test('keys that throw, or are none, refuse that one append; the error says nothing of the key', async () => {
    const bad: [unknown, string][] = [
      [{ id: 1, secret: randomBytes(16) }, 'has 16 bytes instead of 32'],
      [{ id: 1, secret: 'x'.repeat(32) }, 'is no Uint8Array'],
      [{ id: -1, secret: randomBytes(32) }, 'id of a key is -1'],
      [{ secret: randomBytes(32) }, 'id of a key is undefined'],
      [Promise.resolve(), 'keys must not be async'],
      [null, 'is no Uint8Array'],
      [undefined, 'was erased'],
    ]
    const good = { id: 1, secret: randomBytes(32) }
    for (const [key, message] of bad) {
      const keys = ((stream: string) => (stream === 'bad' ? key : good)) as Keys
      const journal = await openIn(await newFolder(), { codec: aesGcm({ keys }) })
      const answers = await Promise.all([
        add(journal, 'a', 0, 'one'),
        errorOf(add(journal, 'bad', 0, 'one')),
        add(journal, 'b', 0, 'one'),
      ])
      expect([answers[0], answers[2]]).toEqual([1, 2])
      expect(answers[1].message).toContain(message)
      expect(answers[1].code).toBe(key === undefined ? 'ERASED' : 'CODEC_FAILED')
      expect(await texts(journal.readAll())).toEqual(['one', 'one'])
    }
    const keys = () => {
      throw new Error('the safe is shut')
    }
    const journal = await openIn(await newFolder(), { codec: aesGcm({ keys }) })
    expect(await errorOf(add(journal, 'a', 0, 'one'))).toMatchObject({
      code: 'CODEC_FAILED',
      message: expect.stringContaining('the safe is shut'),
    })
  })
})

describe('K12 a stream whose key is gone', () => {
  test('is passed over where all are read, and says ERASED where it is asked for', async () => {
    const folder = await newFolder()
    const { keys, forget } = someKeys()
    const codec = aesGcm({ keys })
    const commit = (due: number) => `{"unfinished":1}\n{"due":${due}}\nj0`
    const journal = await openIn(folder, { codec, indexEvery: 16 })
    for (let seq = 0; seq < 20; seq++) {
      for (const stream of ['m/a', 'm/b']) await add(journal, stream, seq, commit(seq + 1))
    }
    await must(journal.saveSnapshot({ stream: 'm/a', seq: 20, text: 'state of a' }))
    const check = async (opened: typeof journal) => {
      const kept = (await all(opened.readAll())).map(({ stream, position }) => [stream, position])
      expect(kept).toEqual(Array.from({ length: 20 }, (_, index) => ['m/b', 2 * index + 2]))
      expect((await all(opened.heads())).map(({ stream }) => stream)).toEqual(['m/b'])
      expect((await all(opened.heads({ pending: true }))).map(({ stream }) => stream)).toEqual(['m/b'])
      const due = []
      for await (const one of opened.due(1000)) due.push(one)
      expect(due).toEqual([{ stream: 'm/b', due: 20 }])
      const erased = { code: 'ERASED', where: { stream: 'm/a' } }
      expect(await errorOf(all(opened.read('m/a')))).toMatchObject(erased)
      expect(await errorOf(opened.head('m/a'))).toMatchObject(erased)
      expect(await errorOf(add(opened, 'm/a', 20, 'more'))).toMatchObject(erased)
      expect(await opened.head('m/b')).toMatchObject({ seq: 20 })
    }
    forget('m/a')
    await check(journal)
    await must(journal.close())
    const again = await openIn(folder, { codec })
    await check(again)
    expect(await again.snapshot('m/a')).toBeUndefined()
    await must(again.trim('m/a', 20))
    await check(again)
  })
})
