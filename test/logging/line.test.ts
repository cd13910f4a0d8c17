// G1: the format of a line, that nobody can forge one, and errors with their stack and their causes.
import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { lineOf } from '../../src/adapters/logging/line.ts'
import { DuramenError } from '../../src/index.ts'
import { loggerOf } from '../../src/ports/logger.ts'
import { fileLogger } from './logs.ts'

const LINE = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d - app - (DEBUG|INFO|WARN|ERROR) - /

it('G1: a line is time - name - LEVEL - message, details behind it', () => {
  const record = { time: Date.UTC(2025, 11, 17, 10, 30), level: 'info', message: 'authentication', details: {} }
  expect(lineOf('api', record, true)).toBe('2025-12-17 10:30:00 - api - INFO - authentication\n')
  const details = {
    who: 'ann',
    outcome: 'refused',
    after: 1.5,
    why: 'wrong "password"',
    of: { a: [1] },
    none: undefined,
  }
  expect(lineOf('api', { ...record, details }, true)).toBe(
    '2025-12-17 10:30:00 - api - INFO - authentication who=ann outcome=refused after=1.5 why="wrong \\"password\\"" of={"a":[1]}\n',
  )
})

it('G1: the time is local, of a zone with half hours as of one that changes its clocks', () => {
  const script = `import { lineOf } from ${JSON.stringify(`file://${resolve('dist/adapters/logging/line.js')}`)}
    const at = (iso) => lineOf('n', { time: Date.parse(iso), level: 'warn', message: 'm', details: {} }, false)
    process.stdout.write(at('2025-12-17T10:30:00Z') + at('2025-07-01T23:59:59.999Z'))`
  const inZone = (TZ: string) =>
    spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
      env: { ...process.env, TZ },
    }).stdout
  expect(inZone('Asia/Kolkata')).toBe('2025-12-17 16:00:00 - n - WARN - m\n2025-07-02 05:29:59 - n - WARN - m\n')
  expect(inZone('Europe/Berlin')).toBe('2025-12-17 11:30:00 - n - WARN - m\n2025-07-02 01:59:59 - n - WARN - m\n')
})

it('G1: nothing that is logged can look like a line of its own', async () => {
  const { logger, text } = await fileLogger()
  const forged = '2025-12-17 10:30:00 - app - ERROR - forged'
  const nasty = `x\n${forged}\r\n${forged}\u2028${forged}\u0085${forged}\u001b[2J\u202e\0`
  const error = Object.assign(new Error(nasty, { cause: nasty }), { why: nasty, [nasty]: 1 })
  error.stack = `${nasty}\n${nasty}`
  logger.info(nasty, { nasty, [nasty]: nasty, list: [nasty], error, [`of ${nasty}`]: error })
  const lines = (await text()).split(/[\r\n\u2028\u2029\u0085]/)
  expect(lines.filter((line) => LINE.test(line) || line.startsWith('2025'))).toHaveLength(1)
  expect(await text()).not.toMatch(/(?!\n)[\p{Cc}\u202e\u2028]/u)
})

it('G1: nothing that is logged can look like a line of its own, whatever it is', async () => {
  const { logger, text } = await fileLogger()
  const strange = fc.string({ unit: 'binary', maxLength: 50 })
  let count = 0
  fc.assert(
    fc.property(strange, fc.dictionary(strange, fc.oneof(strange, fc.anything())), (message, details) => {
      logger.warn(message, details)
      count++
    }),
    { numRuns: 300 },
  )
  const lines = (await text()).split('\n').filter((line) => line !== '' && !line.startsWith('    '))
  expect(lines.filter((line) => !LINE.test(line))).toEqual([])
  expect(lines).toHaveLength(count)
})

it('G1: an error is there with its whole stack and its causes', async () => {
  const { logger, text } = await fileLogger()
  const root = new TypeError('no such thing')
  const error = new DuramenError('IO', 'could not read', { cause: root, hint: 'look', where: { file: '/a b' } })
  logger.error('reading failed', error)
  const frames = (of: Error) => of.stack!.split('\n').slice(1)
  expect((await text()).split('\n').slice(1)).toEqual([
    '    DuramenError: could not read',
    ...frames(error).map((frame) => `    ${frame}`),
    '    code=IO retryable=false where={"file":"/a b"} hint=look',
    '    caused by: TypeError: no such thing',
    ...frames(root).map((frame) => `    ${frame}`),
    '',
  ])
})

it('G1: several errors, by name, and those of an AggregateError', async () => {
  const { logger, lines } = await fileLogger()
  const many = new AggregateError([new Error('one'), 'two'], 'all of them')
  logger.error('x', { first: many, error: new RangeError('last'), n: 1 })
  const heads = (await lines()).filter((line) => !/^ {4,}at /.test(line) && !line.includes(' at ')).slice(1)
  expect((await lines())[0]).toMatch(/ - ERROR - x n=1$/)
  expect(heads).toEqual([
    '    first: AggregateError: all of them',
    '    - Error: one',
    '    - two',
    '    RangeError: last',
  ])
})

it('G1: what is no text in the place of the message is details, in the order of pino and by itself, and its secrets are hidden', async () => {
  const { logger, lines } = await fileLogger({ redact: ['pin'] })
  const any = logger as unknown as Record<'info', (...given: unknown[]) => void>
  any.info({ pin: 4711, who: 'ann' }, 'enrolled')
  any.info({ pin: 4711, a: 1 })
  any.info({ pin: 4711 }, { a: 1 })
  any.info([{ pin: 4711 }])
  any.info(undefined)
  any.info(5)
  any.info('text', 'more')
  any.info('list', [1, 2])
  const heads = (await lines()).map((line) => line.replace(LINE, ''))
  expect(heads).toEqual([
    'enrolled pin="[redacted]" who=ann',
    'pin="[redacted]" a=1',
    'details=[{"pin":"[redacted]"},{"a":1}]',
    'details=[{"pin":"[redacted]"}]',
    '',
    'details=5',
    'text details=more',
    'list details=[1,2]',
  ])
})

it('an error in the place of the message, by itself and in the order of pino', async () => {
  const { logger, lines } = await fileLogger()
  const any = logger as unknown as Record<'info', (...given: unknown[]) => void>
  any.info(new Error('as it is'))
  any.info(new Error('why'), 'failed')
  const heads = (await lines()).filter((line) => !line.includes(' at ')).map((line) => line.replace(LINE, ''))
  expect(heads).toEqual(['as it is', '    Error: as it is', 'failed', '    Error: why'])
})

it('logs from its level on', async () => {
  const { logger, lines } = await fileLogger({ level: 'warn' })
  for (const level of ['debug', 'info', 'warn', 'error'] as const) logger[level](level)
  expect((await lines()).map((line) => line.replace(LINE, ''))).toEqual(['warn', 'error'])
})

it('JSON: an object a line, as pino writes it; details can not pass for what pino says', async () => {
  const { logger, objects, text } = await fileLogger({ format: 'json' })
  logger.warn('a\nb\u009b\u202e', { level: 10, time: 0, msg: 'no', pid: 1, name: 'root', who: 'ann' })
  logger.error('failed', new Error('outer', { cause: new Error('inner') }))
  const [first, second] = await objects()
  expect(first).toMatchObject({
    level: 40,
    name: 'app',
    pid: process.pid,
    msg: 'a\nb\u009b\u202e',
    who: 'ann',
    msg_: 'no',
  })
  expect(second).toMatchObject({ level: 50, err: { type: 'Error', message: 'outer', cause: { message: 'inner' } } })
  expect(second!.err.stack).toContain('line.test.ts')
  expect(await text()).not.toMatch(/[\u009b\u202e]/)
})

it('details that look like a request are details like others', async () => {
  const request = { method: 'GET', url: '/x', headers: { host: 'reader' }, socket: { port: 1 }, who: 'ann', ms: 3 }
  const line = await fileLogger()
  line.logger.info('request', request)
  expect((await line.text()).replace(LINE, '')).toBe(
    'request method=GET url=/x headers={"host":"reader"} socket={"port":1} who=ann ms=3\n',
  )
  const json = await fileLogger({ format: 'json' })
  json.logger.info('request', request)
  expect(await json.objects()).toEqual([expect.objectContaining(request)])
})

it('is taken for what it is where a host asks for a logger', async () => {
  const { logger, lines } = await fileLogger()
  loggerOf(logger).error('failed', new Error('of the host'))
  expect((await lines()).slice(0, 2).map((line) => line.replace(LINE, ''))).toEqual([
    'failed',
    '    Error: of the host',
  ])
})
