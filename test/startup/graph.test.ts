// S1 What can't be a graph is refused by name before anything runs.
import { expect, test } from 'vitest'
import { type OnceTask, type StartupTask, startup } from '../../src/machines/index.ts'
import { refused } from '../support/host.ts'
import { place } from './world.ts'

const chain = (count: number, last: readonly string[]): StartupTask[] =>
  Array.from({ length: count }, (_, n) => ({
    id: `t${n}`,
    needs: n + 1 < count ? [`t${n + 1}`] : last,
    run: () => {
      throw new Error('it ran')
    },
  }))

const refusal = async (tasks: unknown): Promise<string> => {
  const { open, journal } = place()
  const host = await open()
  const error = await refused(startup(host, tasks as StartupTask[]))
  expect(error.code).toBe('BAD_OPTION')
  expect(error.hint).toBeTruthy()
  expect(await journal.head('startup/startup')).toBeUndefined()
  return error.message
}
const run = () => {}

test('S1 a cycle is named, each task before one that it needs', async () => {
  const tasks = [
    { id: 'x', run },
    { id: 'entry', needs: ['x', 'a'], run },
    { id: 'a', needs: ['b'], run },
    { id: 'b', needs: ['x', 'a'], run },
  ]
  expect(await refusal(tasks)).toBe('startup: tasks need each other: a -> b -> a')
  expect(await refusal([{ id: 'self', needs: ['self'], run }])).toBe('startup: tasks need each other: self -> self')
})

test('S1 a cycle of 10,000 tasks is named without a stack overflow, and a chain of as many is none', async () => {
  const message = await refusal(chain(10_000, ['t0']))
  expect(message).toContain(': t0 -> t1 -> t2 -> ')
  expect(message.endsWith(' -> t9999 -> t0')).toBe(true)
  // the last one's need is missing: so it came that far without a cycle
  expect(await refusal(chain(10_000, ['nobody']))).toBe("startup: 't9999' needs 'nobody', and there is no such task")
  const { open, start } = place()
  const tasks: StartupTask[] = chain(10_000, []).map((task) => ({ ...task, critical: false }))
  const app = await start(await open(), tasks)
  expect(app.report().tasks.filter(({ state }) => state === 'blocked')).toHaveLength(9_999)
})

test.each<[string, unknown, string]>([
  ['an unknown need', [{ id: 'a', needs: ['b'], run }], "startup: 'a' needs 'b', and there is no such task"],
  [
    'a double id',
    [
      { id: 'a', run },
      { id: 'a', run },
    ],
    "startup: two tasks have the id 'a'",
  ],
  ['a misspelled option', [{ id: 'a', run, need: [] }], "task 'a': 'need' is no option"],
  ['stop of what runs once', [{ id: 'a', run, once: true, stop: run }], "can't have stop"],
  ['ready of what runs once', [{ id: 'a', run, once: true, ready: run }], "can't have ready"],
  ['a version of what does not', [{ id: 'a', run, version: 2 }], "task 'a'.version: 2 means nothing"],
  ['a timeout of nothing', [{ id: 'a', run, timeout: 0 }], "task 'a'.timeout: 0 is not between"],
  ['a timeout without end', [{ id: 'a', run, timeout: Number.POSITIVE_INFINITY }], "task 'a'.timeout: Infinity is not"],
  ['attempts of none', [{ id: 'a', run, retry: { attempts: 0 } }], "task 'a'.retry.attempts: 0 is no whole number"],
  ['a misspelled retry', [{ id: 'a', run, retry: { times: 3 } }], "task 'a'.retry: 'times' is no option"],
  ['critical of another type', [{ id: 'a', run, critical: 'no' }], "task 'a'.critical: 'no' is neither"],
])('S1 %s is refused by its name', async (_, tasks, message) => {
  expect(await refusal(tasks)).toContain(message)
})

test.each<[string, object, string]>([
  ['id', { id: 'a/b' }, "id: 'a/b' is no name"],
  ['signals', { signals: ['TERM'] }, 'is no list of signals'],
  ['signals that nobody can take', { signals: ['SIGKILL'] }, 'is no list of signals'],
  ['service', { service: {} }, "has no function 'ready'"],
  ['process', { process: {} }, "has no function 'on'"],
  ['grace', { grace: 'soon' }, 'is no duration'],
  ['what is none', { signal: [] }, "'signal' is no option"],
  ['env', { env: { A: 5 } }, 'has a value that is no text'],
])('an option that makes no sense is refused: %s', async (_, options, message) => {
  const { open, process } = place()
  const host = await open()
  const error = await refused(startup(host, [], { process, ...options }))
  expect(error).toMatchObject({ code: 'BAD_OPTION' })
  expect(error.message).toContain(message)
  expect(process.listening).toBe(0)
})

test('S1 ids may be any text, and what runs gets its own value', async () => {
  const { open, start } = place()
  const ids = ['a/b', '@1/x', '$', '__proto__', 'constructor', ' ', '"]-->', 'ü\n', 'task-0-1']
  const all: StartupTask[] = ids.map((id) => ({ id, run: (context) => context.id }))
  const seeds: OnceTask[] = ids.map((id) => ({
    id: `once ${id}`,
    needs: [id],
    once: true,
    run: ({ result }) => result(id),
  }))
  const protoOnce: OnceTask = { id: 'toString', once: true, run: () => {} }
  const host = await open()
  const app = await start(host, [...all, ...seeds, protoOnce])
  await app.ready()
  expect(ids.map((id) => app.result(id))).toEqual(ids)
  expect(app.mermaid()).toContain('flowchart')
  await app.shutdown()
  const again = await start(host, [...all, ...seeds, protoOnce])
  await again.ready()
  expect(again.report().tasks.filter(({ state }) => state === 'skipped')).toHaveLength(ids.length + 1)
})
