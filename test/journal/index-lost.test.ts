// An index that is damaged, and can't be made anew because a segment is damaged as well.

import { readdirSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { add, all, must } from '../../src/testing/journal/case.ts'
import { newFolder, openIn, segmentsOf } from './folder.ts'

/** Where it stands, as a disk does it. */
async function overwrite(file: string, offset: number, bytes: number) {
  const handle = await open(file, 'r+')
  await handle.write(Buffer.alloc(bytes, 0xff), 0, bytes, offset)
  await handle.close()
}

test('K2 what nobody can tell any more is refused; streams that are known go on', async () => {
  const folder = await newFolder()
  const options = { segmentBytes: 1024, indexEvery: 16 }
  let journal = await openIn(folder, options)
  for (let seq = 0; seq < 100; seq++) await add(journal, `s${seq % 10}`, Math.floor(seq / 10), `text ${seq}`)
  await must(journal.close())
  journal = await openIn(folder, options)
  await add(journal, 's1', 10, 'known from now on')
  const index = join(folder, 'index')
  for (const name of readdirSync(index)) if (name.endsWith('.run')) await overwrite(join(index, name), 0, 100)
  await overwrite((await segmentsOf(folder))[0]!.file, 100, 20)
  await expect(all(journal.read('s0'))).rejects.toMatchObject({ code: 'JOURNAL_DAMAGED' })
  const other = await journal.append({ stream: 'other', expected: 0, texts: ['x'] })()
  expect(other).toMatchObject({ left: { code: 'JOURNAL_DAMAGED' } })
  for (let seq = 11; seq < 60; seq++) await add(journal, 's1', seq, 'more than goes into a file of the index')
})
