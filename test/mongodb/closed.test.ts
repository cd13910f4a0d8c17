// Whose client it is: one that is closed is never opened again by a store or a connection, whatever was under way on it.
import { fileURLToPath } from 'node:url'
import { MongoClient } from 'mongodb'
import { expect, onTestFinished, test, vi } from 'vitest'
import { mongoConnection, mongoImageStore } from '../../src/adapters/mongodb/index.ts'
import { done, failed, unitOf } from '../../src/testing/images/index.ts'
import { noUnhandledRejections } from '../support/host.ts'
import { mongoProxy } from '../support/mongodb/proxy.ts'
import { freshName, type Mongo, withMongo } from '../support/mongodb/server.ts'
import { clientOf } from './worlds.ts'

noUnhandledRejections()

const unit = unitOf('a.png', ['one'])

/** What a client says of its opening and closing, in order. */
function said(client: MongoClient): string[] {
  const events: string[] = []
  for (const event of ['topologyOpening', 'open', 'topologyClosed'] as const) client.on(event, () => events.push(event))
  return events
}

test('C1e a connection that is closed while a file of its client is read stays closed', async () => {
  const uri = `mongodb://127.0.0.1:1/?tls=true&tlsCAFile=${encodeURIComponent(fileURLToPath(import.meta.url))}`
  const driver = await mongoConnection({ uri })
  const events = said(driver.client)
  const connecting = failed(driver.connect(AbortSignal.timeout(20_000)))
  await done(driver.close())
  expect(await connecting).toMatchObject({ code: 'CLOSED', retryable: false })
  await vi.waitFor(() => expect(events).toEqual(['topologyOpening', 'topologyClosed']))
  expect(await failed(driver.connect(AbortSignal.timeout(20_000)))).toMatchObject({ code: 'CLOSED' })
})

await withMongo((mongo) => {
  /** A server that nobody reaches, until `accept`. */
  async function away(mongo: Mongo) {
    const server = await mongo.server()
    const proxy = await mongoProxy(server.uri)
    onTestFinished(async () => {
      await proxy.close()
      await server.close()
    })
    await proxy.refuse()
    return proxy
  }

  test('a client that its owner closes during the first command of a store stays closed', async () => {
    const proxy = await away(mongo)
    const client = new MongoClient(proxy.uri, { serverSelectionTimeoutMS: 20_000 })
    const events = said(client)
    const store = mongoImageStore({ db: client.db(freshName()) })
    const abort = new AbortController()
    const aborted = failed(store.put(unit, abort.signal))
    const swept = failed(store.sweep())
    await vi.waitFor(() => expect(events).toEqual(['topologyOpening']))
    abort.abort()
    expect(await aborted).toMatchObject({ code: 'ABORTED' })
    await client.close()
    await proxy.accept()
    expect(await swept).toMatchObject({ code: 'CLOSED', retryable: false })
    expect(await failed(store.put(unit))).toMatchObject({ code: 'CLOSED', retryable: false })
    expect(events).toEqual(['topologyOpening', 'topologyClosed'])
  })

  test('a client that its owner closes after its first command has failed stays closed', async () => {
    const proxy = await away(mongo)
    const client = clientOf(proxy.uri, { serverSelectionTimeoutMS: 100 })
    const store = mongoImageStore({ db: client.db(freshName()) })
    expect(await failed(store.put(unit))).toMatchObject({ code: 'NOT_CONNECTED', retryable: true })
    await proxy.accept()
    const events = said(client)
    const [put] = await Promise.all([failed(store.put(unit)), client.close()])
    expect(put).toMatchObject({ code: 'CLOSED', retryable: false })
    expect(events).toEqual([])
  })

  test('a client that its owner closes while chunks are on their way stays closed', async () => {
    const proxy = await away(mongo)
    await proxy.accept()
    const client = clientOf(proxy.uri)
    const store = mongoImageStore({ db: client.db(freshName()), inline: 0 })
    const held = proxy.trouble({ delay: 60_000 }, { command: 'insert', collection: 'images.chunks' })
    const put = failed(store.put(unit))
    await held.first
    const events = said(client)
    await client.close()
    expect(await put).toMatchObject({ code: 'CLOSED', retryable: false })
    expect(events).toEqual(['topologyClosed'])
  })

  test('a client whose first command has failed is connected by the next one', async () => {
    const proxy = await away(mongo)
    const db = clientOf(proxy.uri, { serverSelectionTimeoutMS: 100 }).db(freshName())
    const store = mongoImageStore({ db })
    expect(await failed(store.put(unit))).toMatchObject({ code: 'NOT_CONNECTED', retryable: true })
    await proxy.accept()
    expect(await done(store.put(unit))).toMatchObject({ existed: false })
    await db.dropDatabase()
  })

  test('C1e a store beside a connection that was closed does not open it again', async () => {
    const proxy = await away(mongo)
    const driver = await mongoConnection({ uri: proxy.uri, db: freshName() })
    const events = said(driver.client)
    const swept = failed(mongoImageStore({ db: driver.db }).sweep())
    await vi.waitFor(() => expect(events).toEqual(['topologyOpening']))
    await done(driver.close())
    await proxy.accept()
    expect(await swept).toMatchObject({ code: 'CLOSED', retryable: false })
    expect(events).toEqual(['topologyOpening', 'topologyClosed'])
  })

  test('C1e a client that was given, and is closed during the very first attempt, is not opened by the next', async () => {
    const proxy = await away(mongo)
    const client = new MongoClient(proxy.uri, { serverSelectionTimeoutMS: 20_000 })
    const events = said(client)
    const driver = await mongoConnection({ client, db: freshName() })
    const first = failed(driver.connect(AbortSignal.timeout(20_000)))
    await vi.waitFor(() => expect(events).toEqual(['topologyOpening']))
    await client.close()
    await proxy.accept()
    expect(await first).toMatchObject({ code: 'CLOSED', retryable: false })
    expect(await failed(driver.connect(AbortSignal.timeout(20_000)))).toMatchObject({ code: 'CLOSED' })
    expect(events).toEqual(['topologyOpening', 'topologyClosed'])
    await client.connect() // by its owner
    await done(driver.connect(AbortSignal.timeout(20_000)))
    await client.close()
  })
})
