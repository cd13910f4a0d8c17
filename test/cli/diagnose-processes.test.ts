// V3 what `duramen diagnose` says of processes: who writes, who looks after whom, and what is wrong with that.
import { mkdir, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { Finding } from '../../src/cli/diagnose/finding.ts'
import { writerOf } from '../../src/cli/diagnose/journal.ts'
import { type ProcessesSeen, processFindings, supervisors } from '../../src/cli/diagnose/processes.ts'
import { folder, start } from './command.ts'

const program = (pid: number, line: string, { state = 'sleeping', parent = 3 } = {}) => ({
  pid,
  parent,
  line,
  cpu: 1,
  memory: 1e6,
  state,
})

const seen = (more: Partial<ProcessesSeen>): ProcessesSeen => ({
  journal: './data',
  writer: undefined,
  all: [],
  supervised: [],
  self: [],
  ...more,
})

const lines = (more: Partial<ProcessesSeen>) =>
  processFindings(seen(more))
    .slice(1)
    .map(({ level, what, next }) => `${level} ${what}${next ? ` -> ${next}` : ''}`)

const running = { state: 'running', pid: 7, restarts: 0, maxRestarts: 10, lastExit: null } as const

it('who writes, who is supervised, and no arguments, which may hold secrets', () => {
  const said = processFindings(
    seen({
      writer: { pid: 7, host: 'here', here: true },
      supervised: [
        { folder: 'app', is: 'answering', status: running },
        { folder: 'old', is: 'alone', left: undefined, gaveUp: undefined },
      ],
      all: [
        program(7, 'node server.js --key hunter2'),
        program(8, 'node /usr/bin/duramen supervise -- node server.js --key hunter2'),
        program(10, 'duramen diagnose'),
        program(11, 'vim duramen.txt'),
        program(12, 'node /srv/duramen/server.js'),
        program(13, 'npm exec duramen supervise -- node server.js'),
        program(14, 'node /usr/lib/node_modules/npm/bin/npm-cli.js exec duramen monitor'),
        program(15, 'node /usr/bin/npx duramen monitor'),
      ],
      self: [10],
    }),
  )
  expect(said.map(({ level, what }) => `${level} ${what}`)).toEqual([
    'ok pid 7 writes to ./data (1.0 MB, 1 % of a processor)',
    'ok app: running, pid 7 (1.0 MB, 1 % of a processor)',
    'ok pid 8: duramen supervise (1.0 MB, 1 % of a processor)',
  ])
})

it('a supervisor that waits, has given up, does not answer or has gone', () => {
  const lastExit = { code: 1, signal: null }
  const waiting = { ...running, state: 'waiting', pid: null, restarts: 3, lastExit } as const
  const critical = { ...waiting, state: 'critical', lastExit: { code: null, signal: 'SIGSEGV' } } as const
  const log = `look at ${join('a', 'logs', 'output.log')}`
  expect(
    lines({
      supervised: [
        { folder: 'a', is: 'answering', status: waiting },
        { folder: 'a', is: 'answering', status: critical },
        { folder: 'a', is: 'silent' },
        { folder: 'a', is: 'alone', left: 7, gaveUp: undefined },
        { folder: 'a', is: 'alone', left: undefined, gaveUp: 0 },
      ],
    }),
  ).toEqual([
    `warn a: waiting, restart 3 of 10, last exit code 1 -> ${log}`,
    `fail a: critical, it has given up, last ended by SIGSEGV -> ${log}, mend it, and start it again`,
    'fail a: its supervisor does not answer -> see what holds it up, or start it again',
    'warn a: pid 7 runs, and its supervisor has gone -> start the supervisor again: it ends what is left, and begins anew',
    `fail a: critical, it gave up at 1970-01-01T00:00:00.000Z -> ${log}, mend it, and start it again; or remove a, where it is not wanted any more`,
  ])
})

it('a supervisor that gave up and has gone is told, by diagnose and by control, until another one ends well', async () => {
  const cwd = await folder()
  const said = async () => {
    const [diagnosed, asked] = await Promise.all([
      start(['diagnose', '--json'], { cwd }).ended,
      start(['control', 'status', '--json'], { cwd }).ended,
    ])
    const { findings } = JSON.parse(diagnosed.stdout) as { findings: Finding[] }
    const bad = findings.filter(({ check, level }) => check === 'processes' && level === 'fail')
    return { bad, asked: { exit: asked.code, ...JSON.parse(asked.stderr).error } }
  }
  expect((await start(['supervise', '--max-restarts', '0', '--', 'false'], { cwd }).ended).code).toBe(3)
  const state = join('.duramen', 'supervise', 'app')
  const log = join(state, 'logs', 'output.log')
  const { bad, asked } = await said()
  expect(bad).toMatchObject([{ what: expect.stringContaining(`${state}: critical, it gave up at 2`) }])
  expect(bad[0]!.next).toContain(log)
  expect(asked).toMatchObject({
    exit: 1,
    code: 'CLOSED',
    message: expect.stringContaining('CRITICAL, the last one gave up'),
  })
  expect(asked.hint).toContain(`Look at ${log}, mend it`)
  expect(asked.hint).toContain(`or remove ${state}, where it is not wanted any more`)
  expect((await start(['supervise', '--', 'true'], { cwd }).ended).code).toBe(0)
  const after = await said()
  expect(after.bad).toEqual([])
  expect(after.asked.message).not.toContain('gave up')
})

it('a supervisor that hangs, and what one leaves that is killed', async () => {
  const cwd = await folder()
  const one = start(
    ['supervise', '--name', 'app', '--', process.execPath, '-e', "console.log('up'); setTimeout(() => {}, 60e3)"],
    { cwd },
  )
  await one.says('up')
  const room = join(cwd, '.duramen/supervise')
  const [well] = await supervisors(room)
  expect(well).toMatchObject({ is: 'answering', status: { state: 'running' } })
  const { pid } = (well as Extract<typeof well, { is: 'answering' }>).status
  one.kill('SIGSTOP')
  expect(await supervisors(room)).toMatchObject([{ is: 'silent' }])
  one.kill('SIGKILL')
  await one.ended.catch(() => {})
  expect(await supervisors(room)).toMatchObject([{ is: 'alone', left: pid }])
  process.kill(pid!, 'SIGKILL')
  await expect.poll(() => supervisors(room)).toMatchObject([{ is: 'alone', left: undefined }])
})

it('what ended and process 1 takes no notice of is told; what another has just begun and ended is its business', () => {
  const ended = { state: 'zombie', parent: 1 }
  const all = [program(8, '[node] <defunct>', ended), program(9, 'duramen monitor', { state: 'zombie' })]
  expect(lines({ all })).toEqual([
    'warn process 1 takes no notice of 1 process that ended -> have an init as process 1: docker run --init',
  ])
})

it('a writer on another machine is named with it, and is nobody here', async () => {
  const dir = await folder()
  await mkdir(join(dir, 'data'))
  await writeFile(
    join(dir, 'data/lock'),
    JSON.stringify({ pid: 7, host: `not-${hostname()}`, since: '2026-01-01T00:00:00Z' }),
  )
  const writer = await writerOf(join(dir, 'data'))
  expect(writer).toEqual({ pid: 7, host: `not-${hostname()}`, here: false })
  const said = processFindings(seen({ writer, all: [program(7, 'duramen monitor')] }))
  expect(said.map(({ what }) => what)).toEqual([
    `process 7 on not-${hostname()} writes to ./data, as far as its lock tells`,
    'pid 7: duramen monitor (1.0 MB, 1 % of a processor)',
  ])
})
