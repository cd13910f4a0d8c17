// The file journal beside raw write + fdatasync of the same bytes in the same grouping, in one run: rounds alternate,
// and of their ratios the median counts. `node bench/journal.mjs` prints it; needs `npm run build` first.
import { mkdtemp, open, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { pathToFileURL } from 'node:url'
import { fileJournal } from '../dist/journal/index.js'
import { median, scratch } from './side-by-side.mjs'

const ROUNDS = 9
const IN_FLIGHT = 256
const OWN_STREAMS = 4
const APPENDS = 150_000
const MILLION = 1_000_000
const IN_SEQUENCE = 1_500
const TEXT = JSON.stringify({ type: 'MEASURED', value: 'x'.repeat(250 - 32) })
const FRAME_BYTES = 24

/** Ratios of appends per second, with both rates; 1 would be as fast as the disk takes the bytes from Node. */
export async function benchJournal() {
  const folder = await mkdtemp(join(scratch(), 'journal-'))
  try {
    const together = []
    const onMillion = []
    const single = []
    const opened = []
    const stalls = []
    const million = join(folder, 'million')
    await fill(million, MILLION)
    const bytes = (await logBytes(million)) / MILLION
    for (let round = 0; round < ROUNDS; round++) {
      opened.push({ ours: await timeToOpen(million), raw: await timeToOpen(join(folder, `empty-${round}`)) })
    }
    const full = await fileJournal(million)
    for (let round = 0; round < ROUNDS; round++) {
      together.push(await sideBySide(folder, concurrent))
      onMillion.push(await sideBySide(folder, (journal) => stalling(stalls, journal, `round-${round}`), full))
      single.push(await sideBySide(folder, sequential))
    }
    await full.close()()
    return [
      row('journal, 256 in flight over 1,024 streams: of raw write + fdatasync', together, 0.7),
      row('the same on a journal of a million records, a million other streams', onMillion, 0.7),
      row('journal, in sequence: of raw write + fdatasync', single, 0.8),
      limit('event loop beside a million records, index and new segments written: stall p99, ms', median(stalls), 20),
      limit('bytes in the log of a record of 250 bytes', bytes, 330),
      {
        name: 'opening a journal of a million records, ms (beside: an empty one)',
        value: median(opened.map(({ ours }) => ours)),
        goal: 100,
        lowerIsBetter: true,
        rates: [median(opened.map(({ ours }) => ours)), median(opened.map(({ raw }) => raw))].map(Math.round),
      },
    ]
  } finally {
    await rm(folder, { recursive: true })
  }
}

function row(name, rounds, goal) {
  const rate = (which) => Math.round(median(rounds.map((round) => round[which])))
  return { name, value: median(rounds.map(({ ours, raw }) => ours / raw)), goal, rates: [rate('ours'), rate('raw')] }
}

const limit = (name, value, goal) => ({ name, value, goal, lowerIsBetter: true })

/** Notes the 99th percentile of how much later than asked for a timer comes, in ms. */
async function stalling(stalls, journal, prefix) {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const groups = await concurrent(journal, prefix)
  delay.disable()
  stalls.push(delay.percentile(99) / 1e6 - 1)
  return groups
}

async function logBytes(dir) {
  const names = (await readdir(dir)).filter((name) => name.endsWith('.log'))
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(dir, name))).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

/** A record of each of so many streams. */
async function fill(dir, records) {
  const journal = await fileJournal(dir)
  let next = 0
  async function caller() {
    while (next < records) await append(journal, `filled/${next++}`, 0)
  }
  await Promise.all(Array.from({ length: 4 * IN_FLIGHT }, caller))
  await journal.close()()
}

async function timeToOpen(dir) {
  const begun = performance.now()
  const journal = await fileJournal(dir)
  const took = performance.now() - begun
  await journal.close()()
  return took
}

async function sideBySide(folder, run, existing) {
  const dir = await mkdtemp(join(folder, 'round-'))
  const journal = existing ?? (await fileJournal(dir))
  const begun = performance.now()
  const groups = await run(journal)
  const took = performance.now() - begun
  if (existing === undefined) await journal.close()()
  const tookRaw = await writeRaw(join(dir, 'raw'), groups)
  await rm(dir, { recursive: true })
  const appends = groups.reduce((sum, group) => sum + group.appends, 0)
  return { ours: (appends / took) * 1000, raw: (appends / tookRaw) * 1000 }
}

/** Appends from so many callers at once, each over streams of its own; the answers that come together were one group. */
async function concurrent(journal, prefix = 'order') {
  const groups = []
  let group
  let left = APPENDS
  const caller = async (_, number) => {
    for (let turn = 0; left-- > 0; turn++) {
      const stream = `${prefix}/${number + IN_FLIGHT * (turn % OWN_STREAMS)}`
      await append(journal, stream, Math.floor(turn / OWN_STREAMS))
      if (group === undefined) {
        group = { appends: 0, bytes: 0 }
        groups.push(group)
        setImmediate(() => {
          group = undefined
        })
      }
      group.appends++
      group.bytes += FRAME_BYTES + stream.length + TEXT.length
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, caller))
  return groups
}

async function sequential(journal) {
  for (let seq = 0; seq < IN_SEQUENCE; seq++) await append(journal, 'order/1', seq)
  return Array.from({ length: IN_SEQUENCE }, () => ({ appends: 1, bytes: FRAME_BYTES + 7 + TEXT.length }))
}

async function append(journal, stream, expected) {
  const answer = await journal.append({ stream, expected, texts: [TEXT] })()
  if (answer._tag === 'Left') throw answer.left
}

async function writeRaw(file, groups) {
  const handle = await open(file, 'w')
  const bytes = Buffer.alloc(Math.max(...groups.map((group) => group.bytes)), TEXT)
  const begun = performance.now()
  for (const group of groups) {
    await handle.write(bytes, 0, group.bytes)
    await handle.datasync()
  }
  const took = performance.now() - begun
  await handle.close()
  return took
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) console.table(await benchJournal())
