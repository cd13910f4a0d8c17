// All that a journal offers at once, by a process that is killed again and again, readers beside it, caches that vanish
// between: what was acknowledged is there and nothing else, and all who are asked say the same (K1 K2 K3 K7 K12).
// A few rounds; many with DURAMEN_SOAK=1.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { copyFile, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import {
  aesGcm,
  checkJournal,
  exportJournal,
  type FileJournal,
  type FileJournalOptions,
  fileJournal,
  fileKeys,
  importJournal,
  type Journal,
  type JournalReader,
  memoryJournal,
  openJournal,
  restoreJournal,
  type StoredRecord,
} from '../../src/journal/index.ts'
import { urgencyOf } from '../../src/journal/records.ts'
import { all, must } from '../../src/testing/journal/case.ts'
import { compiledJournal } from './compiled.ts'
import { copyJournal, memory, newFolder, openFilesIn, quiet } from './folder.ts'
import { randomOf, runOf, textOf } from './together.mjs'

const compiled = compiledJournal()
const soak = process.env.DURAMEN_SOAK !== undefined
const SEEDS = soak ? Array.from({ length: 12 }, (_, more) => Number(process.env.DURAMEN_SEED ?? 1) + more) : [1, 2]
const ROUNDS = soak ? 10 : 3

interface Started {
  /** The lines that it has told. */
  lines(): string[]
  until(count: number): Promise<void>
  /** Resolves with its exit code; undefined where a signal ended it. */
  end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | undefined>
}

function start(settings: object): Started {
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, 'together-child.mjs'), compiled, JSON.stringify(settings)],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  let output = ''
  let errors = ''
  const ended = new Promise<number | undefined>((resolve, reject) => {
    child.once('close', (code) => {
      if (code) reject(new Error(`${JSON.stringify(settings)}: ${errors}`))
      else resolve(code ?? undefined)
    })
  })
  ended.catch(() => {})
  const lines = () => output.split('\n').slice(0, -1)
  child.stdout.on('data', (chunk) => {
    output += chunk
  })
  child.stderr.on('data', (chunk) => {
    errors += chunk
  })
  const grown = (count: number) =>
    new Promise<void>((resolve) => {
      child.stdout.on('data', () => output.split('\n').length > count && resolve())
    })
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await ended.catch(() => {})
  })
  return {
    lines,
    until: (count) => Promise.race([grown(count), ended.then(() => {})]),
    end: (signal) => {
      child.kill(signal)
      return ended
    },
  }
}

/** What is known of a stream, by what its writers told. */
interface Stream {
  /** The seq of the last record that was acknowledged. */
  last: number
  /** Records before that seq are dropped, and those before `mayTrim` may be. */
  trimmed: number
  mayTrim: number
  erased: boolean
  mayErase: boolean
}

/** As `expect` says it, and quick where it is so: there are many. */
function same(found: unknown, wanted: unknown, what = '') {
  if (!isDeepStrictEqual(found, wanted)) expect(found, what).toEqual(wanted)
}

const keyOf = ({ stream, seq, run }: { stream: string; seq: number; run: number }) => `${stream} ${seq} ${run}`

class Model {
  readonly streams = new Map<string, Stream>()
  /** By position, which record is there for good: acknowledged, or seen. */
  readonly there = new Map<number, string>()
  /** The last position of which a backup has said that it holds it. */
  backup = 0
  /** The first run that encrypts. */
  encryptedFrom = Number.POSITIVE_INFINITY

  of(name: string): Stream {
    const known = this.streams.get(name)
    if (known !== undefined) return known
    const stream = { last: 0, trimmed: 1, mayTrim: 1, erased: false, mayErase: false }
    this.streams.set(name, stream)
    return stream
  }

  note(position: number, key: string) {
    same(this.there.get(position) ?? key, key, `at ${position}`)
    this.there.set(position, key)
  }

  told(lines: readonly string[], run: number) {
    for (const line of lines) {
      const [what, name = '', ...numbers] = line.split(' ')
      const [first = 0, count = 0, position = 0] = numbers.map(Number)
      if (what === 'A') {
        const stream = this.of(name)
        stream.last = Math.max(stream.last, first + count - 1)
        for (let more = 0; more < count; more++) {
          this.note(position + more, keyOf({ stream: name, seq: first + more, run }))
        }
      } else if (what === 't') this.of(name).mayTrim = Math.max(this.of(name).mayTrim, first)
      else if (what === 'T') this.of(name).trimmed = Math.max(this.of(name).trimmed, first)
      else if (what === 'e') this.of(name).mayErase = true
      else if (what === 'E') this.of(name).erased = true
      else if (what === 'B') this.backup = Number(name)
    }
  }

