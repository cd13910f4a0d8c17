// The keys of a store, as many as there are: each page is a command with a limit and a second try, and no cursor has to
// last for as long as who reads them takes.
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { mongoImageStore } from '../../src/adapters/mongodb/index.ts'
import { done, unitOf } from '../../src/testing/images/index.ts'
import { type MongoProxy, mongoProxy } from '../support/mongodb/proxy.ts'
import { freshName, type MongoServer, withMongo } from '../support/mongodb/server.ts'
import { clientOf } from './worlds.ts'

const unit = unitOf('a.png', ['one'])
const MANY = 2500
const key = (n: number) => n.toString(16).padStart(64, '0')

await withMongo((mongo) => {
  let server: MongoServer
  let proxy: MongoProxy
  beforeAll(async () => {
    server = await mongo.server()
    proxy = await mongoProxy(server.uri)
  })
  afterAll(async () => {
    await proxy?.close()
    await server?.close()
  })

  /** A store of MANY units, and what none of its keys is. */
  async function filled() {
    const db = clientOf(proxy.uri).db(freshName())
    onTestFinished(async () => void (await db.dropDatabase()))
    const units = db.collection<{ _id: unknown; uploads?: object[] }>('images.units')
    await done(mongoImageStore({ db }).put(unit))
    const { _id, ...document } = (await units.findOne())!
    await units.deleteMany({})
    await units.insertMany(Array.from({ length: MANY }, (_, n) => ({ ...document, _id: key(n) })))
    const others = [
      { ...document, _id: 7 },
      { ...document, _id: 'a name' },
      { ...document, _id: '0a'.repeat(40) },
    ]
    await units.insertMany([...others, { _id: 'f'.repeat(64), uploads: [] }])
    return db
  }

  async function listed(store: { keys(): AsyncIterable<string> }): Promise<string[]> {
    const keys: string[] = []
    for await (const one of store.keys()) keys.push(one)
    return keys
  }

  const all = Array.from({ length: MANY }, (_, n) => key(n))
  const forgotten = { ok: 0, code: 43, codeName: 'CursorNotFound', errmsg: 'cursor id 7 not found' }

  test.each([
    ['is cut off', { cut: 'after' }, 'find'],
    ['has no primary', { answer: { ok: 0, code: 10107, errmsg: 'not primary' } }, 'find'],
    ['has forgotten every cursor', { answer: forgotten }, 'getMore'],
  ] as const)('every key once, in order, though the server %s before each page', async (_, what, command) => {
    const db = await filled()
    const store = mongoImageStore({ db })
    const trouble = () => proxy.trouble(what, { command, db: db.databaseName })
    const keys: string[] = []
    let { lift } = trouble()
    for await (const one of store.keys()) {
      keys.push(one)
      if (keys.length % 1000 !== 0) continue
      lift()
      lift = trouble().lift
    }
    lift()
    expect(keys).toEqual(all)
  })

  test('a list takes no more of each document than its key, and none that is no unit', async () => {
    const db = await filled()
    const asked: Record<string, unknown>[] = []
    const seen = (command: Record<string, unknown>) => asked.push(command)
    proxy.trouble({ delay: 0 }, { db: db.databaseName, times: 100, seen })
    expect(await listed(mongoImageStore({ db }))).toEqual(all)
    expect(asked.slice(1).map(({ projection, limit }) => ({ projection, limit }))).toEqual(
      Array(3).fill({ projection: { _id: 1 }, limit: 1000 }),
    )
  })

  test('a server that hangs is waited for as long as `timeout` says', async () => {
    const db = clientOf(proxy.uri).db(freshName())
    const store = mongoImageStore({ db, timeout: '300ms' })
    await done(store.find(unit.key))
    const hangs = proxy.trouble({ delay: 60_000 }, { command: 'find', db: db.databaseName, times: 2 })
    await expect(listed(store)).rejects.toMatchObject({ code: 'NOT_CONNECTED', retryable: true })
    expect(hangs.met).toBe(2)
    proxy.cut()
  })
})
