import { expect, test } from 'vitest'
import { reportLines, type StartupReport, type TaskReport } from '../../src/machines/index.ts'
import { orderLine } from '../../src/machines/startup/log-lines.ts'

const task = (id: string, parts: Partial<TaskReport> = {}): TaskReport => ({
  id,
  state: 'done',
  says: id,
  needs: [],
  once: false,
  critical: true,
  startedAt: null,
  endedAt: null,
  attempt: 1,
  ms: 20,
  problem: null,
  ...parts,
})
const report = (tasks: TaskReport[], parts: Partial<StartupReport> = {}): StartupReport => ({
  id: 'startup',
  boot: 'b2',
  state: 'ready',
  startedAt: 1000,
  readyAt: 3400,
  endedAt: null,
  tasks,
  order: tasks.filter(({ state }) => state === 'done' || state === 'skipped').map(({ id }) => id),
  former: null,
  ...parts,
})

test('S8 the order in which things came about is one line', () => {
  const tasks = [
    task('server', { says: 'server running' }),
    task('model', { says: 'model initialised', ms: 1234 }),
    task('seed_roles', { state: 'skipped', attempt: 0, ms: null }),
  ]
  expect(orderLine(report(tasks, { order: ['model', 'seed_roles', 'server'] }))).toBe(
    'model initialised → seed_roles (skipped) → server running',
  )
})

test('S8 a report tells each task, what became of it, and that the process before ended without a shutdown', () => {
  const tasks = [
    task('model', { says: 'model initialised', ms: 1234 }),
    task('seed_roles', { state: 'skipped', attempt: 0, ms: null }),
    task('web', { state: 'failed', attempt: 3, problem: { code: 'EADDRINUSE', message: 'port 80\x1bis taken' } }),
  ]
  const former = { boot: 'b1', state: 'unfinished' } as const
  expect(reportLines(report(tasks, { state: 'degraded', former }))).toEqual([
    'start-up startup: degraded, ready after 2.4 s (boot b2)',
    '  model       done         1.2 s',
    '  seed_roles  skipped',
    '  web         failed       20 ms  3 attempts  EADDRINUSE: port 80\\u001bis taken',
    '  order: model initialised → seed_roles (skipped)',
    '  the process before (boot b1) ended without a shutdown',
  ])
})

test('S8 nothing that a task says reaches the terminal as a command', () => {
  const lines = reportLines(
    report([task('a\x1b[2J', { says: 'x\r\ny', problem: { code: 'X', message: '\x1b]0;t\x07' } })]),
  )
  expect(lines.join('')).not.toMatch(/\p{Cc}/u)
})

test('S8 before anything has come about there is no order', () => {
  const begun = report([task('a', { state: 'waiting', attempt: 0, ms: null })], { state: 'starting', readyAt: null })
  expect(reportLines(begun)).toEqual(['start-up startup: starting (boot b2)', '  a  waiting'])
})
