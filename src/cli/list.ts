// `duramen list`: the instances of a journal as their last records tell, beside the process that writes it.
//
// K9 a journal of any size takes no more memory than a page: lines are printed as they are found, no faster than they are
// read, in columns as wide as the first ones need.
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { StateValue } from 'xstate'
import { type JournalReader, openJournal } from '../journal/index.ts'
import { DuramenError, isDuramenError } from '../ports/errors.ts'
import { type Filter, filterGiven, fits, headOf, isPurge, type Listed, listedOf } from '../runtime/listing.ts'
import { journalOptionsIn, withConfig } from './config.ts'
import { EXIT } from './exit-codes.ts'
import type { Interruption } from './interruption.ts'
import type { Screen } from './screen.ts'
import { columnsFor } from './table.ts'
import { counted } from './text.ts'

export interface ListCommand {
  readonly dir: string
  readonly machine: string | undefined
  readonly state: string | undefined
  readonly status: Listed['status'] | undefined
  readonly config: string | undefined
  readonly json: boolean
}

/** So many rows are looked at for the widths of the columns. */
const PAGE = 50
const HEAD = ['MACHINE', 'ID', 'STATUS', 'STATE', 'SEQ', 'SINCE', 'PROBLEM'] as const

/** Lists; the answer is the exit code. Rejects with DuramenError. */
export async function list(command: ListCommand, screen: Screen, interrupted: Interruption): Promise<number> {
  const { dir, machine, state, status, config, json } = command
  const filter = filterGiven({
    ...(machine !== undefined && { machine }),
    ...(state !== undefined && { state }),
    ...(status !== undefined && { status }),
  })
  const reading = { readOnly: true, ...(await journalOptionsIn(config)) } as const
  const reader = await openJournal(dir, reading).catch(async (error) => {
    throw withConfig(await withSubfolder(error, dir), config)
  })
  try {
    const found = instances(reader, filter)
    const lines = json ? jsonLines(found) : table(found, screen)
    await pipeline(lines, process.stdout, { signal: interrupted.signal, end: false })
    return EXIT.fine
  } catch (error) {
    if (interrupted.exitCode !== undefined) return interrupted.exitCode
    throw withConfig(error, config)
  } finally {
    await reader.close()()
  }
}

/** The state folder of a supervisor has its journal in a folder of its own. */
async function withSubfolder(error: unknown, dir: string): Promise<unknown> {
  if (!isDuramenError(error) || error.code !== 'FOLDER_MISSING') return error
  const { code, message, where } = error
  const inside = join(dir, 'journal')
  const found = await stat(inside).catch(() => undefined)
  if (!found?.isDirectory()) return error
  return new DuramenError(code, message, { where, cause: error, hint: `There is a folder ${inside}: list that one.` })
}

/** Whether a host has its machine is not known here: none is `asleep`. */
const EVERY = { has: () => true }

async function* instances(reader: JournalReader, filter: Filter): AsyncGenerator<Listed> {
  for await (const record of reader.heads()) {
    const head = headOf(record)
    if (head === undefined || isPurge(head)) continue
    const listed = listedOf(head, undefined, EVERY)
    if (fits(listed, filter)) yield listed
  }
}

async function* jsonLines(found: AsyncIterable<Listed>): AsyncGenerator<string> {
  for await (const { problem, ...listed } of found)
    yield `${JSON.stringify({ ...listed, ...(problem && { problem: described(problem) }) })}\n`
}

const described = ({ code, message, hint, where }: DuramenError) => ({ code, message, hint, where })

async function* table(found: AsyncIterable<Listed>, screen: Screen): AsyncGenerator<string> {
  const first: string[][] = []
  let line: ((row: readonly string[]) => string) | undefined
  let count = 0
  const page = function* () {
    line = columnsFor([HEAD, ...first], [HEAD.indexOf('SEQ')])
    if (first.length > 0) yield `${screen.style('dim', line(HEAD))}\n`
    for (const row of first) yield `${line(row)}\n`
  }
  for await (const listed of found) {
    count++
    if (line) yield `${line(row(listed))}\n`
    else if (first.push(row(listed)) === PAGE) yield* page()
  }
  if (line === undefined) yield* page()
  yield `${screen.style('bold', `${counted(count, 'instance')}.`)}\n`
}

function row({ machine, id, status, state, seq, at, problem }: Listed): string[] {
  return [
    machine,
    id,
    status,
    pathsIn(state).join(', '),
    String(seq),
    new Date(at).toISOString(),
    problem?.message ?? '',
  ]
}

/** Where it is, each as `--state` takes it: `critical.told`; several where states are parallel. */
function pathsIn(state: StateValue | undefined): string[] {
  if (state === undefined) return []
  if (typeof state === 'string') return [state]
  return Object.entries(state).flatMap(([name, inner]) => {
    const below = inner === undefined ? [] : pathsIn(inner)
    return below.length === 0 ? [name] : below.map((path) => `${name}.${path}`)
  })
}