  /** What a reader was shown is there for good, too. */
  shown(lines: readonly string[]) {
    for (const line of lines) {
      const [, position, ...key] = line.split(' ')
      this.note(Number(position), key.join(' '))
    }
  }

  /** K2 K7 K12 these records are what was acknowledged, and whole. `upTo`: they are an earlier state of it. */
  holds(records: readonly StoredRecord[], upTo = Number.POSITIVE_INFINITY) {
    let last = 0
    for (const { position, stream, seq, text } of records) {
      same([position > last, text], [true, textOf(stream, seq, runOf(text))], `at ${position}`)
      last = position
      this.note(position, keyOf({ stream, seq, run: runOf(text) }))
    }
    const found = byStream(records)
    for (const [name, stream] of this.streams) {
      const own = found.get(name) ?? []
      const seqs = own.map(({ seq }) => seq)
      const [first = 0] = seqs
      same(
        seqs,
        seqs.map((_, index) => first + index),
        name,
      )
      same(first <= stream.mayTrim, true, `${name} begins with ${first}`)
      if (upTo < Number.POSITIVE_INFINITY) continue
      same(first === 0 || first >= stream.trimmed, true, `${name} begins with ${first}`)
      const readable = own.filter(({ text }) => runOf(text) >= this.encryptedFrom)
      if (stream.erased) same(readable, [], name)
      if (!stream.mayErase) same((seqs.at(-1) ?? 0) >= stream.last, true, `${name} ends with ${seqs.at(-1)}`)
    }
    const positions = new Set(records.map(({ position }) => position))
    for (const [position, key] of this.there) {
      if (position > upTo || positions.has(position)) continue
      const [name, seq, run] = key.split(' ')
      const { mayTrim, mayErase } = this.of(name!)
      const gone = Number(seq) < mayTrim || (mayErase && Number(run) >= this.encryptedFrom)
      same(gone, true, `${key} at ${position} is missing`)
    }
  }
}

const byName = (one: { stream: string }, other: { stream: string }) => (one.stream < other.stream ? -1 : 1)
const codeOf = (error: { code: string }) => error.code

/** What a journal answers; each way of asking agrees with the others. */
async function answersOf(journal: Journal | JournalReader) {
  const records = await all(journal.readAll())
  const heads = (await all(journal.heads())).sort(byName)
  const headOf = new Map(heads.map((head) => [head.stream, head]))
  for (const [stream, own] of byStream(records)) {
    const head = await journal.head(stream).catch(codeOf)
    const read = await all(journal.read(stream)).catch(codeOf)
    if (head === 'ERASED') same([read, headOf.get(stream)], ['ERASED', undefined], stream)
    else same([read, head, headOf.get(stream)], [own, own.at(-1), own.at(-1)], stream)
  }
  return { records, heads }
}

function byStream(records: readonly StoredRecord[]): Map<string, StoredRecord[]> {
  const streams = new Map<string, StoredRecord[]>()
  for (const record of records) {
    const known = streams.get(record.stream)
    if (known === undefined) streams.set(record.stream, [record])
    else known.push(record)
  }
  return streams
}

/** And whom a host must see to. */
async function urgentOf(journal: Journal, { heads, records }: Awaited<ReturnType<typeof answersOf>>) {
  const due = []
  for await (const one of journal.due(500)) due.push(one)
  const wanted = heads.map(({ stream, text }) => ({ stream, due: urgencyOf(stream, text).due }))
  expect(due.sort(byName)).toEqual(wanted.filter((one) => one.due <= 500))
  const pending = (await all(journal.heads({ pending: true }))).sort(byName)
  const kept = byStream(records)
  const mustLook = ({ stream, text }: StoredRecord) => {
    const { pending, purged } = urgencyOf(stream, text)
    return pending || (purged && kept.get(stream)!.length > 1)
  }
  expect(pending).toEqual(heads.filter(mustLook))
}

