// Needs `npm run build`.
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { join, resolve } from 'node:path'
import Database from 'libsql'
import { expect, onTestFinished, test } from 'vitest'
import { folder, start } from '../cli/command.ts'

const TABLES = ['roles', 'turnos', 'users']

const started = (data: string, ...more: string[]) => {
  const program = start(['--data', data, '--port', '0', ...more], { main: resolve('examples/startup.mjs') })
  onTestFinished(() => program.kill('SIGKILL'))
  return program
}
type Program = ReturnType<typeof started>

/** Address of its listener. */
const addressOf = async (program: Program) => /http:\S+(?=\n)/.exec(await program.says('listening'))![0]

async function get(program: Program, path: string): Promise<[number, unknown]> {
  const response = await fetch((await addressOf(program)) + path)
  return [response.status, await response.json()]
}

async function stopped(program: Program) {
  program.kill('SIGTERM')
  return program.ended
}

/** How many rows each table has. */
function rows(data: string): number[] {
  const database = new Database(join(data, 'app.db'))
  try {
    return TABLES.map((table) => (database.prepare(`SELECT count(*) AS n FROM ${table}`).get() as { n: number }).n)
  } finally {
    database.close()
  }
}

const seeds = (stdout: string) =>
  [...stdout.matchAll(/^ {2}seed_(\w+): (\w+)$/gm)].map(([, table, row]) => `${table} ${row}`)

test('examples/startup.mjs: the order holds, and started twice it seeds once', async () => {
  const data = await folder()
  const first = started(data)
  await first.says('server running')
  expect(await get(first, '/live')).toEqual([200, { status: 'alive' }])
  expect(await get(first, '/health')).toEqual([200, { status: 'healthy' }])
  expect(await get(first, '/language?text=buenos+d%C3%ADas+a+todos')).toMatchObject([200, { alpha2: 'es' }])
  expect(await get(first, '/users')).toEqual([
    200,
    [
      { name: 'ann', role: 'admin' },
      { name: 'bob', role: 'operator' },
      { name: 'eve', role: 'viewer' },
    ],
  ])
  const ended = await stopped(first)
  expect({ stderr: ended.stderr, code: ended.code }).toEqual({ stderr: '', code: 0 })
  expect(ended.stdout).toMatch(/model initialised.* → seed_roles → seed_turnos → seed_users → server running/)
  for (const line of ['listener begins', 'listening', 'listener stopped'])
    expect(ended.stdout).toContain(`start-up startup: ${line}`)
  expect(seeds(ended.stdout)).toHaveLength(9)
  expect(rows(data)).toEqual([3, 3, 3])

  const second = started(data)
  await second.says('server running')
  const again = await stopped(second)
  expect({ stderr: again.stderr, code: again.code }).toEqual({ stderr: '', code: 0 })
  expect(seeds(again.stdout)).toEqual([])
  for (const task of ['migrations', 'seed_roles', 'seed_turnos', 'seed_users'])
    expect(again.stdout).toContain(`${task} was done before`)
  expect(rows(data)).toEqual([3, 3, 3])
})

test('examples/startup.mjs: SIGKILL in the middle of a seed, and each row is there once', async () => {
  const data = await folder()
  const first = started(data, '--slow', 'seed_turnos')
  await first.says('seed_turnos: morning')
  first.kill('SIGKILL')
  expect(seeds((await first.ended).stdout)).toEqual(['roles admin', 'roles operator', 'roles viewer', 'turnos morning'])
  expect(rows(data)).toEqual([3, 1, 0])

  const second = started(data, '--report')
  await second.says('ended without a shutdown')
  const { stdout, stderr, code } = await stopped(second)
  expect({ stderr, code }).toEqual({ stderr: '', code: 0 })
  expect(seeds(stdout).map((row) => row.split(' ')[0])).toEqual([...Array(3).fill('turnos'), ...Array(3).fill('users')])
  expect(rows(data)).toEqual([3, 3, 3])
  const database = new Database(join(data, 'app.db'))
  const keys = database.prepare('SELECT DISTINCT seeded_by FROM turnos').all() as { seeded_by: string }[]
  database.close()
  expect(keys.map(({ seeded_by }) => seeded_by)).toEqual(['startup/startup/seed_turnos@1'])
})

test('examples/startup.mjs: a seed that fails ends the start with its name and code 1, and the next start goes on from it', async () => {
  const data = await folder()
  const failed = await started(data, '--crash', 'seed_turnos').ended
  expect(failed.code).toBe(1)
  expect(failed.stderr).toContain('seed_turnos was told to fail')
  expect(failed.stdout).not.toContain('server running')
  expect(rows(data)).toEqual([3, 1, 0])

  const mended = started(data)
  await mended.says('server running')
  expect((await stopped(mended)).code).toBe(0)
  expect(rows(data)).toEqual([3, 3, 3])
})

test('examples/startup.mjs: a port that is taken ends the start with the name of the listener and code 1', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  onTestFinished(() => void other.close())
  const { port } = other.address() as AddressInfo
  const { code, stderr } = await started(await folder(), '--port', String(port)).ended
  expect(code).toBe(1)
  expect(stderr).toContain('listener has failed: listen EADDRINUSE')
})

test('examples/startup.mjs: /health answers while it starts; on SIGTERM the seed is called off, code 0, and it goes on at the next start', async () => {
  const data = await folder()
  const first = started(data, '--slow', 'seed_turnos')
  await first.says('seed_turnos: morning')
  expect(await get(first, '/live')).toEqual([200, { status: 'alive' }])
  expect(await get(first, '/health')).toEqual([503, { status: 'starting' }])
  expect(await get(first, '/users')).toEqual([503, { status: 'starting' }])
  expect((await stopped(first)).code).toBe(0)
  expect(rows(data)).toEqual([3, 1, 0])

  const second = started(data)
  await second.says('server running')
  expect((await stopped(second)).code).toBe(0)
  expect(rows(data)).toEqual([3, 3, 3])
})
