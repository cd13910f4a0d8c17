// K7: the order of the calls that reach the kernel, as strace sees them: what is written is synced before the next is written,
// and before anybody is told; a segment has its name for certain before records go into it; the index is behind the log.
import { execFile, execFileSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { compiledJournal } from './compiled.ts'
import { newFolder } from './folder.ts'

const compiled = compiledJournal()
const CALLS = 'write,pwrite64,pwritev,fdatasync,fsync,ftruncate,rename'

/** Why system calls can't be seen here. */
function noTrace(): string | undefined {
  try {
    execFileSync('strace', ['-f', '-e', 'trace=none', 'true'], { stdio: ['ignore', 'ignore', 'pipe'] })
    return undefined
  } catch (error) {
    return (error as Error).message.trim()
  }
}

const without = noTrace()
if (without !== undefined) console.warn(`SKIPPED: the order of system calls needs strace: ${without}`)

/** A system call; `begun` and `ended` are lines of the trace. */
interface Call {
  readonly name: string
  args: string
  readonly begun: number
  ended: number
}

/** The calls of all threads, by when they began. */
function callsOf(trace: string): Call[] {
  const calls: Call[] = []
  const unfinished = new Map<string, Call>()
  for (const [at, line] of trace.split('\n').entries()) {
    const [, thread, resumed, rest] = /^(\d+) +(?:(<\.\.\. \w+ resumed>))?(.*)$/.exec(line) ?? []
    if (thread === undefined) continue
    if (resumed !== undefined) {
      const call = unfinished.get(thread)!
      call.args += rest
      call.ended = at
      continue
    }
    const [, name, args] = /^(\w+)\((.*)$/.exec(rest!) ?? []
    if (name === undefined) continue
    const call = { name, args: args!, begun: at, ended: at }
    if (args!.endsWith('<unfinished ...>')) {
      call.ended = Number.POSITIVE_INFINITY
      unfinished.set(thread, call)
    }
    calls.push(call)
  }
  return calls
}

/** What is wrong with the order of a journal's calls, and how much of it was looked at. */
function judge(calls: readonly Call[], folder: string) {
  const wrong: string[] = []
  const fileOf = ({ args }: Call) => /^\d+<([^>]*)>/.exec(args)?.[1] ?? ''
  const writes = calls.filter(({ name }) => name === 'pwrite64' || name === 'pwritev')
  const syncs = calls.filter(({ name }) => name === 'fdatasync' || name === 'fsync')
  const positions = ({ args }: Call) => Array.from(args.matchAll(/<(\d+)>x/g), ([, position]) => Number(position))
  const groups = writes.filter((call) => fileOf(call).endsWith('.log') && positions(call).length > 0)
  const synced = (file: string, after: Call, before: Call) =>
    syncs.some((call) => fileOf(call) === file && call.begun > after.ended && call.ended < before.begun)
  const onDisk = (position: number, before: Call) => {
    const group = groups.find((call) => positions(call).includes(position))
    return group !== undefined && synced(fileOf(group), group, before)
  }

  const acknowledged = calls.flatMap((call) => {
    const position = /^1<.*"acknowledged (\d+)/.exec(call.args)?.[1]
    return call.name === 'write' && position !== undefined ? [{ call, position: Number(position) }] : []
  })
  for (const { call, position } of acknowledged) {
    if (!onDisk(position, call)) wrong.push(`${position} is acknowledged before it is on disk`)
  }
  for (const [number, group] of groups.slice(1).entries()) {
    const before = groups[number]!
    if (!synced(fileOf(before), before, group)) wrong.push(`${positions(before)} are not on disk before what follows`)
  }

  const renames = calls.filter(({ name }) => name === 'rename')
  const segments = renames.filter(({ args }) => args.includes('.log"'))
  for (const rename of segments) {
    const [from, to] = Array.from(rename.args.matchAll(/"([^"]*)"/g), ([, path]) => path!)
    const header = writes.findLast((call) => fileOf(call) === from && call.ended < rename.begun)
    if (header === undefined || !synced(from!, header, rename))
      wrong.push(`${to} has its name before it has its header`)
    const before = groups.findLast((call) => call.ended < rename.begun)
    if (before !== undefined && !synced(fileOf(before), before, rename)) wrong.push(`${to} has its name too early`)
    const first = groups.find((call) => fileOf(call) === to)
    if (first !== undefined && !synced(folder, rename, first))
      wrong.push(`${to} has records before its name is on disk`)
  }

  const runs = renames.filter(({ args }) => args.includes('.run"'))
  for (const rename of runs) {
    const [from, to] = Array.from(rename.args.matchAll(/"([^"]*)"/g), ([, path]) => path!)
    const written = writes.filter((call) => fileOf(call) === from && call.ended < rename.begun)
    if (!synced(from!, written.at(-1)!, rename)) wrong.push(`${to} has its name before it is on disk`)
    const last = Number(/-(\d+)\.run$/.exec(to!)![1])
    for (let position = 1; position <= last; position++) {
      if (!onDisk(position, written[0]!)) wrong.push(`${to} is ahead of the log, which has no ${position}`)
    }
  }
  const seen = {
    acknowledged: acknowledged.length,
    groups: groups.length,
    segments: segments.length,
    runs: runs.length,
  }
  return { wrong, seen }
}

async function traced(...nodeArgs: string[]) {
  const folder = await newFolder()
  const [trace, journal] = [join(folder, 'trace'), join(folder, 'journal')]
  const child = [process.execPath, ...nodeArgs, join(import.meta.dirname, 'order-child.mjs'), compiled, journal]
  const options = ['-f', '-y', '-s', '1000000', '-e', `trace=${CALLS}`, '-e', 'signal=none', '-o', trace]
  await promisify(execFile)('strace', [...options, ...child], { env: { ...process.env, UV_USE_IO_URING: '0' } })
  return judge(callsOf(await readFile(trace, 'latin1')), journal)
}

describe.skipIf(without !== undefined)('K7 the order of system calls', () => {
  test('is write, sync, answer; header, name, records; log, index', async () => {
    const { wrong, seen } = await traced()
    expect(wrong).toEqual([])
    expect(seen.acknowledged).toBe(400)
    expect(seen.groups).toBeLessThan(200)
    expect(seen.segments).toBeGreaterThan(5)
    expect(seen.runs).toBeGreaterThan(5)
  })

  test('would be found wrong without the syncs', async () => {
    const { wrong } = await traced('--import', pathToFileURL(join(import.meta.dirname, 'no-sync.mjs')).href)
    expect(wrong.some((what) => what.includes('acknowledged'))).toBe(true)
    expect(wrong.some((what) => what.includes('name'))).toBe(true)
    expect(wrong.some((what) => what.includes('ahead'))).toBe(true)
  })
})
