// Run by contracts.test.ts with `node --test`: the same that docs/TESTING.md shows.
import { test } from 'node:test'
import { memoryJournal } from 'duramen/journal'
import { journalContract } from 'duramen/testing'

for (const { name, run } of journalContract({ name: 'memory', open: async () => memoryJournal() })) test(name, run)
