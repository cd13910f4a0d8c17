import type { StandardSchemaV1 } from '@standard-schema/spec'
import { expect, test } from 'vitest'
import { type EnvironmentOptions, prepareEnvironment } from '../../src/machines/startup/environment.ts'
import { recordingLogger } from '../../src/testing/index.ts'

type Env = Record<string, string | undefined>

async function prepared(env: Env, given: EnvironmentOptions | undefined) {
  const logger = recordingLogger()
  await prepareEnvironment(env, given, logger)
  return { env, lines: logger.lines }
}

/** A schema that finds fault with the variables that are named; `''` means the whole. */
const finding = (...names: string[]): StandardSchemaV1 => ({
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value: any) => ({
      issues: names.map((name) => ({
        message: `received ${JSON.stringify(value)}`,
        path: name === '' ? [] : [{ key: name }],
      })),
    }),
  },
})
const schemaOf = (validate: StandardSchemaV1.Props['validate']): StandardSchemaV1 => ({
  '~standard': { version: 1, vendor: 'test', validate },
})

test('S4 variables are set where they are not; what is set stays, even where it is empty', async () => {
  const given = { env: { TERM: 'xterm-256color', TF_CPP_MIN_LOG_LEVEL: '3', LANG: 'C' } }
  const { env, lines } = await prepared({ TERM: 'dumb', LANG: '' }, given)
  expect(env).toEqual({ TERM: 'dumb', LANG: '', TF_CPP_MIN_LOG_LEVEL: '3' })
  expect(lines).toEqual([])
  expect((await prepared({ A: '1' }, undefined)).env).toEqual({ A: '1' })
})

test('S4 the schema sees the environment as it will be, and may take its time', async () => {
  const seen: unknown[] = []
  const schema = schemaOf(async (value) => {
    await null
    seen.push(value)
    return { value: 'goes nowhere' }
  })
  const { env } = await prepared({ HOME: '/h' }, { env: { PORT: '8000' }, schema })
  expect(seen).toEqual([{ HOME: '/h', PORT: '8000' }])
  expect(env).toEqual({ HOME: '/h', PORT: '8000' })
})

test('S4 what does not fit is named, each variable once, never its value; nothing has changed', async () => {
  const env = { DATABASE_URL: 'postgres://ann:hunter2@db', KEY: 'hunter2' }
  const error = await prepareEnvironment(
    env,
    { env: { TERM: 'x' }, schema: finding('DATABASE_URL', 'MONGODB_URI', 'DATABASE_URL', '') },
    recordingLogger(),
  ).catch((e) => e)
  expect(error).toMatchObject({
    code: 'BAD_OPTION',
    message:
      'environment: DATABASE_URL does not fit the schema, MONGODB_URI is missing, the environment as a whole does not fit the schema',
  })
  const { inspect } = await import('node:util')
  expect(inspect(error, { depth: 9 })).not.toContain('hunter2')
  expect(env).not.toHaveProperty('TERM')
})

test('S4 a schema that throws is named, not what it threw', async () => {
  const schema = schemaOf((value: any) => {
    throw new Error(value.KEY)
  })
  const error = await prepareEnvironment({ KEY: 'hunter2' }, { schema }, recordingLogger()).catch((e) => e)
  expect(error).toMatchObject({ code: 'BAD_OPTION' })
  const { inspect } = await import('node:util')
  expect(inspect(error)).not.toContain('hunter2')
})

test('S4 in production AUTO_MIGRATE and DEBUG are off, and one warning says what was on', async () => {
  const { env, lines } = await prepared({ NODE_ENV: 'production', DEBUG: '*', AUTO_MIGRATE: 'True' }, {})
  expect(env).toEqual({ NODE_ENV: 'production', DEBUG: 'false', AUTO_MIGRATE: 'false' })
  expect(lines).toEqual(['NODE_ENV is production: AUTO_MIGRATE and DEBUG switched off'])

  const off = await prepared({ NODE_ENV: 'production', DEBUG: '0', AUTO_MIGRATE: 'no' }, {})
  expect(off).toEqual({ env: { NODE_ENV: 'production', DEBUG: '0', AUTO_MIGRATE: 'no' }, lines: [] })
  const unset = await prepared({}, { env: { NODE_ENV: 'production' } })
  expect(unset).toEqual({ env: { NODE_ENV: 'production', AUTO_MIGRATE: 'false' }, lines: [] })
})

test('S4 elsewhere, and where env names them, they are left alone', async () => {
  const development = { NODE_ENV: 'development', DEBUG: '*', AUTO_MIGRATE: '1' }
  expect(await prepared({ ...development }, {})).toEqual({ env: development, lines: [] })
  const own = await prepared({ NODE_ENV: 'production', DEBUG: 'app' }, { env: { DEBUG: '1', AUTO_MIGRATE: 'true' } })
  expect(own).toEqual({ env: { NODE_ENV: 'production', DEBUG: 'app', AUTO_MIGRATE: 'true' }, lines: [] })
})

test('S4 what is read only when a process starts is said to come too late, unless it was there', async () => {
  const given = { env: { MALLOC_ARENA_MAX: '2', NODE_OPTIONS: '--expose-gc' } }
  const { env, lines } = await prepared({ NODE_OPTIONS: '--no-warnings' }, given)
  expect(env).toEqual({ MALLOC_ARENA_MAX: '2', NODE_OPTIONS: '--no-warnings' })
  expect(lines).toEqual([expect.stringMatching(/^MALLOC_ARENA_MAX: set too late .*duramen supervise/)])
})

test.each<[string, unknown]>([
  ['env', 5],
  ['env', ['A=1']],
  ['env', { PORT: 8000 }],
  ['env', { 'A=B': '1' }],
  ['env', { A: 'x\0' }],
  ['schema', 5],
  ['schema', {}],
  ['schema', null],
])('S4 what is no %s is refused and changes nothing: %j', async (name, value) => {
  const env = {}
  const given = { env: { TERM: 'x' }, [name]: value } as never
  await expect(prepareEnvironment(env, given, recordingLogger())).rejects.toMatchObject({ code: 'BAD_OPTION' })
  expect(env).toEqual({})
})
