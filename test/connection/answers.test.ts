// A driver of somebody's own, in JavaScript, that answers what is no answer: it is told in plain words, and never taken for one.
import { expect, test } from 'vitest'
import { openHost } from '../../src/index.ts'
import { memoryJournal } from '../../src/journal/index.ts'
import { connection, withConnection } from '../../src/machines/index.ts'
import { connectionDriverContract, recordingLogger, settle, virtualClock } from '../../src/testing/index.ts'
import { noUnhandledRejections, refused } from '../support/host.ts'
import { database } from './world.ts'

noUnhandledRejections()

const WRONG: Record<string, () => unknown> = {
  'a promise': async () => 'db',
  'a promise that rejects': async () => {
    throw new Error('away')
  },
  'the connection itself': () => ({ password: 'secret' }),
  nothing: () => undefined,
  'a function of a promise of no Either': () => async () => 'db',
  'a function of no promise': () => () => undefined,
  'a function of null': () => () => null,
}

for (const [what, answer] of Object.entries(WRONG))
  test(`C1: connect that answers ${what} is no connection, and says for good what it has to answer`, async () => {
    const clock = virtualClock()
    const logger = recordingLogger()
    const host = await openHost({ journal: memoryJournal(), clock, logger })
    let calls = 0
    const connect = () => {
      calls++
      return answer()
    }
    const made = connection(host, { driver: { ...database().driver, connect: connect as never }, id: 'own' })
    await settle()
    const error = await refused(withConnection(made, () => expect.unreachable('there is no connection')))
    expect(error).toMatchObject({ code: 'NOT_CONNECTED' })
    expect(error.message).toContain('driver.connect answers ')
    expect(error.message).toContain('a port answers a TaskEither')
    expect(error.hint).toContain("_tag: 'Right'")
    expect(calls).toBe(1) // no use in trying at once what will not mend itself
    expect(JSON.stringify([made.status(), logger.lines])).not.toContain('secret')
    await host.close()
  })

test('C1: a driver whose watch answers no function is refused at once, and its id is free', async () => {
  const host = await openHost({ journal: memoryJournal(), clock: virtualClock(), logger: recordingLogger() })
  const { driver } = database()
  expect(() => connection(host, { driver: { ...driver, watch: () => undefined as never } })).toThrow(
    "driver.watch's answer: undefined is no function",
  )
  await connection(host, { driver }).close()
  await host.close()
})

test('C1e: close that answers no answer rejects, and the host closes all the same', async () => {
  const host = await openHost({ journal: memoryJournal(), clock: virtualClock(), logger: recordingLogger() })
  const { driver } = database()
  const made = connection(host, { driver: { ...driver, close: (async () => {}) as never } })
  await settle()
  expect((await refused(made.close())).message).toContain('driver.close answers a promise')
  await host.close()
})

test('the contract says in words what a driver does not keep', async () => {
  const nothing = async () => {}
  const careless = {
    ...database().driver,
    connect: () => async () => ({ _tag: 'Right' as const, right: {} as string }),
  }
  const cases = connectionDriverContract('careless', async () => ({
    driver: careless,
    tells: true,
    away: nothing,
    back: nothing,
    dispose: nothing,
  }))
  const said = await Promise.all(cases.map(({ run }) => Promise.resolve(run()).catch(({ message }: Error) => message)))
  expect(said.join('\n')).toContain('connect, called while it is connected, must answer the very object')
  expect(said.join('\n')).toContain('connect must fail while the database is away')
})
