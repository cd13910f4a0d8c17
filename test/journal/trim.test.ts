// A trim is a frame in the log: on disk like a record, or not there at all.
import { truncate, writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { add, all, must, numbered, texts } from '../../src/testing/journal/case.ts'
import { newFolder, openIn, quiet, segmentsOf } from './folder.ts'

const FRAME_BYTES = 24 + 'a'.length

test('K7 a trim that a crash cut short, at whatever byte, has not happened', async () => {
  const folder = await newFolder()
  const journal = await openIn(folder)
  await add(journal, 'a', 0, ...numbered(3))
  await must(journal.trim('a', 3))
  await must(journal.close())
  const { file, bytes } = (await segmentsOf(folder)).at(-1)!
  for (let left = 0; left < FRAME_BYTES; left++) {
    await writeFile(file, bytes)
    await truncate(file, bytes.length - FRAME_BYTES + left)
    const cut = await openIn(folder)
    expect(cut.torn === undefined).toBe(left === 0)
    expect(await texts(cut.read('a'))).toEqual(numbered(3))
    expect(await add(cut, 'a', 3, 'text 4')).toBe(4)
    await must(cut.close())
  }
})

test('K7 a damaged trim with something behind it is refused with its place', async () => {
  const folder = await newFolder()
  const journal = await openIn(folder)
  await add(journal, 'a', 0, ...numbered(3))
  await must(journal.trim('a', 3))
  await add(journal, 'a', 3, 'text 4')
  await must(journal.close())
  const { file, bytes } = (await segmentsOf(folder)).at(-1)!
  const offset = bytes.length - FRAME_BYTES - 'text 4'.length - FRAME_BYTES
  for (let at = offset; at < offset + FRAME_BYTES; at++) {
    const damaged = Buffer.from(bytes)
    damaged[at]! ^= 1
    await writeFile(file, damaged)
    await expect(openIn(folder)).rejects.toMatchObject({ code: 'JOURNAL_DAMAGED', where: { file, offset } })
  }
})

test('a trim may be the first of its group, the last of its segment, and the only one of it', async () => {
  const folder = await newFolder()
  const options = { segmentBytes: 1024 }
  const journal = await openIn(folder, options)
  for (let seq = 0; seq < 60; seq++) {
    await add(journal, 'a', seq, 'x'.repeat((seq * 97) % 1100))
    await must(journal.trim('a', seq + 1))
    await must(journal.trim('a', seq + 1))
  }
  const kept = await all(journal.readAll())
  expect(kept.map(({ stream, seq }) => stream + seq)).toEqual(['a60'])
  await must(journal.close())
  expect((await segmentsOf(folder)).length).toBeGreaterThan(20)
  const again = await openIn(folder, options)
  expect(await all(again.readAll())).toEqual(kept)
  expect(await add(again, 'a', 60, 'more')).toBe(kept[0]!.position + 2)
})

test('what is left of a stream that is read may be dropped: the index is not taken for damaged', async () => {
  const options = { indexEvery: 16 }
  const folder = await newFolder()
  const first = await openIn(folder, options)
  await must(first.append({ stream: 'a', expected: 0, texts: numbered(3000) }))
  for (let seq = 0; seq < 40; seq++) await add(first, 'b', seq, 'x')
  await must(first.close())
  const warnings: unknown[] = []
  const journal = await openIn(folder, {
    ...options,
    logger: { ...quiet, warn: (...said: unknown[]) => warnings.push(said) },
  })
  let read = 0
  for await (const { seq } of journal.read('a')) {
    expect(seq).toBe(++read)
    if (seq !== 10) continue
    await add(journal, 'a', 3000, 'the last')
    await must(journal.trim('a', 3001))
  }
  expect(read).toBeLessThan(3000)
  expect(warnings).toEqual([])
  expect(await texts(journal.read('a'))).toEqual(['the last'])
  expect((await journal.head('a'))?.seq).toBe(3001)
})
