// The contract of journals, with a reader for all that is read: beside a writer it gives the answers that the writer gives.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, test, vi } from 'vitest'
import { CommittedFile } from '../../src/journal/file/commit/committed.ts'
import { fileJournal, type Journal, openJournal } from '../../src/journal/index.ts'
import { journalContract } from '../../src/testing/index.ts'

const root = await mkdtemp(join(tmpdir(), 'duramen-contract-'))
afterAll(() => rm(root, { recursive: true }))

/** What the writer says of its end is written at once here, so that a case need not wait for it. */
let written: Promise<unknown> = Promise.resolve()
beforeAll(() => {
  const { moved } = CommittedFile.prototype
  vi.spyOn(CommittedFile.prototype, 'moved').mockImplementation(function (this: CommittedFile, sum) {
    moved.call(this, sum)
    written = Promise.all([written, this.write()])
  })
})

const folders = new WeakMap<Journal, string>()

async function openIn(folder: string): Promise<Journal> {
  const writer = await fileJournal(folder, { segmentBytes: 4096, indexEvery: 16 })
  const reader = await openJournal(folder, { readOnly: true })
  const both: Journal = {
    ...writer,
    async *read(stream, range) {
      await written
      yield* reader.read(stream, range)
    },
    async *readAll(range) {
      await written
      yield* reader.readAll(range)
    },
    async *heads(filter) {
      await written
      yield* reader.heads(filter)
    },
    head: (stream) => written.then(() => reader.head(stream)),
    close: () => async () => {
      await reader.close()()
      return writer.close()()
    },
  }
  folders.set(both, folder)
  return both
}

const subject = {
  name: 'reader beside a writer',
  open: async () => openIn(await mkdtemp(join(root, 'journal-'))),
  reopen: (closed: Journal) => openIn(folders.get(closed)!),
}
for (const { name, run } of journalContract(subject)) test(name, run)
