import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, test } from 'vitest'
import { fileJournal, type Journal, memoryJournal } from '../../src/journal/index.ts'
import { type JournalUnderTest, journalContract } from '../../src/testing/index.ts'

const root = await mkdtemp(join(tmpdir(), 'duramen-contract-'))
afterAll(() => rm(root, { recursive: true }))

const keepsContract = (subject: JournalUnderTest) => {
  for (const { name, run } of journalContract(subject)) test(name, run)
}

keepsContract({ name: 'memory', open: async () => memoryJournal() })

for (const options of [{}, { segmentBytes: 4096 }, { segmentBytes: 4096, indexEvery: 16 }]) {
  const folders = new WeakMap<Journal, string>()
  const openIn = async (folder: string) => {
    const journal = await fileJournal(folder, options)
    folders.set(journal, folder)
    return journal
  }
  keepsContract({
    name: `file, ${JSON.stringify(options)}`,
    open: async () => openIn(await mkdtemp(join(root, 'journal-'))),
    reopen: (closed) => openIn(folders.get(closed)!),
  })
}
