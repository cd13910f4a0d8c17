// Streams that begin behind a seq, where the index can't be sure whether it has them.
import { expect, test } from 'vitest'
import { all, must, refused } from '../../src/testing/journal/case.ts'
import { newFolder, openIn } from './folder.ts'

test('K3 a stream that was adopted is read from the log, also where the index says that it may have it', async () => {
  const folder = await newFolder()
  const indexed = await openIn(folder, { indexEvery: 16 })
  for (let number = 0; number < 40; number++)
    await must(indexed.append({ stream: `old ${number}`, expected: 0, texts: ['one'] }))
  await must(indexed.close())

  // about one name in a hundred has all its bits set in the index's filter
  const names = Array.from({ length: 2000 }, (_, number) => `new ${number}`)
  const journal = await openIn(folder)
  await Promise.all(
    names.map((stream) => must(journal.append({ stream, expected: 4, texts: ['5', '6'], adopt: true }))),
  )
  const before = await all(journal.readAll())
  await must(journal.close())

  const again = await openIn(folder)
  expect(await all(again.readAll())).toEqual(before)
  for (const stream of names)
    expect((await all(again.read(stream))).map(({ seq, text }) => `${seq} ${text}`)).toEqual(['5 5', '6 6'])
  expect(await refused(again.append({ stream: 'old 7', expected: 4, texts: ['5'], adopt: true }))).toBe('CONFLICT')
})
