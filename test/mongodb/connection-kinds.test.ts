// C1 of connections where the driver's monitoring does not tell: to one server alone, through a load balancer, by a name
// that nobody can look up.
import dns from 'node:dns'
import { type MongoClientOptions, ObjectId } from 'mongodb'
import { filter, firstValueFrom } from 'rxjs'
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { mongoConnection, mongoImageStore } from '../../src/adapters/mongodb/index.ts'
import { openHost } from '../../src/index.ts'
import { memoryJournal } from '../../src/journal/index.ts'
import { type Connection, type ConnectionStatus, connection, withConnection } from '../../src/machines/index.ts'
import { done, failed, unitOf } from '../../src/testing/images/index.ts'
import { noUnhandledRejections, quiet } from '../support/host.ts'
import { type MongoProxy, mongoProxy } from '../support/mongodb/proxy.ts'
import { freshName, type MongoServer, withMongo } from '../support/mongodb/server.ts'

noUnhandledRejections()

const times = Number.POSITIVE_INFINITY
const unhurried = () => AbortSignal.timeout(20_000)
const until = (made: Connection<any>, state: ConnectionStatus['state']) =>
  firstValueFrom(made.status$.pipe(filter((status) => status.state === state)))

function withOption(uri: string, name: string): string {
  const url = new URL(uri)
  url.searchParams.set(name, 'true')
  return url.href
}

test('C1 a name that nobody can look up: NOT_CONNECTED, of a connection and of a store, as long as it lasts', async () => {
  const before = dns.getServers()
  dns.setServers(['127.0.0.1:1'])
  onTestFinished(() => dns.setServers(before))
  const driver = await mongoConnection({ uri: 'mongodb+srv://ann:unspeakable@cluster0.example.invalid/app' })
  onTestFinished(() => done(driver.close()))
  const away = { code: 'NOT_CONNECTED', retryable: true, hint: expect.stringContaining('can be reached') }
  const store = mongoImageStore({ db: driver.db })
  for (let tries = 0; tries < 2; tries++) {
    expect(await failed(driver.connect(unhurried()))).toMatchObject(away)
    expect(await failed(store.put(unitOf('a.png', ['one'])))).toMatchObject(away)
  }
})

await withMongo((mongo) => {
  let server: MongoServer
  beforeAll(async () => {
    server = await mongo.server()
  })
  afterAll(() => server?.close())

  /** A connection that is quick to see things, and whose first words are commands, which a proxy can answer. */
  const options: MongoClientOptions = {
    serverApi: '1',
    serverMonitoringMode: 'poll', // one answer for each question
    heartbeatFrequencyMS: 500,
    connectTimeoutMS: 1000,
    serverSelectionTimeoutMS: 1000,
  }

  async function connected(uri: string, openFor: '300ms' | '1h') {
    const host = await openHost({ journal: memoryJournal(), logger: quiet })
    onTestFinished(() => host.close())
    const driver = await mongoConnection({ uri, db: freshName(), options })
    return { driver, made: connection(host, { driver, timeout: '2s', openFor, maxOpenFor: openFor }) }
  }

  async function behind(): Promise<MongoProxy> {
    const proxy = await mongoProxy(server.uri)
    onTestFinished(() => proxy.close())
    return proxy
  }

  test('C1 one server alone that is a secondary is not connected, and says so; once it is elected, it is', async () => {
    const proxy = await behind()
    const is = { setName: 'rs', isWritablePrimary: false, secondary: true, primary: 'elsewhere:27017' }
    const said = proxy.trouble({ replace: (answer) => ({ ...answer, ...is }) }, { command: 'hello', times })
    const { made, driver } = await connected(withOption(proxy.uri, 'directConnection'), '1h')
    await until(made, 'disconnected')
    expect(made.status()).toMatchObject({
      database: 'disconnected',
      problem: {
        code: 'NOT_CONNECTED',
        message: `${driver.name} takes no writes: it is a secondary of rs; the primary is elsewhere:27017`,
        hint: expect.stringContaining('directConnection'),
        lasting: false,
      },
    })
    said.lift()
    await until(made, 'connected') // its wait is an hour: the driver has seen it
  })

  test.each([
    ['says so by its old name', { answer: { ok: 1, ismaster: true } }],
    ['says nothing of it', { answer: { ok: 1 } }],
    ['does not know the word', { answer: { ok: 0, code: 59, errmsg: 'no such command: hello' } }],
  ])('C1 a server that takes writes, and %s, is connected', async (_, what) => {
    const proxy = await behind()
    const driver = await mongoConnection({ uri: proxy.uri, db: freshName() })
    onTestFinished(() => done(driver.close()))
    const met = proxy.trouble(what, { command: 'hello', db: driver.db.databaseName })
    expect(await done(driver.connect(unhurried()))).toBe(driver.db)
    expect(met.met).toBe(1)
  })

  /** The address of a load balancer, by which the driver takes the server for one of many. */
  function balanced(proxy: MongoProxy): string {
    const is = { serviceId: new ObjectId(), msg: 'isdbgrid' }
    proxy.trouble({ replace: (answer) => ({ ...answer, ...is }) }, { command: 'hello', db: 'admin', times })
    return withOption(proxy.uri, 'loadBalanced')
  }

  test.each(['is away', 'hangs'])(
    'C1 behind a load balancer a server that %s is noticed, and that it is back',
    async (how) => {
      const proxy = await behind()
      const { made, driver } = await connected(balanced(proxy), '300ms')
      const told: string[] = []
      onTestFinished(driver.watch((change) => told.push(change)))
      await until(made, 'connected')
      told.length = 0
      const hangs = how === 'hangs' ? proxy.trouble({ delay: 60_000 }, { times }) : undefined
      if (!hangs) await proxy.refuse()
      await vi.waitFor(() => expect(told).toContain('down'), 20_000)
      await until(made, 'disconnected')
      expect(made.status()).toMatchObject({ database: 'disconnected', problem: { code: 'NOT_CONNECTED' } })
      hangs?.lift()
      if (hangs) proxy.cut()
      else await proxy.accept()
      await vi.waitFor(() => expect(told.at(-1)).toBe('up'), 20_000)
      await until(made, 'connected')
      expect(await withConnection(made, (db) => db.command({ ping: 1 }))).toMatchObject({ ok: 1 })
    },
  )
})
