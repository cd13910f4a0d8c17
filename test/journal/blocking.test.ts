// An append that is alone may hold up the event loop while the disk takes it, which saves a thread hop: as long as the disk is
// quick, and not again for a while once it was not.
import fs from 'node:fs'
import { afterEach, expect, test, vi } from 'vitest'
import { add } from '../../src/testing/journal/case.ts'
import { memory, newFolder, openIn } from './folder.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

const PATIENCE = 5_000

test('one slow sync ends it for five seconds, however quick the next ones are', async () => {
  const journal = await openIn(await newFolder(memory))
  let now = 0
  vi.spyOn(performance, 'now').mockImplementation(() => {
    now += 0.01
    return now
  })
  const { fdatasyncSync } = fs
  let slow = 0
  const sync = vi.spyOn(fs, 'fdatasyncSync').mockImplementation((fd) => {
    now += slow
    fdatasyncSync(fd)
  })
  let seq = 0
  const untilBlocking = async () => {
    const { length } = sync.mock.calls
    for (const end = seq + 5000; seq < end && sync.mock.calls.length === length; seq++)
      await add(journal, 'a', seq, 'x')
    expect(sync.mock.calls.length).toBeGreaterThan(length)
  }
  for (let round = 0; round < 3; round++) {
    slow = 0
    await untilBlocking()
    slow = 50
    await untilBlocking()
    const { length } = sync.mock.calls
    for (const end = seq + 200; seq < end; seq++) await add(journal, 'a', seq, 'x')
    expect(sync.mock.calls.length).toBe(length)
    now += PATIENCE
  }
})

test('a disk that is slow from the beginning never does', async () => {
  const journal = await openIn(await newFolder(memory))
  let now = 0
  vi.spyOn(performance, 'now').mockImplementation(() => ++now)
  const sync = vi.spyOn(fs, 'fdatasyncSync')
  for (let seq = 0; seq < 100; seq++) await add(journal, 'a', seq, 'x')
  expect(sync).not.toHaveBeenCalled()
})