test.each(SEEDS)('K1 K2 K3 K7 K12 killed again and again, seed %i', { timeout: 900_000 }, async (seed) => {
  const random = randomOf(seed)
  const upTo = (count: number) => Math.floor(random() * count)
  const root = await newFolder(memory)
  const folder = join(root, 'journal')
  const [keys, backup, archive] = [join(root, 'keys'), join(root, 'backup'), join(root, 'archive')]
  const model = new Model()
  const codecFrom = random() < 0.6 ? upTo(ROUNDS / 2) : Number.POSITIVE_INFINITY
  const chainFrom = random() < 0.4 ? upTo(ROUNDS / 2) : Number.POSITIVE_INFINITY
  const archives = random() < 0.5
  model.encryptedFrom = codecFrom

  for (let run = 0; run < ROUNDS; run++) {
    const codec = () => (run >= codecFrom ? { codec: aesGcm({ keys: fileKeys(keys) }) } : {})
    const options: FileJournalOptions = {
      segmentBytes: [4096, 4096, 20_000, 100_000][upTo(4)]!,
      indexEvery: [16, 16, 64, 1024][upTo(4)]!,
      chain: run >= chainFrom,
    }
    const settings = { folder, keys, backup, seed: seed * 1000 + run, run, encrypted: run >= codecFrom, options }
    const writer = start({ what: 'write', ...settings, ...(archives && { archive }) })
    await writer.until(1)
    const reader = start({ what: 'read', ...settings })
    await writer.until(upTo(4) === 0 ? 1 + upTo(20) : 100 + upTo(soak ? 2000 : 400))
    const closes = random() < 0.2
    const code = await writer.end(closes ? 'SIGTERM' : 'SIGKILL')
    if (closes) expect([code, writer.lines().at(-1)]).toEqual([0, 'closed'])
    model.told(writer.lines(), run)
    if (random() < 0.5) await reader.end('SIGKILL')
    for (const cache of ['index', 'snapshots', 'committed']) {
      if (random() < 0.25) await rm(join(folder, cache), { recursive: true, force: true })
    }
    const looks = random() < 0.6 || run === ROUNDS - 1
    if (looks) {
      expect(await checkJournal(folder)).toMatchObject({ sound: true, damages: [] })
      const without = join(root, 'without')
      await copyJournal(folder, without)
      await rm(join(without, 'index'), { recursive: true, force: true })
      const beside = await openJournal(folder, { readOnly: true, logger: quiet, ...codec() })
      const first = await answersOf(beside)
      await must(beside.close())
      model.holds(first.records)
      const opened = async (where: string, expected = first) => {
        const journal = await fileJournal(where, { logger: quiet, ...options, ...codec() })
        const answers = await answersOf(journal)
        same(answers, expected, where)
        await urgentOf(journal, answers)
        return journal
      }
      const journal = await opened(folder)
      await exported(journal, first.records, model)
      await must(journal.close())
      await must((await opened(folder)).close())
      expect(await checkJournal(folder)).toMatchObject({ sound: true, torn: undefined, leftovers: [] })
      await must((await opened(without)).close())
      expect(await checkJournal(without)).toMatchObject({ sound: true })
      await rm(without, { recursive: true })
      if (model.backup > 0) {
        const restored = join(root, 'restored')
        expect((await restoreJournal(backup, restored)).position).toBeGreaterThanOrEqual(model.backup)
        const again = await fileJournal(restored, { logger: quiet, ...codec() })
        const { records } = await answersOf(again)
        model.holds(records, model.backup)
        await must(again.close())
        await rm(restored, { recursive: true })
      }
      if (existsSync(archive)) await whole(folder, archive, join(root, 'whole'))
      expect(openFilesIn(root)).toEqual([])
    }
    await reader.end('SIGKILL')
    model.shown(reader.lines())
  }
})

/** An export and back is the same, where nothing was erased from its midst. */
async function exported(journal: FileJournal, records: readonly StoredRecord[], model: Model) {
  if ([...model.streams.values()].some(({ mayErase }) => mayErase)) return
  const copy = memoryJournal()
  await importJournal(exportJournal(journal), copy)
  const without = (all: readonly StoredRecord[]) => all.map(({ stream, seq, text }) => ({ stream, seq, text }))
  expect(without(await all(copy.readAll()))).toEqual(without(records))
}

/** The archive and what is left are the whole history. */
async function whole(folder: string, archive: string, to: string) {
  await copyJournal(folder, to)
  await rm(join(to, 'index'), { recursive: true, force: true })
  for (const name of await readdir(archive)) {
    if (name.endsWith('.log')) await copyFile(join(archive, name), join(to, name))
  }
  expect(await checkJournal(to)).toMatchObject({ sound: true })
  await rm(to, { recursive: true })
}
