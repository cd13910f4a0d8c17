// C1 on a real server, with a proxy before it that makes trouble.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import type { Db } from 'mongodb'
import { MongoClient } from 'mongodb'
import { filter, firstValueFrom } from 'rxjs'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type MongoConnectionOptions, mongoConnection } from '../../src/adapters/mongodb/index.ts'
import { openHost } from '../../src/index.ts'
import { fileJournal, memoryJournal } from '../../src/journal/index.ts'
import {
  type Connection,
  type ConnectionOptions,
  type ConnectionStatus,
  connection,
  withConnection,
} from '../../src/machines/index.ts'
import { connectionDriverContract, recordingLogger } from '../../src/testing/index.ts'
import { noUnhandledRejections, refused } from '../support/host.ts'
import { mongoProxy } from '../support/mongodb/proxy.ts'
import { freshName, type MongoServer, withMongo } from '../support/mongodb/server.ts'

const CHILD = fileURLToPath(new URL('connection-child.mjs', import.meta.url))

noUnhandledRejections()

test('an address that needs options is taken with them; of a wrong one no password is told', async () => {
  const oidc = 'mongodb://127.0.0.1/?authMechanism=MONGODB-OIDC'
  const authMechanismProperties = { OIDC_CALLBACK: async () => ({ accessToken: '' }) }
  await mongoConnection({ uri: oidc, options: { authMechanismProperties } })
  for (const [uri, options, said] of [
    ['mongodb://ann:unspeakable@127.0.0.1/', { maxPoolSize: -1 }, /options: .*maxPoolSize/i],
    ['mongodb://ann:unspeakable@127.0.0.1/?proxyPassword=unspeakable', {}, /uri: it is no address/],
    ['mongodb://ann:unspeakable@@:x', {}, /uri: it is no address/],
  ] as const) {
    const error = await mongoConnection({ uri, options }).catch((thrown) => thrown)
    expect(error).toMatchObject({ code: 'BAD_OPTION', message: expect.stringMatching(said) })
    expect(inspect(error, { depth: 12, showHidden: true })).not.toContain('unspeakable')
  }
})

