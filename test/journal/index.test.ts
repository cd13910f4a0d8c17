// The index on disk is a cache (K3): whatever happens to it, the journal answers as the log says, and lives.
import { execFile } from 'node:child_process'
import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test, vi } from 'vitest'
import { Places } from '../../src/journal/file/index/places.ts'
import { Runs } from '../../src/journal/file/index/runs.ts'
import { NOT_URGENT } from '../../src/journal/records.ts'
import { add, all, must, refused, texts } from '../../src/testing/journal/case.ts'
import { compiledJournal } from './compiled.ts'
import { memory, newFolder, openIn, segmentsOf } from './folder.ts'

const compiled = compiledJournal()
const handle = await open(import.meta.filename)
const FileHandlePrototype = Object.getPrototypeOf(handle)
await handle.close()
const options = { segmentBytes: 4096, indexEvery: 16 }

/** A record as instances have them, due then. */
const commit = (stream: string, seq: number, due: number) =>
  `${JSON.stringify({ stream, seq, ...(seq % 5 === 0 && { unfinished: 1 }) })}\n${JSON.stringify({ due })}\nj{}`

/** A closed journal with trims, of which the index has nearly all, in files of several sizes. */
async function filled(streams: number, records: number): Promise<string> {
  const folder = await newFolder(memory)
  for (let seq = 0; seq < records; seq++) {
    const journal = await openIn(folder, options)
    for (let number = 0; number < streams; number++) {
      const stream = `machine/${number}`
      await must(journal.append({ stream, expected: seq, texts: [commit(stream, seq + 1, number * 1000 + seq)] }))
      if (seq > 0 && (number + seq) % 23 === 0) await must(journal.trim(stream, seq))
    }
    await must(journal.close())
  }
  return folder
}

describe('K3 the index', () => {
  test('may be damaged in any way: no answer is wrong and no process dies of it', { timeout: 600_000 }, async () => {
    const folder = await filled(8, 19)
    const files = await readdir(join(folder, 'index'))
    expect(files.filter((name) => name.endsWith('.run')).length).toBeGreaterThan(2)
    expect(files.some((name) => name.startsWith('gone-'))).toBe(true)
    const child = join(import.meta.dirname, 'index-child.mjs')
    const run = promisify(execFile)(process.execPath, [
      child,
      compiled,
      folder,
      await filled(3, 5),
      join(await newFolder(memory), 'work'),
    ])
    const { stdout } = await run
    const lines = stdout.trim().split('\n')
    expect(lines.at(-1)).toBe('[]')
    expect(lines.length).toBe(9)
  })

  test('is read instead of the log: opening reads the tail, and memory holds the tail', {
    timeout: 120_000,
  }, async () => {
    const folder = await newFolder()
    const records = 100_000
    const journal = await openIn(folder)
    const appends = Array.from({ length: records }, (_, number) =>
      journal.append({ stream: `machine/${number}`, expected: 0, texts: ['x'.repeat(100)] })(),
    )
    expect((await Promise.all(appends)).every((answer) => answer._tag === 'Right')).toBe(true)
    await must(journal.close())
    const logBytes = (await segmentsOf(folder)).reduce((sum, { bytes }) => sum + bytes.length, 0)
    const read = vi.spyOn(FileHandlePrototype, 'read')
    const opened = await openIn(folder)
    const bytes = read.mock.calls.reduce((sum, [, , length]) => sum + (length as number), 0)
    read.mockRestore()
    expect(bytes).toBeLessThan(logBytes / 10)
    expect(await texts(opened.read('machine/77'))).toEqual(['x'.repeat(100)])
    expect(await refused(opened.append({ stream: 'machine/78', expected: 0, texts: ['x'] }))).toBe('CONFLICT')
    expect(await add(opened, 'machine/79', 1, 'y')).toBe(records + 1)
    expect((await all(opened.readAll({ from: 50_000, to: 50_001 }))).map(({ stream }) => stream)).toEqual([
      'machine/49999',
      'machine/50000',
    ])
  })

  test('K9 of the streams that it has, no more than so many are remembered', { timeout: 120_000 }, async () => {
    const folder = join(await newFolder(), 'index')
    const frames = { sum: 0, segments: [] }
    const log = { salt: 1, frameAt: async () => frames, refill: async () => {}, warn: expect.fail }
    const anew = () => Runs.none(folder, 4096)
    const places = new Places(anew(), { anew, goneFile: () => '', every: 4096 }, log)
    for (let number = 0; number < 100_000; number++) {
      const stream = places.begin(`machine/${number}`)
      stream.claimed = 1
      places.add(stream, 100, 50, NOT_URGENT)
      if (places.full) await places.write()
    }
    await places.write()
    expect(places.unindexed).toBe(0)
    expect(places.remembered).toBeLessThanOrEqual(1 << 14)
    for (let number = 0; number < 100_000; number += 997) {
      expect(await places.look(`machine/${number}`)).toMatchObject({ last: 1, claimed: 1 })
      expect((await places.look(`machine/${number} `))?.last ?? 0).toBe(0)
    }
    await places.close()
    await expect(places.heads(() => true)).rejects.toMatchObject({ code: 'CLOSED' })
    await expect(places.distrust('asked by who has not heard of it')).rejects.toMatchObject({ code: 'CLOSED' })
  })
})
