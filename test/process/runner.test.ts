// V1 with real programs: none is left, there are never two, and what they write costs no memory.
import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readdir, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { isRight } from 'fp-ts/lib/Either.js'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { endAll } from '../../src/adapters/process/group.ts'
import { marked, markOf } from '../../src/adapters/process/mark.ts'
import { type ChildRunnerOptions, childRunner } from '../../src/adapters/process/runner.ts'
import { processTable } from '../../src/adapters/process/table.ts'
import type { Child, ChildOrder, ChildRunner } from '../../src/ports/child.ts'
import { noUnhandledRejections } from '../support/host.ts'

noUnhandledRejections()
const linux = it.runIf(process.platform === 'linux')

let folder = ''
let state = ''
let said: string[] = []
const begun: Child[] = []
const strangers: ChildProcess[] = []

beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'duramen-process-')))
  state = join(folder, 'state')
  said = []
})
afterEach(async () => {
  await Promise.all(begun.splice(0).map((child) => child.end(0)))
  for (const stranger of strangers.splice(0)) stranger.kill('SIGKILL')
  await rm(folder, { recursive: true, force: true })
})

const say = (text: string) => void said.push(text)
const nowhere = () => new Writable({ write: (_piece, _encoding, done) => done() })
const runnerOf = (options: ChildRunnerOptions = {}): ChildRunner =>
  childRunner(state, {
    stdout: nowhere(),
    stderr: nowhere(),
    logger: { debug: say, info: say, warn: say, error: say },
    ...options,
  })

const env = { PATH: process.env.PATH!, HOME: '/nonexistent' }
const sh = (script: string, more: Partial<ChildOrder> = {}): ChildOrder => ({
  command: 'sh',
  args: ['-c', script],
  cwd: folder,
  env,
  ...more,
})

async function start(order: ChildOrder, runner = runnerOf()): Promise<Child> {
  const started = await runner.start(order)()
  if (!isRight(started)) throw started.left
  begun.push(started.right)
  return started.right
}

/** Resolves with the text of a file once a program has written it whole. */
async function written(name: string): Promise<string> {
  for (;;) {
    const text = await readFile(join(folder, name), 'utf8').catch(() => '')
    if (text.endsWith('\n')) return text.trim()
    await sleep(5)
  }
}

const living = async (pids: readonly number[]) =>
  (await processTable().all()).filter(({ pid, ended }) => pids.includes(pid) && !ended).map(({ pid }) => pid)

it('V1j a program runs in its folder with its environment; how it ends is told; nothing of it is left', async () => {
  const out = new PassThrough()
  const child = await start(
    sh('echo "$PWD $GREETING"; exit 7', { env: { ...env, GREETING: 'hi' } }),
    runnerOf({ stdout: out }),
  )
  expect(await child.exited).toEqual({ code: 7, signal: null })
  expect(out.read().toString()).toBe(`${folder} hi\n`)
  expect(await readdir(state)).toEqual(['id'])
  const killed = await start(sh('kill -9 $$'))
  expect(await killed.exited).toEqual({ code: null, signal: 'SIGKILL' })
})

it('a program of which neither is given has the folder and the environment of this process', async () => {
  const out = new PassThrough()
  const order = { command: process.execPath, args: ['-p', 'JSON.stringify([process.cwd(), process.env.PATH])'] }
  await (await start(order, runnerOf({ stdout: out }))).exited
  expect(JSON.parse(out.read().toString())).toEqual([process.cwd(), process.env.PATH])
})

it('V1j one that ignores SIGTERM is ended after the limit, and not before', async () => {
  const child = await start(sh('trap "echo asked > asked" TERM; echo > ready; while :; do sleep 0.05; done'))
  await written('ready')
  const begunAt = performance.now()
  expect(await child.end(300)).toEqual({ code: null, signal: 'SIGKILL' })
  expect(performance.now() - begunAt).toBeGreaterThan(299)
  expect(await written('asked')).toBe('asked')
})

it('V1j one that ends when it is asked gives its own code', async () => {
  const child = await start(sh('trap "exit 5" TERM; echo > ready; while :; do sleep 0.05; done'))
  await written('ready')
  expect(await child.end(10_000)).toEqual({ code: 5, signal: null })
})

it('V1j with a program ends what it has begun, also in its background', async () => {
  const child = await start(sh('sleep 300 & sleep 300 & echo $$ $! > pids; wait'))
  const pids = (await written('pids')).split(' ').map(Number)
  expect(await living(pids)).toHaveLength(2)
  await child.end(5_000)
  expect(await living(pids)).toEqual([])
})

linux('V1j what has left its group and its session ends with it, too', async () => {
  const child = await start(sh("setsid sh -c 'echo $$ > away.tmp; mv away.tmp away; exec sleep 300' & wait"))
  const away = Number(await written('away'))
  await child.end(5_000)
  expect(await living([away])).toEqual([])
})

