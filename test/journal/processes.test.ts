// Real processes: a second one is refused (K2), and one that is killed at any moment loses nothing (K7).
import { spawn } from 'node:child_process'
import { readdir, rm, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { EMPTY_BYTES } from '../../src/journal/file/segments/format.ts'
import { listSegments } from '../../src/journal/file/segments/segments.ts'
import type { StoredRecord } from '../../src/journal/index.ts'
import { all, must, numbered, texts } from '../../src/testing/journal/case.ts'
import { compiledJournal } from './compiled.ts'
import { copyJournal, newFolder, openIn, segmentsOf } from './folder.ts'

const compiled = compiledJournal()

/** Starts a child; `until` resolves with its output once that has so many lines, and a word, or the child has ended. */
function start(folder: string, what: string, ...more: string[]) {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'child.mjs'), compiled, folder, what, ...more], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  const lines = () => output.split('\n').slice(0, -1)
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const grown = (count: number, word: string) =>
    new Promise<void>((resolve) => {
      child.stdout.on('data', () => lines().length >= count && output.includes(word) && resolve())
    })
  child.stdout.on('data', (chunk) => {
    output += chunk
  })
  const kill = async () => {
    child.kill('SIGKILL')
    await ended
    return lines()
  }
  onTestFinished(async () => {
    await kill()
  })
  return {
    pid: child.pid,
    kill,
    until: (count: number, word = '') => Promise.race([grown(count, word), ended]).then(lines),
  }
}

test('K2 a second process is refused and told pid, host and start of the first, which a kill sets free', async () => {
  const folder = await newFolder()
  const first = start(folder, 'hold')
  expect(await first.until(1)).toEqual(['open'])
  await expect(openIn(folder)).rejects.toMatchObject({
    code: 'LOCKED',
    message: expect.stringMatching(new RegExp(`process ${first.pid} on ${hostname()} since 2\\d{3}-.*Z$`)),
    hint: expect.stringContaining(String(first.pid)),
    where: { file: join(folder, 'lock'), pid: first.pid, host: hostname() },
  })
  await first.kill()
  await openIn(folder)
  expect(await start(folder, 'hold').until(1)).toEqual([`LOCKED ${process.pid}`])
})

test('K10 a lock keeps no process alive: one that forgets to close its journal ends all the same', async () => {
  const folder = await newFolder()
  const script = `(await import(${JSON.stringify(compiled)})).fileJournal(${JSON.stringify(folder)})`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' })
  expect(await new Promise((resolve) => child.once('exit', resolve))).toBe(0)
  expect(await readdir(folder)).toContain('lock')
  await openIn(folder)
})

test('K7 a journal that was not closed has a segment of more bytes than were written, and opens without a word', async () => {
  const folder = await newFolder()
  const child = start(folder, 'fill')
  expect(await child.until(2)).toEqual(['open', 'filled'])
  await child.kill()
  const sizeOf = async () => (await segmentsOf(folder)).at(-1)!.bytes.length
  expect(await sizeOf()).toBe(20_000)
  const journal = await openIn(folder, { segmentBytes: 20_000 })
  expect(journal.torn).toBeUndefined()
  expect(await texts(journal.readAll())).toEqual(numbered(50))
  await must(journal.close())
  expect(await sizeOf()).toBe(32 + numbered(50).reduce((sum, text) => sum + 24 + 1 + text.length, 0))
})

test('K7 of a process that is killed no acknowledged append is lost, and of none a half is kept', async () => {
  const folder = await newFolder()
  for (let round = 0; round < 6; round++) {
    const child = start(folder, 'append')
    await child.until(300 * (round + 1) + round * 37)
    const acknowledged = new Map<string, number>()
    for (const line of (await child.kill()).slice(1)) {
      const [stream, seq] = line.split(' ')
      acknowledged.set(stream!, Number(seq))
    }
    expect(acknowledged.size).toBeGreaterThan(0)
    const journal = await openIn(folder)
    const last = new Map<string, number>()
    for (const { stream, seq, text } of await all(journal.readAll())) {
      expect(text).toBe(`${stream} ${seq}`)
      expect(seq).toBe((last.get(stream) ?? 0) + 1)
      last.set(stream, seq)
    }
    for (const [stream, seq] of acknowledged) expect(last.get(stream)).toBeGreaterThanOrEqual(seq)
    for (const seq of last.values()) expect(seq % 2).toBe(0)
    await journal.close()()
  }
})

