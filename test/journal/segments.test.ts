// How one segment follows another: the next one is made ahead, and is there, durably, before its first record (K7).
import { cpSync, existsSync, readdirSync } from 'node:fs'
import { type FileHandle, open, readdir, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { FileJournal } from '../../src/journal/index.ts'
import { add, must, numbered, refused, texts } from '../../src/testing/journal/case.ts'
import { newFolder, openIn } from './folder.ts'

const handles: FileHandle = await (async () => {
  const handle = await open('/dev/null')
  await handle.close()
  return Object.getPrototypeOf(handle)
})()
const failing = (code: string) => Object.assign(new Error(code), { code })
const logs = (folder: string) => readdirSync(folder).filter((name) => name.endsWith('.log'))
const isNextMade = (folder: string) => existsSync(join(folder, 'next'))

afterEach(() => {
  vi.restoreAllMocks()
})

/** Appends until the next segment is made, or about to be. Returns how many records there are. */
async function nearlyFull(journal: FileJournal): Promise<number> {
  for (let seq = 0; seq < 4; seq++) await add(journal, 'a', seq, 'x'.repeat(900))
  return 4
}

describe('K7 the next segment', () => {
  test('is made when the last is nearly full, not before; close and open remove it', async () => {
    const folder = await newFolder()
    const journal = await openIn(folder, { segmentBytes: 4096 })
    await add(journal, 'a', 0, 'x'.repeat(900))
    expect(isNextMade(folder)).toBe(false)
    for (let seq = 1; seq < 4; seq++) await add(journal, 'a', seq, 'x'.repeat(900))
    await vi.waitFor(() => expect(isNextMade(folder)).toBe(true))
    expect(logs(folder)).toHaveLength(1)
    await must(journal.close())
    expect(isNextMade(folder)).toBe(false)
    for (const left of ['', 'x', 'x'.repeat(5000)]) {
      await writeFile(join(folder, 'next'), left)
      const again = await openIn(folder, { segmentBytes: 4096 })
      expect(again.torn).toBeUndefined()
      expect(await texts(again.readAll())).toHaveLength(4)
      expect(isNextMade(folder)).toBe(false)
      await must(again.close())
    }
  })

  test('a process killed at any step of the change leaves all that was answered, and nothing else', async () => {
    const folder = await newFolder()
    const copies = await newFolder()
    const journal = await openIn(folder, { segmentBytes: 1024 })
    let answered = 0
    const taken: { copy: string; answered: number }[] = []
    const take = () => {
      const copy = join(copies, String(taken.length))
      cpSync(folder, copy, { recursive: true, filter: (path) => !basename(path).startsWith('lock') })
      taken.push({ copy, answered })
    }
    for (const name of ['write', 'truncate', 'sync', 'datasync'] as const) {
      const original = handles[name] as (...args: unknown[]) => Promise<unknown>
      vi.spyOn(handles, name).mockImplementation(async function (this: FileHandle, ...args: unknown[]) {
        take()
        const answer = await original.apply(this, args)
        take()
        return answer as never
      })
    }
    for (const [seq, text] of numbered(16).entries()) {
      await add(journal, 'a', seq, text.padEnd(seq % 3 === 0 ? 1 : 440))
      answered++
    }
    vi.restoreAllMocks()
    expect(logs(folder).length).toBeGreaterThan(4)
    const named = new Set(taken.flatMap(({ copy }) => readdirSync(copy)))
    expect(named).toContain('next')
    for (const { copy, answered: before } of taken) {
      const again = await openIn(copy, { segmentBytes: 1024 })
      const found = (await texts(again.readAll())).map((text) => text.trim())
      expect(found).toEqual(numbered(16).slice(0, found.length))
      expect(found.length).toBeGreaterThanOrEqual(before)
      expect(found.length).toBeLessThanOrEqual(before + 1)
      expect(readdirSync(copy)).not.toContain('next')
      await add(again, 'a', found.length, 'goes on')
      await must(again.close())
    }
  })

  test('has its header and its name on disk before a record goes into it, and the one before its end', async () => {
    const folder = await newFolder()
    const journal = await openIn(folder, { segmentBytes: 4096 })
    const records = await nearlyFull(journal)
    await vi.waitFor(() => expect(isNextMade(folder)).toBe(true))
    const calls: string[] = []
    for (const name of ['write', 'truncate', 'sync', 'datasync'] as const) {
      const original = handles[name] as (...args: unknown[]) => Promise<unknown>
      vi.spyOn(handles, name).mockImplementation(async function (this: FileHandle, ...args: unknown[]) {
        const isFolder = (await this.stat()).isDirectory()
        const answer = await original.apply(this, args)
        calls.push(`${isFolder ? 'folder ' : ''}${name} ${logs(folder).length}`)
        return answer as never
      })
    }
    // Two at once: one alone may be written by blocking calls.
    await Promise.all([add(journal, 'a', records, 'x'.repeat(900)), add(journal, 'b', 0, 'x')])
    vi.restoreAllMocks()
    const named = calls.indexOf('folder sync 2')
    expect(calls.slice(0, named).filter((call) => call.endsWith('2'))).toEqual([])
    expect(calls.slice(0, named).filter((call) => call === 'sync 1').length).toBeGreaterThanOrEqual(2)
    expect(calls.slice(named + 1)).toEqual(['truncate 2', 'write 2', 'datasync 2'])
  })
})

describe('K11 a next segment that cannot be made ahead', () => {
  test('fails no append that still fits; it is made when it is needed', async () => {
    const folder = await newFolder()
    const journal = await openIn(folder, { segmentBytes: 4096 })
    const sync = vi.spyOn(handles, 'sync').mockRejectedValue(failing('ENOSPC'))
    const records = await nearlyFull(journal)
    await vi.waitFor(() => expect(sync).toHaveBeenCalled())
    expect(await add(journal, 'a', records, 'fits')).toBe(records + 1)
    for (let time = 0; time < 2; time++) {
      const long = journal.append({ stream: 'a', expected: records + 1, texts: ['x'.repeat(900)] })
      expect(await refused(long)).toBe('NO_SPACE')
    }
    sync.mockRestore()
    expect(await add(journal, 'a', records + 1, 'x'.repeat(900))).toBe(records + 2)
    expect(await texts(journal.readAll())).toHaveLength(records + 2)
    await must(journal.close())
    expect(await readdir(folder)).not.toContain('next')
    expect(await texts((await openIn(folder)).readAll())).toHaveLength(records + 2)
  })
})