linux('V1j what a program leaves when it ends by itself is ended, and said', async () => {
  const child = await start(sh('setsid sleep 300 & echo $! > away; sleep 300 & echo $! > near; exit 1'))
  expect(await child.exited).toEqual({ code: 1, signal: null })
  const left = [Number(await written('away')), Number(await written('near'))]
  expect(await living(left)).toEqual([])
  expect(said.join()).toContain('It has ended and left')
})

it('V1j a group whose leader has ended is still known as its own without any mark', async () => {
  const child = await start(sh('env -i sleep 300 & echo $! > near; exit 0'))
  expect(await child.exited).toEqual({ code: 0, signal: null })
  expect(await living([Number(await written('near'))])).toEqual([])
})

it('V1 signals are passed on to it', async () => {
  const child = await start(sh('trap "echo usr2 > got; exit 0" USR2; echo > ready; while :; do sleep 0.05; done'))
  await written('ready')
  child.signal('SIGUSR2')
  expect(await child.exited).toEqual({ code: 0, signal: null })
  expect(await written('got')).toBe('usr2')
  child.signal('SIGTERM') // nobody is there any more
})

it('V1j a signal reaches a group whose leader has ended, as when it is killed while it is being ended', async () => {
  const child = await start(
    sh('(trap "" TERM; echo > ready; exec sleep 300) & while [ ! -e go ]; do sleep 0.02; done; exit 0'),
  )
  await written('ready')
  const ending = child.end(3_600_000)
  while ((await living([child.pid])).length > 0) await sleep(5)
  child.signal('SIGKILL')
  expect(await ending).toMatchObject({ signal: 'SIGTERM' })
})

it('V1 a program that is not there, may not be run, or is a folder: said at once, and that trying again is no use', async () => {
  await writeFile(join(folder, 'plain'), '#!/bin/sh\n')
  await mkdir(join(folder, 'dir'))
  const failing = async (more: Partial<ChildOrder>) => {
    const started = await runnerOf().start(sh('', more))()
    return isRight(started) ? begun.push(started.right) : started.left
  }
  const failed = { code: 'CHILD_FAILED', retryable: false }
  expect(await failing({ command: 'not-there' })).toMatchObject({
    ...failed,
    message: 'Could not start not-there: ENOENT',
  })
  expect(await failing({ command: './plain' })).toMatchObject({ ...failed, hint: expect.stringContaining('chmod +x') })
  expect(await failing({ command: join(folder, 'dir') })).toMatchObject(failed)
  expect(await failing({ cwd: join(folder, 'no-folder') })).toMatchObject(failed)
  expect(await failing({ args: ['\0'] })).toMatchObject(failed)
  await chmod(join(folder, 'plain'), 0o755)
  expect(await (await start(sh('', { command: './plain', args: [] }))).exited).toEqual({ code: 0, signal: null })
})

it('V1i never two of it: none begins while an earlier one lives, and clear ends that one', async () => {
  const first = await start(sh('exec sleep 300'))
  const second = runnerOf() // as after the supervisor was killed
  expect(await second.start(sh('exec sleep 300'))()).toMatchObject({
    left: { code: 'CHILD_FAILED', retryable: true, where: { pid: first.pid } },
  })
  expect(await second.clear(5_000)()).toMatchObject({ right: 1 })
  expect(await first.exited).toEqual({ code: null, signal: 'SIGTERM' })
  expect(await second.clear(5_000)()).toMatchObject({ right: 0 })
  await start(sh('exec sleep 300'), second)
})

it('V1i one that carries no mark is known by its record', async () => {
  const first = await start(sh('exec env -i sleep 300'))
  const environment = () => readFile(`/proc/${first.pid}/environ`, 'utf8')
  while (process.platform === 'linux' && (await environment()) !== '') await sleep(5)
  expect(await runnerOf().clear(5_000)()).toMatchObject({ right: 1 })
  expect(await first.exited).toEqual({ code: null, signal: 'SIGTERM' })
})

it('V1j a pid that was given to another process between looking and ending is not touched', async () => {
  const other = stranger(['sleep', '300'], {})
  const stale = { pid: other.pid!, started: 'earlier' }
  const looks = [[stale], [stale], []]
  expect(await endAll(processTable(), async () => looks.shift()!, 0)).toBe(1)
  expect(await living([other.pid!])).toEqual([other.pid])
})

linux(
  'V1i one that was never recorded is found by its mark: its supervisor was killed right after the spawn',
  async () => {
    const runner = runnerOf()
    const left = stranger(['sleep', '300'], { DURAMEN_SUPERVISED: marked(markOf(state), '/srv/another') })
    expect(await runner.start(sh('true'))()).toMatchObject({ left: { where: { pid: left.pid } } })
    expect(await runner.clear(5_000)()).toMatchObject({ right: 1 })
    expect(left.signalCode ?? (await once(left, 'exit'))[1]).toBe('SIGTERM')
  },
)

