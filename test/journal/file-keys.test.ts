// K12: a key is on disk before it is used, readable by its owner alone; once it is forgotten nothing brings it back.
import { createHash, randomBytes } from 'node:crypto'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { aesGcm, fileKeys } from '../../src/journal/index.ts'
import { add, must, texts } from '../../src/testing/journal/case.ts'
import { newFolder, openIn } from './folder.ts'

const place = { stream: 'm/1', seq: 1, kind: 'record' } as const

test('K12 one key per stream, in files of mode 0600 in a folder of mode 0700, the same after it is opened again', async () => {
  const folder = join(await newFolder(), 'deep', 'keys')
  const keys = fileKeys(folder)
  const [one, two] = [keys('m/1')!, keys('m/2')!]
  expect(Buffer.from(one.secret).equals(two.secret)).toBe(false)
  expect(fs.statSync(folder).mode & 0o777).toBe(0o700)
  const names = fs.readdirSync(folder)
  expect(names).toHaveLength(2)
  for (const name of names) {
    expect(name).toMatch(/^[0-9a-f]{64}\.key$/)
    expect(fs.statSync(join(folder, name)).mode & 0o777).toBe(0o600)
  }
  const again = fileKeys(folder)
  expect([again('m/1'), again('m/1', one.id), again('m/2')]).toEqual([one, one, two])
})

test('K12 a key that was forgotten is nowhere in the folder, and its stream gets no new one', async () => {
  const folder = await newFolder()
  const keys = fileKeys(folder)
  const { id, secret } = keys('m/1')!
  const copy = Buffer.from(secret)
  const { bytes } = aesGcm({ keys }).encode(Buffer.from('text'), place)
  keys.forget('m/1')
  keys.forget('m/1')
  keys.forget('never/used')
  expect(Buffer.from(secret).equals(copy)).toBe(false)
  for (const name of fs.readdirSync(folder)) expect(fs.readFileSync(join(folder, name)).includes(copy)).toBe(false)
  for (const some of [keys, fileKeys(folder)]) {
    expect([some('m/1'), some('m/1', id), some('never/used')]).toEqual([undefined, undefined, undefined])
    expect(aesGcm({ keys: some }).decode(bytes, place, id)).toBeUndefined()
    expect(() => aesGcm({ keys: some }).encode(Buffer.from('more'), place)).toThrow('m/1 was erased')
  }
})

test('a key that is not there and was not forgotten is an error and no erasure', async () => {
  const [right, wrong] = [fileKeys(await newFolder()), fileKeys(await newFolder())]
  const codec = aesGcm({ keys: right })
  const { bytes, keyId } = codec.encode(Buffer.from('text'), place)
  expect(() => aesGcm({ keys: wrong }).decode(bytes, place, keyId)).toThrow(
    expect.objectContaining({ code: 'WRONG_KEY', hint: expect.stringContaining('forget') }),
  )
  expect(() => right('m/1', 2)).toThrow(expect.objectContaining({ code: 'WRONG_KEY' }))
})

test('a key file that was cut short is refused by name; what a crash has left of one in the making is not in the way', async () => {
  const folder = await newFolder()
  fileKeys(folder)('m/1')
  const [file] = fs.readdirSync(folder).map((name) => join(folder, name)) as [string]
  fs.renameSync(file, `${file}.new`)
  fs.truncateSync(`${file}.new`, 3)
  expect(fileKeys(folder)('m/1')!.secret).toHaveLength(32)
  expect(fs.readdirSync(folder)).toHaveLength(1)
  fs.truncateSync(file, 31)
  expect(() => fileKeys(folder)('m/1')).toThrow(expect.objectContaining({ code: 'CODEC_FAILED', where: { file } }))
})

test('K9 of many keys some are remembered, the others are read again', async () => {
  const folder = await newFolder()
  const keys = fileKeys(folder)
  const { secret } = keys('m/0')!
  const [name] = fs.readdirSync(folder) as [string]
  const fileOf = (stream: string) => join(folder, `${createHash('sha256').update(stream).digest('hex')}.key`)
  expect(fileOf('m/0')).toBe(join(folder, name))
  const another = randomBytes(32)
  fs.writeFileSync(fileOf('m/0'), another)
  expect(keys('m/0')!.secret).toEqual(secret)
  for (let index = 1; index <= 5000; index++) {
    fs.writeFileSync(fileOf(`m/${index}`), randomBytes(32))
    keys(`m/${index}`)
  }
  expect(keys('m/0')!.secret).toEqual(another)
})

test('a journal with keys in files: one stream is erased, the others are not, also after it is opened again', async () => {
  const [folder, keyFolder] = [await newFolder(), await newFolder()]
  const keys = fileKeys(keyFolder)
  const journal = await openIn(folder, { codec: aesGcm({ keys }) })
  await Promise.all([add(journal, 'm/1', 0, 'one', 'two'), add(journal, 'm/2', 0, 'three')])
  keys.forget('m/1')
  expect(await texts(journal.readAll())).toEqual(['three'])
  await must(journal.close())
  const again = await openIn(folder, { codec: aesGcm({ keys: fileKeys(keyFolder) }) })
  expect(await texts(again.readAll())).toEqual(['three'])
  await expect(add(again, 'm/1', 2, 'more')).rejects.toMatchObject({ code: 'ERASED' })
  await expect(again.head('m/1')).rejects.toMatchObject({ code: 'ERASED' })
})

test('a folder that can not be made, and what is no folder, is refused', async () => {
  const folder = await newFolder()
  fs.writeFileSync(join(folder, 'file'), '')
  expect(() => fileKeys(join(folder, 'file', 'keys'))).toThrow(expect.objectContaining({ name: 'DuramenError' }))
  expect(() => fileKeys('')).toThrow(expect.objectContaining({ code: 'BAD_OPTION' }))
  expect(() => fileKeys(folder).forget(5 as never)).toThrow(expect.objectContaining({ code: 'BAD_ID' }))
})
