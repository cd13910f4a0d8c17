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

for (const segmentBytes of [128 * 1024 * 1024, 4096]) {
  const folders = new WeakMap<Journal, string>()
  const openIn = async (folder: string) => {
    const journal = await fileJournal(folder, { segmentBytes })
    folders.set(journal, folder)
    return journal
  }
  keepsContract({
    name: `file, segments of ${segmentBytes} bytes`,
    open: async () => openIn(await mkdtemp(join(root, 'journal-'))),
    reopen: (closed) => openIn(folders.get(closed)!),
  })
}
