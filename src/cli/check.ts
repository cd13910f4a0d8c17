// `duramen check`: what is damaged in a journal, what it has cost, and what to do; with --repair it is done.
//
// K7 nothing is given up before it was said and somebody has said yes.
import { basename } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { noJournal } from '../journal/file/segments/damaged.ts'
import {
  type ChainHead,
  type ChainReport,
  checkJournal,
  type Damage,
  type JournalReport,
  type RepairLosses,
  type RepairReport,
  type RepairWay,
  repairJournal,
} from '../journal/index.ts'
import { printable } from '../ports/printable.ts'
import type { Screen } from './screen.ts'
import { bytes, counted } from './text.ts'

export interface CheckCommand {
  readonly dir: string
  readonly json: boolean
  readonly repair: 'cut' | 'quarantine' | undefined
  readonly yes: boolean
  /** The end of a chain that was noted earlier. */
  readonly expect: ChainHead | undefined
}

/** So many damages and streams are shown; `--json` has all. */
const MOST = 100

/** Checks, and repairs if that was asked for; the answer is the exit code: 0 for a sound journal, 1 for one
 * that is damaged, or not what was noted of it. */
export async function check(command: CheckCommand, screen: Screen): Promise<number> {
  const { dir, json, repair, expect } = command
  const onProgress = (done: number, total: number) => {
    if (!json && done < total) screen.progress(Math.floor(done / 1e6), Math.ceil(total / 1e6), 'MB')
  }
  const report = await checkJournal(dir, { onProgress, ...(expect && { expect }) })
  screen.endProgress()
  if (report.sound && report.usage.segments === 0 && !report.torn) throw noJournal(dir)
  if (json && repair === undefined) screen.line(JSON.stringify(report, undefined, 2))
  if (!json) for (const line of reportLines(command, report, screen)) screen.line(line)
  if (report.sound) {
    if (json && repair !== undefined) screen.line(JSON.stringify(report, undefined, 2))
    return report.chain?.broken.length || (expect && !report.chain?.met) ? 1 : 0
  }
  if (repair !== undefined) return await mend(command, screen, repair)
  if (!json) for (const line of nextLines(dir)) screen.line(line)
  return 1
}

async function mend({ dir, json, yes }: CheckCommand, screen: Screen, how: 'cut' | 'quarantine'): Promise<number> {
  const confirm = async (losses: RepairLosses, way: RepairWay) => {
    if (!json) for (const line of lossLines(losses, way === how ? undefined : way)) screen.line(line)
    return yes || (await agreed())
  }
  const report = await repairJournal(dir, { how, confirm })
  if (json) screen.line(JSON.stringify(report, undefined, 2))
  else for (const line of mendedLines(report, screen)) screen.line(line)
  return report.declined === undefined ? 0 : 1
}

function* mendedLines(report: RepairReport, screen: Screen): Generator<string> {
  const { repaired, declined, records, bytes: size, quarantine } = report
  if (declined) {
    const how = canAsk() ? '' : ' Add --yes, or run it on a terminal.'
    yield `${repaired ? 'Nothing more' : 'Nothing'} was changed.${how}`
  } else yield screen.style('green', 'Repaired.')
  if (!repaired) return
  yield `${counted(records, 'whole record')} given up in all, ${bytes(size)} put aside. What was taken out is kept, with a`
  yield 'manifest.json that says what it was, in'
  for (const folder of quarantine) yield `  ${printable(folder)}`
}

/** Elsewhere nobody can answer. */
const canAsk = () => process.stdin.isTTY && process.stdout.isTTY

async function agreed(): Promise<boolean> {
  if (!canAsk()) return false
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  try {
    return (await terminal.question('Give that up? (yes/no) ')).trim().toLowerCase() === 'yes'
  } finally {
    terminal.close()
  }
}

