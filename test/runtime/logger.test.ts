import { Writable } from 'node:stream'
import { inspect } from 'node:util'
import { type LoggerOptions, pino } from 'pino'
import { describe, expect, it, vi } from 'vitest'
import { log, setup } from 'xstate'
import { durable, type HostOptions } from '../../src/index.ts'
import { loggerOf } from '../../src/ports/logger.ts'
import { isPending, noUnhandledRejections, quiet, refused, settle, world } from '../support/host.ts'
import { acting } from '../support/machines.ts'

noUnhandledRejections()

/** A real pino logger, and the lines that it has written. */
function pinoLogger(options: LoggerOptions = {}) {
  const lines: Record<string, any>[] = []
  const to = new Writable({
    write(chunk, _, done) {
      for (const line of String(chunk).trim().split('\n')) lines.push(JSON.parse(line))
      done()
    },
  })
  return { lines, logger: pino({ base: null, ...options }, to) }
}

/** A host on which an instance is parked, because its action throws what it is given. */
async function parkedWith(logger: NonNullable<HostOptions['logger']>, thrown: unknown) {
  const machine = acting(() => {
    throw thrown
  })
  const host = await world().open([machine], { logger })
  const actor = await host.actor(machine, 'x')
  await actor.send({ type: 'GO' })
  await settle()
  await host.close()
}

describe('a logger is console-shaped or pino-shaped', () => {
  it('pino gets the message as msg, and the error as err with its code and place', async () => {
    const { logger, lines } = pinoLogger()
    await parkedWith(logger, new Error('no paper'))
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatchObject({
      level: 50,
      msg: expect.stringContaining("acting/x is parked: action 'act'"),
      err: { type: 'DuramenError', code: 'MACHINE_THREW', where: { machine: 'acting', instance: 'x', event: 'act' } },
    })
    expect(lines[0]!.err.stack).toContain('no paper')
  })

  it('a child of a pino logger is one too, and keeps its bindings', async () => {
    const { logger, lines } = pinoLogger()
    await parkedWith(logger.child({ station: 7 }), new Error('no paper'))
    expect(lines).toMatchObject([{ station: 7, err: { code: 'MACHINE_THREW' } }])
  })

  it('all levels, plain details as fields, what was thrown and is no error as err, a percent sign as itself', () => {
    const { logger, lines } = pinoLogger({ level: 'debug' })
    const log = loggerOf(logger)
    log.debug('a')
    log.info('100 %s', { n: 1 })
    log.warn('b', 'thrown' as unknown as object)
    log.error('c', null as unknown as object)
    expect(lines.map(({ time, ...line }) => line)).toEqual([
      { level: 20, msg: 'a' },
      { level: 30, msg: '100 %s', n: 1 },
      { level: 40, msg: 'b', err: 'thrown' },
      { level: 50, msg: 'c', err: null },
    ])
  })

  it('console gets the message first', async () => {
    const error = vi.spyOn(console, 'error').mockImplementation(() => {})
    try {
      await parkedWith(console, new Error('no paper'))
      expect(error.mock.calls).toEqual([
        [expect.stringContaining('acting/x is parked'), expect.objectContaining({ code: 'MACHINE_THREW' })],
      ])
    } finally {
      error.mockRestore()
    }
  })

  it.each(['debug', 'info', 'warn', 'error'] as const)('K8: one whose %s throws harms nobody', (level) => {
    const asked: unknown[][] = []
    const thrower = Object.fromEntries(
      ['debug', 'info', 'warn', 'error'].map((name) => [
        name,
        (...args: unknown[]) => {
          asked.push(args)
          throw new Error('the disk of the log is full')
        },
      ]),
    ) as unknown as typeof console
    loggerOf(thrower)[level]('a', { b: 1 })
    loggerOf(thrower)[level]('a')
    expect(asked).toEqual([['a', { b: 1 }], ['a']])
  })

  it.each(['the logger', 'the value'])('K8: an instance goes on when %s throws as it logs', async (who) => {
    const raise = () => {
      throw new Error('no')
    }
    const unprintable = { [inspect.custom]: raise }
    const machine = durable(
      setup({}).createMachine({
        id: 'm',
        on: { LOG: { actions: log(() => (who === 'the value' ? unprintable : 'x')) } },
      }),
    )
    const logger = { ...quiet, ...(who === 'the logger' && { info: raise }) }
    const host = await world().open([machine], { logger })
    const actor = await host.actor(machine, 'x')
    for (const seq of [2, 3]) {
      const sent = actor.send({ type: 'LOG' })
      expect(await isPending(sent)).toBe(false)
      expect(await sent).toMatchObject({ seq })
    }
    await host.close()
  })

  it('one without a level is refused by name, before it is missed', async () => {
    const { open } = world()
    const { debug, info, warn } = console
    expect(await refused(open([], { logger: { debug, info, warn } as typeof console }))).toMatchObject({
      code: 'BAD_OPTION',
      message: "logger: it has no function 'error'",
    })
  })
})