await withMongo((mongo) => {
  const ends: (() => Promise<unknown>)[] = []
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end()
  })

  /** A connection that is quick to see things. */
  async function connected(given: Partial<MongoConnectionOptions>, options: Partial<ConnectionOptions<Db>> = {}) {
    const logger = recordingLogger()
    const host = await openHost({ journal: memoryJournal(), logger })
    ends.push(() => host.close())
    const driver = await mongoConnection({
      ...(given.uri !== undefined && { options: { heartbeatFrequencyMS: 500 } }),
      db: freshName(),
      ...given,
    })
    const made = connection(host, { driver, id: 'mongo', timeout: '1s', openFor: '300ms', ...options })
    return { host, driver, made, lines: logger.lines }
  }

  const until = (made: Connection<Db>, state: ConnectionStatus['state']) =>
    firstValueFrom(made.status$.pipe(filter((status) => status.state === state)))
  const insert = (v: number) => (db: Db) => db.collection<{ v: number }>('a').insertOne({ v })
  const stored = (made: Connection<Db>) =>
    withConnection(made, async (db) => (await db.collection('a').find().sort({ v: 1 }).toArray()).map(({ v }) => v))
  /** Sockets of this process. */
  const sockets = () => process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length

  describe('a connection to a server that is up', () => {
    let server: MongoServer
    beforeAll(async () => {
      server = await mongo.server()
    })
    afterAll(() => server?.close())

    test('C1: is there, and works', async () => {
      const { made, driver, lines } = await connected({ uri: server.uri })
      expect(await withConnection(made, insert(1))).toMatchObject({ acknowledged: true })
      expect(made.status()).toMatchObject({ state: 'connected', database: 'connected', problem: null })
      expect(lines).toContain(`mongo: connected to ${driver.name}`)
      await withConnection(made, (db) => db.dropDatabase())
    })

    test('C1e: a host that is closed leaves no socket and no client behind', async () => {
      const before = sockets()
      const { host, made } = await connected({ uri: server.uri })
      await Promise.all(Array.from({ length: 20 }, (_, i) => withConnection(made, insert(i))))
      expect(sockets()).toBeGreaterThan(before)
      await withConnection(made, (db) => db.dropDatabase())
      await host.close()
      await new Promise((resolve) => setTimeout(resolve, 50)) // the system takes its turn
      expect(sockets()).toBe(before)
      expect(made.status().state).toBe('closed')
    })

    test('C1e: a client that was given stays open, and without a listener of ours', async () => {
      const client = new MongoClient(server.uri)
      ends.push(() => client.close())
      const before = client.eventNames()
      const { made } = await connected({ client })
      await withConnection(made, insert(1))
      await made.close()
      expect(client.eventNames()).toEqual(before)
      expect(await client.db(freshName()).command({ ping: 1 })).toMatchObject({ ok: 1 })
    })

    test('C1: a client that its owner has closed is not opened again, until its owner does', async () => {
      const client = new MongoClient(server.uri)
      ends.push(() => client.close())
      const { made } = await connected({ client }, { maxOpenFor: '300ms' })
      await until(made, 'connected')
      const before = sockets()
      await client.close()
      await until(made, 'disconnected')
      expect(made.status().problem).toMatchObject({ code: 'CLOSED', lasting: true })
      await client.connect()
      await until(made, 'connected')
      await client.close()
      await until(made, 'disconnected')
      await new Promise((resolve) => setTimeout(resolve, 400)) // the trial after 300 ms
      expect(sockets()).toBeLessThan(before)
    })

    test.each(['before', 'after', 'in the answer'] as const)(
      'C1: a connection cut %s: one call fails, the next works',
      async (cut) => {
        const proxy = await mongoProxy(server.uri)
        ends.push(proxy.close)
        const { made } = await connected({ uri: proxy.uri })
        await withConnection(made, insert(0))
        let rolledBack = 0
        proxy.trouble({ cut }, { command: 'insert' })
        await expect(
          withConnection(made, insert(1), {
            rollback: async (db) => {
              rolledBack++
              await db.collection('a').deleteOne({ v: 1 })
            },
          }),
        ).rejects.toMatchObject({ name: 'MongoNetworkError' })
        expect(rolledBack).toBe(1)
        expect(await stored(made)).toEqual([0])
        await withConnection(made, (db) => db.dropDatabase())
      },
    )

    test('C1: a proxy that refuses, then hangs, then lets through', async () => {
      const proxy = await mongoProxy(server.uri)
      ends.push(proxy.close)
      const { made, lines } = await connected({ uri: proxy.uri })
      await withConnection(made, insert(0))
      await proxy.refuse()
      await until(made, 'disconnected')
      expect(made.status()).toMatchObject({ database: 'disconnected', problem: { code: 'NOT_CONNECTED' } })
      expect(lines.filter((line) => line.includes('attempt 2/3')).length).toBeGreaterThan(0)
      const hangs = proxy.trouble({ delay: 60_000 }, { times: 1000 })
      await proxy.accept()
      await hangs.first
      expect(await refused(withConnection(made, () => 1, { patience: '500ms' }))).toMatchObject({
        code: 'NOT_CONNECTED',
      })
      hangs.lift()
      proxy.cut()
      await until(made, 'connected')
      expect(await stored(made)).toEqual([0])
      await withConnection(made, (db) => db.dropDatabase())
    })
  })

  test.each(['works', 'rests'] as const)(
    'C1e: a server that hangs while a connection %s holds up no close, and keeps no socket',
    async (how) => {
      const server = await mongo.server()
      ends.push(() => server.close())
      const proxy = await mongoProxy(server.uri)
      ends.push(proxy.close)
      // as a mongod says it: the driver then ends its sessions by a command
      const sessions = { replace: (answer: object) => ({ ...answer, logicalSessionTimeoutMinutes: 30 }) }
      for (const command of ['hello', 'ismaster']) proxy.trouble(sessions, { command, times: 1000 })
      const before = sockets()
      const { made, host, lines } = await connected({ uri: proxy.uri }, { closeTimeout: '1s' })
      await withConnection(made, insert(1))
      const hangs = proxy.trouble({ delay: 60_000 }, { times: 1000 })
      const works = how === 'works' ? withConnection(made, insert(2)).catch((error) => error) : undefined
      if (works) await hangs.first
      const begun = Date.now()
      await host.close()
      expect(Date.now() - begun).toBeLessThan(8000)
      expect(lines.at(-1)).toBe('mongo: closed') // and no word of one that could not be
      if (works) expect(await works).toMatchObject({ name: expect.stringMatching(/Mongo/) })
      proxy.cut() // its own ends, which wait for the delay
      await new Promise((resolve) => setTimeout(resolve, 50))
      expect(sockets()).toBe(before)
    },
  )

  describe('the contract', () => {
    let server: MongoServer
    beforeAll(async () => {
      server = await mongo.server()
    })
    afterAll(() => server?.close())
    const cases = connectionDriverContract('mongoConnection', async () => {
      const proxy = await mongoProxy(server.uri)
      const driver = await mongoConnection({ uri: proxy.uri, options: { heartbeatFrequencyMS: 500 } })
      return { driver, tells: true, away: proxy.refuse, back: proxy.accept, dispose: proxy.close }
    })
    for (const { name, run } of cases) test(name, run)
  })

  describe.skipIf(!mongo.own)('a connection to a server that goes and comes', () => {
    test('C1a: a server that is down at the start: told, tried, and there by itself once it is up', async () => {
      const server = await mongo.server()
      ends.push(() => server.close())
      await server.stop()
      const { made, driver, lines } = await connected({ uri: server.uri }, { timeout: '600ms' })
      await until(made, 'disconnected')
      expect(lines[0]).toBe(`mongo: attempt 1/3 to connect to ${driver.name}`)
      expect(lines).toContain(`mongo: attempt 3/3 to connect to ${driver.name}`)
      expect(lines.some((line) => line.includes('ECONNREFUSED'))).toBe(true)
      expect(await refused(withConnection(made, insert(1)))).toMatchObject({ code: 'NOT_CONNECTED' })
      await server.start()
      await until(made, 'connected')
      await withConnection(made, insert(1))
    })

    test.each(['stop', 'kill'] as const)(
      'C1: %s and start while a hundred work: who waits goes on, and what was answered is there',
      async (end) => {
        const server = await mongo.server()
        ends.push(() => server.close())
        const { made } = await connected({ uri: server.uri }, { attempts: 30 })
        let answered = 0
        let goOn = true
        ends.push(async () => {
          goOn = false
        })
        const works = Array.from({ length: 10 }, async (_, worker) => {
          for (let i = 0; goOn; i++) {
            const done = await withConnection(made, insert(worker * 1e6 + i), { patience: '20s' }).catch(
              () => undefined,
            )
            if (done) answered++
          }
        })
        while (answered < 100) await new Promise((resolve) => setTimeout(resolve, 10))
        await server[end]()
        await until(made, 'connecting')
        const waiting = Array.from({ length: 100 }, (_, i) => withConnection(made, insert(-1 - i), { patience: '1m' }))
        await server.start()
        await Promise.all(waiting)
        const before = answered
        while (answered < before + 100) await new Promise((resolve) => setTimeout(resolve, 10))
        goOn = false
        await Promise.all(works)
        const all = await stored(made)
        expect(all.length).toBeGreaterThanOrEqual(answered + 100)
        expect(new Set(all).size).toBe(all.length)
      },
    )

    test('C1b: a wrong password is told, tried slowly, and shown nowhere', async () => {
      const server = await mongo.server({ auth: true })
      ends.push(() => server.close())
      const canary = 'c4nary-Passw0rd'
      const { made, driver, lines, host } = await connected(
        { uri: server.uri.replace(':secret@', `:${canary}@`) },
        { maxOpenFor: '1h' },
      )
      await until(made, 'disconnected')
      const error = await refused(withConnection(made, () => 1))
      expect(made.status()).toMatchObject({ attempt: 1, problem: { code: 'NO_PERMISSION', lasting: true } })
      await new Promise((resolve) => setTimeout(resolve, 700))
      expect(lines.filter((line) => /: attempt|: a trial/.test(line)).length).toBe(1)
      const answer = await driver.connect(AbortSignal.timeout(5000))()
      expect(answer).toMatchObject({ left: { code: 'NO_PERMISSION', retryable: false } })
      const bad = await mongoConnection({ uri: `mongodb://a:${canary}@@:x` }).catch((thrown) => thrown)
      expect(bad).toMatchObject({ code: 'BAD_OPTION' })
      const seen = [lines, error, made.status(), answer, bad, driver.name, host.health()]
      expect(inspect(seen, { depth: 12, showHidden: true })).not.toContain(canary)
    })

    test('C1: a process that is killed leaves nothing that the next has to see to', async () => {
      const server = await mongo.server()
      ends.push(() => server.close())
      const dir = await mkdtemp(join(tmpdir(), 'duramen-connection-'))
      ends.push(() => rm(dir, { recursive: true }))
      for (let life = 0; life < 3; life++) {
        const child = spawn(process.execPath, [CHILD, dir, server.uri], { stdio: ['ignore', 'pipe', 'inherit'] })
        const exited = once(child, 'exit')
        await once(child.stdout, 'data') // it works
        child.kill('SIGKILL')
        await exited
      }
      const journal = await fileJournal(dir)
      const host = await openHost({ journal, logger: recordingLogger() })
      ends.push(() => host.close())
      expect(await host.list()).toEqual([])
      const made = connection(host, { driver: await mongoConnection({ uri: server.uri }) })
      expect(await withConnection(made, (db) => db.collection('lives').countDocuments())).toBeGreaterThan(2)
    })

    test('C1e: close while it connects, twice, and while the server is away', async () => {
      const server = await mongo.server()
      await server.close()
      const before = sockets()
      const { made, host } = await connected({ uri: server.uri }, { timeout: '30s' })
      await Promise.all([made.close(), made.close(), host.close()])
      await new Promise((resolve) => setTimeout(resolve, 50))
      expect(sockets()).toBe(before)
    })
  })
})