test('K3 of a process that is killed while it saves snapshots, each is there as it was saved, or not at all', async () => {
  const folder = await newFolder()
  let kept = 0
  for (let round = 0; round < 5; round++) {
    const child = start(folder, 'snapshots')
    await child.until(60 + round * 17)
    await child.kill()
    const journal = await openIn(folder)
    for (const { stream, seq } of await all(journal.heads())) {
      const snapshot = await journal.snapshot(stream)
      if (snapshot === undefined) continue
      kept++
      expect(snapshot.seq).toBeLessThanOrEqual(seq)
      expect(snapshot.text).toBe(`${stream} ${snapshot.seq} `.repeat(200))
    }
    await must(journal.close())
  }
  expect(kept).toBeGreaterThan(0)
})

test('K7 of a process that is killed while it reclaims by itself no acknowledged trim is undone, and none drops what it should keep', async () => {
  const folder = await newFolder()
  let reclaimed = 0
  for (let round = 0; round < 4; round++) {
    const child = start(folder, 'trim')
    await child.until(200 + round * 37)
    const acknowledged = new Map<string, number>()
    for (const line of (await child.kill()).slice(1)) {
      const [stream, seq] = line.split(' ')
      acknowledged.set(stream!, Number(seq))
    }
    const journal = await openIn(folder)
    for (const [stream, seq] of acknowledged) {
      const records = await all(journal.read(stream))
      expect(records[0]!.seq).toBeGreaterThanOrEqual(seq)
      expect(records.length).toBeLessThanOrEqual(2)
      expect(records.map(({ text }) => text)).toEqual(records.map((record) => `${stream} ${record.seq}`))
      expect(await journal.head(stream)).toEqual(records.at(-1))
    }
    await must(journal.close())
    for (const { first, file } of (await listSegments(folder)).slice(0, -1))
      if ((await stat(file)).size === EMPTY_BYTES) reclaimed = Math.max(reclaimed, first)
  }
  expect(reclaimed).toBeGreaterThan(0)
})

test('K7 of a process that is killed while it reclaims, nothing is lost that it should keep, with and without the index', async () => {
  const folder = await newFolder()
  const acknowledged = new Map<string, number>()
  for (let round = 0; round < 6; round++) {
    const child = start(folder, 'reclaim', '64')
    await child.until(200 + round * 37, round === 0 ? 'reclaimed' : '') // at least once it has come to that
    for (const line of (await child.kill()).slice(1)) {
      const [stream, seq] = line.split(' ')
      if (stream !== 'reclaimed') acknowledged.set(stream!, Number(seq))
    }
    if (round % 2 === 0) await rm(join(folder, 'index'), { recursive: true, force: true })
    const journal = await openIn(folder)
    const read = await all(journal.readAll())
    for (const [stream, seq] of acknowledged) {
      const records = await all(journal.read(stream))
      expect(records[0]!.seq).toBeGreaterThanOrEqual(seq)
      expect(records.map(({ text }) => text)).toEqual(records.map((record) => `${stream} ${record.seq}`))
      expect(read.filter((record) => record.stream === stream)).toEqual(records)
      expect(await journal.head(stream)).toEqual(records.at(-1))
    }
    await must(journal.close())
  }
})

test('K3 of a process that is killed while it writes the index, the answers are those of the log alone', {
  timeout: 120_000,
}, async () => {
  const folder = await newFolder()
  let indexed = 0
  for (let round = 0; round < 30; round++) {
    const child = start(folder, 'append', '16')
    await child.until(20 + round * 7)
    const acknowledged = new Map<string, number>()
    for (const line of (await child.kill()).slice(1)) {
      const [stream, seq] = line.split(' ')
      acknowledged.set(stream!, Number(seq))
    }
    const copy = await newFolder()
    await copyJournal(folder, copy)
    await rm(join(copy, 'index'), { recursive: true, force: true })
    const journal = await openIn(folder, { indexEvery: 16 })
    const model = await openIn(copy)
    const byPosition = (one: StoredRecord, other: StoredRecord) => one.position - other.position
    const heads = (await all(model.heads())).sort(byPosition)
    expect((await all(journal.heads())).sort(byPosition)).toEqual(heads)
    expect(await all(journal.readAll())).toEqual(await all(model.readAll()))
    for (const { stream, seq } of heads) {
      expect(seq).toBeGreaterThanOrEqual(acknowledged.get(stream) ?? 0)
      expect(await all(journal.read(stream))).toEqual(await all(model.read(stream)))
    }
    await must(journal.close())
    await must(model.close())
    indexed += (await readdir(join(folder, 'index'))).filter((name) => name.endsWith('.run')).length
  }
  expect(indexed).toBeGreaterThan(30)
})