function* reportLines({ dir, expect, repair }: CheckCommand, report: JournalReport, screen: Screen): Generator<string> {
  const { damages, torn, usage, writer, notCommits, leftovers, indexedTo } = report
  const holds = `${counted(usage.records, 'record')} of ${counted(usage.streams, 'stream')}`
  yield `${printable(dir)}: ${counted(usage.segments, 'segment')}, ${bytes(usage.bytes)}, ${holds}`
  if (usage.trimmedBytes > 0) yield `About ${bytes(usage.trimmedBytes)} of that are trimmed and could be given back.`
  if (writer?.alive) yield `Process ${writer.pid} on ${writer.host} writes to it; what it has committed was checked.`
  else if (writer) yield `Process ${writer.pid} on ${writer.host} had it open when it died; that does no harm.`
  if (usage.last > indexedTo)
    yield `The index goes to position ${indexedTo} of ${usage.last}; the rest is read at the next start.`
  if (torn)
    yield `A crash has left ${counted(torn.bytes, 'byte')} of an append at ${place(torn.file, torn.offset)}; the next start removes them.`
  if (notCommits.count > 0) {
    yield `${counted(notCommits.count, 'record')} are whole but no commits of a host, the first: ${notCommits.seq} of ${printable(notCommits.stream!)}`
  }
  for (const file of leftovers) yield `Not a file of the journal: ${printable(file)}`
  for (const damage of damages.slice(0, MOST)) yield `${screen.style('red', 'DAMAGED')} ${damageLine(damage)}`
  if (damages.length > MOST) yield `… and ${damages.length - MOST} more; --json shows all`
  if (report.chain) yield* chainLines(report.chain, expect, screen)
  if (report.sound) yield screen.style('green', 'Sound: nothing is damaged.')
  else if (repair === undefined) yield* lostLines(report) // a repair says what it costs
}

function* chainLines(
  { from, head, broken, met }: ChainReport,
  expect: ChainHead | undefined,
  screen: Screen,
): Generator<string> {
  for (const { position, what } of broken)
    yield `${screen.style('red', 'CHAIN BROKEN')} at position ${position}: ${what}`
  if (met === false)
    yield `${screen.style('red', 'CHANGED')} This is not what was noted: its chain does not lead there.`
  if (expect && met === undefined) yield 'What was noted is of records that were given up: nothing can be said of them.'
  if (met) yield 'Its chain leads to what was noted.'
  if (from !== undefined && head) {
    yield `Chained from position ${from} on. To be noted elsewhere, for --expect:`
    yield `  ${head.position}:${head.hash}`
  }
}

function damageLine({ file, offset, bytes, from, to, exact, what }: Damage): string {
  const size = bytes > 0 ? `, ${counted(bytes, 'byte')}` : ''
  return `${place(file, offset)}${size}: ${what}${positions(from, to, exact)}`
}

const place = (file: string, offset: number) => `${printable(basename(file))} at byte ${offset}`

function positions(from: number | undefined, to: number | undefined, exact: boolean): string {
  if (from === undefined) return ''
  if (!exact) return ` (from position ${from} on, at most up to ${to})`
  return from === to ? ` (position ${from})` : ` (positions ${from} to ${to})`
}

function* lostLines({ lost, lostIsAll }: Pick<JournalReport, 'lost' | 'lostIsAll'>): Generator<string> {
  if (lost.length > 0) yield `${counted(lost.length, 'stream')} ${lost.length === 1 ? 'has' : 'have'} lost records:`
  for (const { stream, from } of lost.slice(0, MOST)) yield `  ${printable(stream)} from record ${from} on`
  if (lost.length > MOST) yield `  … and ${lost.length - MOST} more; --json shows all`
  if (!lostIsAll)
    yield 'Streams that have lost just their last records are not among them: nothing is left that names those.'
}

/** `earlier`: the way of a repair that was interrupted. */
function* lossLines(
  { records, lost, lostIsAll, bytes: size }: RepairLosses,
  earlier: RepairWay | undefined,
): Generator<string> {
  yield ''
  if (earlier) yield `A repair was interrupted; it has to be finished first, as it was begun: --repair ${earlier}.`
  yield `The repair gives up what is damaged and ${counted(records, 'whole record')} that ${records === 1 ? 'is' : 'are'} no use without; ${bytes(size)} are put aside.`
  yield* lostLines({ lost, lostIsAll })
}

function* nextLines(dir: string): Generator<string> {
  const name = JSON.stringify(dir)
  yield ''
  yield 'Restore a backup. Or give up what is lost, once nothing writes to it:'
  yield `  duramen check ${name} --repair quarantine   all other instances stay as they are`
  yield `  duramen check ${name} --repair cut          everything from the first damage on is given up`
  yield 'Both show first what it costs, ask, and keep all that they take out.'
}
