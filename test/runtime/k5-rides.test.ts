// K5: that an effect has finished is on record within a second, and costs no sync of its own where others commit.
import fs, { mkdtempSync, rmSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { setup } from 'xstate'
import { durable, openHost } from '../../src/index.ts'
import { fileJournal } from '../../src/journal/index.ts'
import { decodeCommit } from '../../src/journal/records.ts'
import { virtualClock } from '../../src/testing/index.ts'
import { quiet, settle } from '../support/host.ts'

/** Counts the syncs of all files of this process. */
async function countSyncs(dir: string): Promise<{ count: number }> {
  const counter = { count: 0 }
  const file = await open(join(dir, 'probe'), 'w')
  const prototype = Object.getPrototypeOf(file) as FileHandle
  await file.close()
  const { datasync } = prototype
  const { fdatasyncSync } = fs // a journal that writes for one alone waits for the disk
  fs.fdatasyncSync = (fd) => {
    counter.count++
    fdatasyncSync(fd)
  }
  prototype.datasync = function (this: FileHandle) {
    counter.count++
    return datasync.call(this)
  }
  onTestFinished(() => {
    prototype.datasync = datasync
    fs.fdatasyncSync = fdatasyncSync
  })
  return counter
}

it('K5: completions are on record within a second and ride on the group commits of others', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'rides-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  const syncs = await countSyncs(dir)
  const job = durable(
    setup({ actions: { work: () => new Promise<void>((resolve) => setImmediate(resolve)) } }).createMachine({
      id: 'job',
      on: { GO: { actions: 'work' } },
    }),
  )
  const clock = virtualClock()
  const journal = await fileJournal(join(dir, 'journal'), { logger: quiet })
  const host = await openHost({ journal, machines: [job], clock, logger: quiet })
  const busy = await host.actor(job, 'busy')
  const jobs = await Promise.all(Array.from({ length: 50 }, (_, i) => host.actor(job, `j${i}`)))
  await Promise.all(jobs.map((actor) => actor.send({ type: 'GO' })))
  await settle()
  const finished = async () => {
    let count = 0
    for await (const record of journal.readAll()) count += decodeCommit(record).finished?.length ?? 0
    return count
  }
  expect(await finished()).toBe(0)
  syncs.count = 0
  const others = 20
  for (let i = 0; i < others; i++) {
    const sent = busy.send({ type: 'OTHER' })
    clock.tick(50) // one second in all
    await sent
  }
  await busy.send({ type: 'OTHER' })
  expect(await finished()).toBe(50)
  expect(syncs.count).toBeGreaterThan(1) // what is sent while a group is on its way shares the next one
  expect(syncs.count).toBeLessThanOrEqual(others + 3)
  await host.close()
})
