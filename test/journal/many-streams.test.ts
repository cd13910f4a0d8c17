// More streams than are remembered: what a group needs of its own is not forgotten meanwhile.
import { expect, test } from 'vitest'
import type { FileJournal } from '../../src/journal/index.ts'
import { add, all, must } from '../../src/testing/journal/case.ts'
import { memory, newFolder, openIn } from './folder.ts'

const COUNT = 20_000
const names = Array.from({ length: COUNT }, (_, number) => `s${number}`)

const appendAll = (journal: FileJournal, expected: number) =>
  Promise.all(names.map((stream) => must(journal.append({ stream, expected, texts: ['x'] }))))

/** Each has two records, and is in the index. */
async function filled(folder: string): Promise<FileJournal> {
  const journal = await openIn(folder)
  await appendAll(journal, 0)
  await appendAll(journal, 1)
  await must(journal.close())
  return openIn(folder)
}

test('K2 one group appends to more streams than are remembered', async () => {
  const journal = await filled(await newFolder(memory))
  await appendAll(journal, 2)
  expect(await journal.head('s0')).toMatchObject({ seq: 3 })
})

test('what a trim drops stays dropped when its stream would have been forgotten before the trim was on disk', async () => {
  const folder = await newFolder()
  let journal = await filled(folder)
  for (const stream of names.slice(0, 1 << 14)) await journal.head(stream)
  const others = names.slice(1 << 14)
  await Promise.all([must(journal.trim('s0', 2)), ...others.map((stream) => journal.head(stream))])
  const seqs = async () => (await all(journal.read('s0'))).map(({ seq }) => seq)
  expect(await seqs()).toEqual([2])
  await add(journal, 's0', 2, 'y')
  expect(await seqs()).toEqual([2, 3])
  await must(journal.close())
  journal = await openIn(folder)
  expect(await seqs()).toEqual([2, 3])
})