it('V1j what it has begun detached and with an environment of its own ends with it, also what that has begun', async () => {
  const script = `require('child_process').spawn('sh', ['-c', 'sleep 300 & echo $$ $! > pids; wait'],
    { detached: true, env: { PATH: process.env.PATH }, stdio: 'ignore' })`
  const child = await start({ command: process.execPath, args: ['-e', script], cwd: folder, env })
  const pids = (await written('pids')).split(' ').map(Number)
  expect(await living(pids)).toEqual(pids)
  await child.end(5_000)
  expect(await living(pids)).toEqual([])
})

linux('V1j a mark is of one state folder, not of its path: in another container that may be another one', async () => {
  const runner = runnerOf()
  const mark = markOf(state)
  expect(await readFile(join(state, 'id'), 'utf8')).toBe(mark.slice(state.length + 1))
  expect((await stat(join(state, 'id'))).mode & 0o777).toBe(0o600)
  const other = `${state}#${randomUUID()}`
  const strange = [state, other, mark.slice(0, -1)].map((DURAMEN_SUPERVISED) =>
    stranger(['sleep', '300'], { DURAMEN_SUPERVISED }),
  )
  expect(await runner.clear(0)()).toMatchObject({ right: 0 })
  const pids = strange.map(({ pid }) => pid!)
  expect(await living(pids)).toEqual(pids)
  const own = stranger(['sleep', '300'], { DURAMEN_SUPERVISED: marked(mark, other) })
  expect(await runnerOf().clear(5_000)()).toMatchObject({ right: 1 }) // the id stays
  expect(await living([own.pid!])).toEqual([])
  await writeFile(join(state, 'id'), '')
  expect(markOf(state)).toMatch(/#[0-9a-f-]{36}$/)
  expect((await readdir(state)).filter((name) => name.startsWith('id'))).toEqual(['id'])
})

it('V1j a process that was given the pid of a recorded one is not touched', async () => {
  const other = stranger(['sleep', '300'], { DURAMEN_SUPERVISED: `${state}-2` })
  const runner = runnerOf()
  for (const forged of [
    `{"pid":${other.pid},"started":"0"}`,
    `{"pid":${other.pid}}`,
    '{"pid":-1,"started":""}',
    'junk',
  ]) {
    await writeFile(join(state, 'child.json'), forged)
    expect(await runner.clear(0)()).toMatchObject({ right: 0 })
    expect(await living([other.pid!])).toEqual([other.pid])
  }
  expect(await (await start(sh('exit 0'), runner)).exited).toEqual({ code: 0, signal: null })
})

function stranger([command, ...args]: [string, ...string[]], more: Record<string, string>): ChildProcess {
  const child = spawn(command, args, { env: { ...env, ...more }, detached: true, stdio: 'ignore' })
  strangers.push(child)
  return child
}

it('V1k what it writes is passed on and kept, and only so many files of so many bytes stay', async () => {
  const out = new PassThrough()
  const logDir = join(folder, 'logs')
  const runner = runnerOf({ stdout: out.resume(), logDir, logSize: 1_000, logKeep: 2 })
  for (let run = 0; run < 3; run++) await (await start(sh(`seq ${run}000 ${run}900; echo ${run} >&2`), runner)).exited
  const names = (await readdir(logDir)).sort()
  expect(names).toEqual(['output.log', 'output.log.1', 'output.log.2'])
  for (const name of names) expect((await stat(join(logDir, name))).size).toBeLessThanOrEqual(2_000)
  const kept = await Promise.all(names.reverse().map((name) => readFile(join(logDir, name), 'utf8')))
  expect(kept.join('')).toMatch(/2899\n2900\n(2\n)?$/)
})

it('V1k output that nobody takes any more is left out with one warning, and the program does not notice', async () => {
  const broken = new Writable({ write: (_piece, _encoding, done) => done(new Error('EPIPE')) })
  const runner = runnerOf({ stdout: broken, logDir: '/dev/null/logs' })
  for (let run = 0; run < 2; run++)
    expect(await (await start(sh('seq 100000; exit 4'), runner)).exited).toEqual({ code: 4, signal: null })
  expect(said.filter((line) => line.includes('stdout'))).toHaveLength(1)
  expect(said.filter((line) => line.includes('output.log'))).toHaveLength(2) // once a run: there may be room again
})

it('V1k a reader that takes nothing stalls the program, not its end', async () => {
  const stuck = new Writable({ write() {} })
  const child = await start(sh('seq 10000000'), runnerOf({ stdout: stuck }))
  expect(await child.end(5_000)).toEqual({ code: null, signal: 'SIGTERM' })
})

it('V1k what a program says last is kept also where the other reader takes nothing', async () => {
  const stuck = new Writable({ write() {} })
  const logDir = join(folder, 'logs')
  const runner = runnerOf({ stdout: stuck, logDir })
  const child = await start(sh('echo begun; sleep 0.3; seq 5000; echo the reason; exit 3'), runner)
  expect(await child.exited).toEqual({ code: 3, signal: null })
  expect(await readFile(join(logDir, 'output.log'), 'utf8')).toMatch(/^begun\n1\n2\n[\s\S]*\n5000\nthe reason\n$/)
})
