import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, test } from 'vitest'
import { aesGcm, type FileJournalOptions, fileJournal, type Journal, memoryJournal } from '../../src/journal/index.ts'
import { type JournalUnderTest, journalContract } from '../../src/testing/index.ts'

const root = await mkdtemp(join(tmpdir(), 'duramen-contract-'))
afterAll(() => rm(root, { recursive: true }))

const keepsContract = (subject: JournalUnderTest) => {
  for (const { name, run } of journalContract(subject)) test(name, run)
}

keepsContract({ name: 'memory', open: async () => memoryJournal() })

const secret = randomBytes(32)
const codec = aesGcm({ keys: (_, id = 1) => ({ id, secret }) })
const kinds: Record<string, FileJournalOptions> = {
  default: {},
  'small segments': { segmentBytes: 4096 },
  'small segments and runs': { segmentBytes: 4096, indexEvery: 16 },
  encrypted: { codec, segmentBytes: 4096, indexEvery: 16 },
  chained: { chain: true, segmentBytes: 4096, indexEvery: 16 },
  'chained and encrypted': { chain: true, codec },
}

for (const [kind, options] of Object.entries(kinds)) {
  const folders = new WeakMap<Journal, string>()
  const openIn = async (folder: string) => {
    const journal = await fileJournal(folder, options)
    folders.set(journal, folder)
    return journal
  }
  keepsContract({
    name: `file, ${kind}`,
    open: async () => openIn(await mkdtemp(join(root, 'journal-'))),
    reopen: (closed) => openIn(folders.get(closed)!),
  })
}
