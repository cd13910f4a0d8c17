// K7: the power is cut while a process writes, on a real file system. Nothing that was acknowledged before is lost, of no
// append there is a half, and nothing is read that was not written.
//
// `npm run soak:power`: a hundred cuts of each kind. Without that, three.
import { spawn } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { FileJournalOptions, Journal, StoredRecord } from '../../src/journal/index.ts'
import { isDuramenError } from '../../src/ports/errors.ts'
import { all, must } from '../../src/testing/journal/case.ts'
import { compiledJournal } from './compiled.ts'
import { type Disk, newDisk, noDisk } from './disk.ts'
import { copyJournal, newFolder, openIn } from './folder.ts'

const compiled = compiledJournal()
const ROUNDS = process.env.DURAMEN_SOAK ? 100 : 3
const without = noDisk()
if (without !== undefined) console.warn(`SKIPPED: ${without}`)

interface Kind {
  readonly options: FileJournalOptions
  readonly streams: number
  /** So many acknowledgements, at the most, until the power is cut. */
  readonly until: number
  /** So many cuts of one journal, then a new one. */
  readonly cuts: number
}

const child = (file: string) => join(import.meta.dirname, file)

/** What a process was told before the power went. */
interface Told {
  readonly appended: ReadonlyMap<string, number>
  readonly trimmed: ReadonlyMap<string, number>
}

/** What a process may be told once there is no power. */
const REFUSALS = ['IO', 'READ_ONLY', 'OUTCOME_UNKNOWN', 'JOURNAL_FAILED'].map((code) => `refused ${code}`)

/** A process writes on that disk until the power is cut. */
async function writeUntilCut(disk: Disk, folder: string, kind: Kind, ...nodeArgs: string[]): Promise<Told> {
  const args = [child('power-child.mjs'), compiled, folder, JSON.stringify(kind.options), String(kind.streams)]
  const writer = spawn(process.execPath, [...nodeArgs, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => {
    writer.kill('SIGKILL')
  })
  const closed = new Promise((resolve) => writer.once('close', resolve))
  const lines: string[] = []
  const wanted = 1 + Math.floor(Math.random() * kind.until)
  const reader = createInterface({ input: writer.stdout }).on('line', (line) => lines.push(line))
  const until = (there: () => boolean) => new Promise<void>((resolve) => reader.on('line', () => there() && resolve()))
  await Promise.race([until(() => lines.length >= wanted), closed])
  const told = lines.slice()
  disk.cut()
  const refused = () => lines.filter((line) => line.startsWith('refused'))
  await Promise.race([until(() => refused().length === kind.streams), closed])
  expect(writer.exitCode).toBe(null)
  for (const line of refused()) expect(REFUSALS).toContain(line)
  writer.kill('SIGKILL')
  await closed
  const words = told.map((line) => line.split(' '))
  const last = (what: string) =>
    new Map(words.filter(([word]) => word === what).map(([, stream, seq]) => [stream!, Number(seq)]))
  return { appended: last('append'), trimmed: last('trim') }
}

/** What of that is not there. */
async function lost(journal: Journal, { appended, trimmed }: Told): Promise<string[]> {
  const missing: string[] = []
  for (const [stream, seq] of appended) {
    const last = (await journal.head(stream))?.seq ?? 0
    if (last < seq) missing.push(`record ${seq} of ${stream}, which ends with ${last}`)
  }
  for (const [stream, before] of trimmed) {
    for await (const { seq } of journal.read(stream))
      if (seq < before) missing.push(`the trim of ${stream} to ${before}`)
  }
  return missing
}

const byPosition = (one: StoredRecord, other: StoredRecord) => one.position - other.position

/** All that a journal says; it must be what was written. */
async function answers(journal: Journal) {
  const records = await all(journal.readAll())
  const heads = (await all(journal.heads())).sort(byPosition)
  const streams = new Map<string, StoredRecord[]>()
  for (const { stream } of heads) {
    const read = await all(journal.read(stream))
    streams.set(stream, read)
    expect(read.map(({ seq }) => seq)).toEqual(read.map((_, index) => read[0]!.seq + index))
    expect(read.at(-1)!.seq % 2).toBe(0)
    for (const { text, seq } of read) expect(text.startsWith(`{"stream":"${stream}","seq":${seq}`)).toBe(true)
    const snapshot = await journal.snapshot(stream)
    if (snapshot !== undefined) expect(snapshot.text).toBe(`${stream} ${snapshot.seq}`.repeat(50))
  }
  expect([...streams.values()].flat().sort(byPosition)).toEqual(records)
  const due: { stream: string; due: number }[] = []
  for await (const one of journal.due(Number.MAX_SAFE_INTEGER)) due.push(one)
  const pending = (await all(journal.heads({ pending: true }))).sort(byPosition)
  return { records, heads, due: due.sort((one, other) => one.stream.localeCompare(other.stream)), pending }
}

describe.skipIf(without !== undefined)('K7 a power cut', () => {
  const many = { segmentBytes: 20_000, indexEvery: 16 }
  const kinds: [string, Kind][] = [
    ['while groups and the index are written', { options: many, streams: 12, until: 400, cuts: 5 }],
    [
      'while a segment is begun for nearly every group',
      { options: { segmentBytes: 1024 }, streams: 3, until: 150, cuts: 5 },
    ],
    ['in a folder that was just created', { options: many, streams: 1, until: 4, cuts: 1 }],
  ]
  test.each(kinds)('%s loses nothing that was acknowledged', { timeout: 30_000 + ROUNDS * 5000 }, async (_, kind) => {
    const disk = await newDisk()
    const copies = await newFolder()
    let found = 0
    for (let round = 0; round < ROUNDS; round++) {
      const life = Math.floor(round / kind.cuts)
      const folder = join(disk.path, String(life), 'journal')
      await rm(join(disk.path, String(life - 1)), { recursive: true, force: true })
      const told = await writeUntilCut(disk, folder, kind)
      disk.restart()
      const copy = join(copies, String(round))
      await copyJournal(folder, copy)
      await rm(join(copy, 'index'), { recursive: true, force: true })
      const journal = await openIn(folder, kind.options)
      expect(await lost(journal, told), `in round ${round}`).toEqual([])
      const rebuilt = await openIn(copy)
      const answer = await answers(journal)
      expect(answer).toEqual(await answers(rebuilt))
      found += answer.records.length
      await must(journal.close())
      await must(rebuilt.close())
      await rm(copy, { recursive: true })
    }
    expect(found).toBeGreaterThan(ROUNDS)
  })

  test('loses what was acknowledged if the journal does not sync: or these tests would prove nothing', async () => {
    const disk = await newDisk()
    const kind: Kind = { options: many, streams: 12, until: 400, cuts: 1 }
    let losing = 0
    for (let round = 0; round < 3; round++) {
      const folder = join(disk.path, String(round))
      const told = await writeUntilCut(disk, folder, kind, '--import', pathToFileURL(child('no-sync.mjs')).href)
      disk.restart()
      try {
        const journal = await openIn(folder)
        if ((await lost(journal, told)).length > 0) losing++
        await must(journal.close())
      } catch (error) {
        if (!isDuramenError(error) || error.code !== 'JOURNAL_DAMAGED') throw error
        losing++
      }
    }
    expect(losing).toBeGreaterThan(0)
  })
})
