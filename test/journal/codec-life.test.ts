// K12 an encrypted, chained journal over all that is done to a journal: backups, checks, readers, space given back. None
// of it needs a key but reading.
import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  aesGcm,
  backupJournal,
  checkJournal,
  exportJournal,
  fileKeys,
  importJournal,
  memoryJournal,
  openJournal,
  restoreJournal,
} from '../../src/journal/index.ts'
import { add, all, must, texts } from '../../src/testing/journal/case.ts'
import { newFolder, openIn, quiet } from './folder.ts'

const SECRET = 'the canary sings in the coal mine'

test('K12 an encrypted, chained journal is trimmed, reclaimed, backed up, restored, checked and read beside its writer', async () => {
  const [folder, root] = [await newFolder(), await newFolder()]
  const keys = fileKeys(join(root, 'keys'))
  const codec = aesGcm({ keys })
  const options = { codec, chain: true, segmentBytes: 1024, indexEvery: 16 }
  const journal = await openIn(folder, options)
  for (let seq = 0; seq < 30; seq++) {
    await add(journal, 'm/old', seq, `${SECRET} ${seq}`)
    if (seq > 20) await add(journal, 'm/new', seq - 21, `${SECRET} too ${seq}`)
  }
  const noted = journal.chainHead()!
  await must(journal.trim('m/old', 29))
  const { segments } = await journal.reclaim()
  expect(segments).toBeGreaterThan(0)
  const head = journal.chainHead()!
  const { chain } = await checkJournal(folder, { expect: noted })
  expect(chain).toMatchObject({ broken: [], met: true, head })
  expect(chain!.from).toBeGreaterThan(1)

  const reader = await openJournal(folder, { readOnly: true, codec, logger: quiet })
  const kept = await texts(journal.readAll())
  expect(kept.at(-1)).toBe(`${SECRET} too 29`)
  expect(await texts(reader.readAll())).toEqual(kept)

  await backupJournal(folder, join(root, 'backup'))
  keys.forget('m/new')
  await restoreJournal(join(root, 'backup'), join(root, 'restored'))
  expect((await checkJournal(join(root, 'restored'), { expect: head })).chain).toMatchObject({ broken: [], met: true })
  const restored = await openIn(join(root, 'restored'), options)
  expect(restored.chainHead()).toEqual(head)
  const left = kept.filter((text) => !text.includes('too'))
  for (const one of [journal, restored, reader]) {
    expect(await texts(one.readAll())).toEqual(left)
    expect((await all(one.heads())).map(({ stream }) => stream)).toEqual(['m/old'])
    await expect(one.head('m/new')).rejects.toMatchObject({ code: 'ERASED' })
  }
  await expect(add(restored, 'm/new', 9, 'more')).rejects.toMatchObject({ code: 'ERASED' })
  await add(restored, 'm/old', 30, 'goes on')
  await reader.close()
})

test('K12 a stream that begins late is imported into an encrypted journal, and is there when it is opened again', async () => {
  const source = memoryJournal()
  await add(source, 'm/a', 0, 'one', 'two', SECRET, 'four')
  await must(source.trim('m/a', 3))
  const folder = await newFolder()
  const options = { codec: aesGcm({ keys: fileKeys(await newFolder()) }), chain: true }
  const journal = await openIn(folder, options)
  await importJournal(exportJournal(source), journal)
  await must(journal.close())
  const again = await openIn(folder, options)
  expect((await all(again.read('m/a'))).map(({ seq, text }) => [seq, text])).toEqual([
    [3, SECRET],
    [4, 'four'],
  ])
  expect(again.chainHead()).toEqual((await checkJournal(folder)).chain!.head)
})

test('K12 an export of an encrypted journal is in plain text, without what was erased', async () => {
  const [folder, root] = [await newFolder(), await newFolder()]
  const keys = fileKeys(root)
  const journal = await openIn(folder, { codec: aesGcm({ keys }) })
  await Promise.all([add(journal, 'm/a', 0, 'kept'), add(journal, 'm/b', 0, 'erased')])
  keys.forget('m/b')
  const copy = memoryJournal()
  await importJournal(exportJournal(journal), copy)
  expect(await texts(copy.readAll())).toEqual(['kept'])
})
