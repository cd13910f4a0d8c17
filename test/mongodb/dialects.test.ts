// Servers that speak MongoDB in their own way: that refuse an index, take no more for now, or pass errors on from behind.
// What they say is answered in their place; the tests' own server does the rest.
import { right } from 'fp-ts/lib/Either.js'
import { Long } from 'mongodb'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { mongoImageStore } from '../../src/adapters/mongodb/index.ts'
import { collect, done, failed, sha256, unitOf } from '../../src/testing/images/index.ts'
import { type MongoProxy, mongoProxy } from '../support/mongodb/proxy.ts'
import { freshName, type MongoServer, withMongo } from '../support/mongodb/server.ts'
import { clientOf, inside } from './worlds.ts'

const unit = unitOf('a.png', ['one', 'the second'])
const times = Number.POSITIVE_INFINITY

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

  /** A store behind the proxy with files in GridFS, in a database that is gone afterwards. */
  function fresh(timeout: number | '60s' = '60s', options = {}) {
    const db = clientOf(proxy.uri, options).db(freshName())
    onTestFinished(async () => void (await db.dropDatabase()))
    return { name: db.databaseName, store: mongoImageStore({ db, inline: 3, timeout }), ...inside(db) }
  }

  /** A unit with an output of so many chunks. */
  function large(chunks: number) {
    const content = Buffer.alloc(chunks * 255 * 1024, 'x')
    const read = () => async () => right([content] as unknown as AsyncIterable<Uint8Array>)
    return { content, ...unit, outputs: [{ code: null, size: content.length, sha256: sha256(content), read }] }
  }

  describe('indexes', () => {
    test.each([
      ['no sparse one in a strict API', 323],
      ['none that does not fit the shard key', 67],
      ['none beside one of that name', 86],
      ['none from who may not make any', 13],
    ])('a server that takes %s: uploads and sweeps work without', async (_, code) => {
      const { name, store, whole, tidy, count } = fresh()
      const refused = proxy.trouble(
        { answer: { ok: 0, code, errmsg: 'no' } },
        { command: 'createIndexes', db: name, times },
      )
      const wrong = unitOf('b.png', ['the first', 'the second'], ['the first', 'tHe second'])
      expect((await failed(store.put(wrong))).code).toBe('STORE_MISMATCH')
      expect(await done(store.put(unit))).toMatchObject({ existed: false })
      expect(refused.met).toBe(3)
      expect(await whole(unit.key)).toBeDefined()
      await tidy()
      expect(await count()).toEqual({ keys: 1, units: 1, files: 1, chunks: 1 })
      refused.lift()
    })

    test('none is asked for that a strict API has no word for', async () => {
      const { name, store } = fresh()
      const asked: Record<string, any>[] = []
      const seen = (command: Record<string, any>) => asked.push(command.indexes[0])
      proxy.trouble({ delay: 0 }, { command: 'createIndexes', db: name, times, seen })
      await done(store.put(unit))
      const words = ['key', 'name', 'unique']
      expect(asked.flatMap((index) => Object.keys(index)).filter((word) => !words.includes(word))).toEqual([])
      expect(asked.length).toBe(3)
    })

    test('an index that an earlier version has made otherwise stays, and is no trouble', async () => {
      const { db, store } = fresh()
      await db.collection('images.units').createIndex({ 'uploads.at': 1 }, { sparse: true })
      expect(await done(store.put(unit))).toMatchObject({ existed: false })
    })
  })

  test('I1 chunks are read without the server’s sorting, in order however they come, and up to the first that is missing', async () => {
    const { db, name, store } = fresh()
    const { content, ...big } = large(35)
    await done(store.put(big))
    const turned = (answer: Record<string, any>) => ({
      ...answer,
      cursor: { ...answer.cursor, id: Long.ZERO, firstBatch: answer.cursor.firstBatch.toReversed() },
    })
    const asked: Record<string, unknown>[] = []
    const fits = { command: 'find', db: name, collection: 'images.chunks', times }
    proxy.trouble({ replace: turned }, { ...fits, seen: (command) => asked.push(command) })
    expect((await collect(await done(store.read(unit.key, 0)))).equals(content)).toBe(true)
    expect(asked.map(({ sort }) => sort)).toEqual([undefined, undefined, undefined])
    await db.collection('images.chunks').deleteOne({ n: 20 })
    await expect(collect(await done(store.read(unit.key, 0)))).rejects.toMatchObject({ code: 'STORE_MISMATCH' })
  })

  describe('a server that takes no more for now', () => {
    const said = (ms: number) => `Error=16500, RetryAfterMs=${ms}, Details='Request rate is large.'`
    const rate = { ok: 0, code: 16500, errmsg: said(120) }
    const overload = { ok: 0, code: 462, errmsg: 'no', errorLabels: ['SystemOverloadedError', 'RetryableError'] }

    test.each([
      ['says for how long', rate, 120],
      ['does not say for how long', overload, 50],
    ])('and %s, is left alone for a while, each time, and the put comes through', async (_, answer, least) => {
      for (const command of ['find', 'insert', 'update']) {
        const { name, store } = fresh()
        const at: number[] = []
        const seen = () => at.push(performance.now())
        proxy.trouble({ answer }, { command, db: name, times: 3, seen })
        expect(await done(store.put(unit))).toMatchObject({ existed: false })
        expect(at.length).toBe(3)
        expect(at[1]! - at[0]!).toBeGreaterThanOrEqual(least - 1)
        expect(at[2]! - at[1]!).toBeGreaterThanOrEqual(least - 1)
      }
    })

    test('again and again for as long as `timeout` says: NOT_CONNECTED, and what to raise', async () => {
      const { name, store } = fresh(500)
      await done(store.find(unit.key))
      const refused = proxy.trouble({ answer: rate }, { command: 'find', db: name, times })
      expect(await failed(store.put(unit))).toMatchObject({
        code: 'NOT_CONNECTED',
        retryable: true,
        hint: expect.stringContaining('throughput'),
      })
      expect(refused.met).toBeGreaterThan(2)
      refused.lift()
      expect(await done(store.put(unit))).toMatchObject({ existed: false })
    })

    test('a signal ends the wait for it', async () => {
      const { name, store } = fresh()
      const abort = new AbortController()
      const seen = () => setTimeout(() => abort.abort(), 10)
      const never = { ...rate, errmsg: said(50_000) }
      const refused = proxy.trouble({ answer: never }, { command: 'find', db: name, times, seen })
      expect(await failed(store.put(unit, abort.signal))).toMatchObject({ code: 'ABORTED', retryable: true })
      expect(refused.met).toBe(1)
      refused.lift()
    })

    test('I1 and takes only part of a batch: it is asked for until all is there, and what was there already is no trouble', async () => {
      const { name, store, whole, count } = fresh()
      const { content: _, ...big } = large(12)
      const errors = (from: number, to: number, code: number, errmsg: string) =>
        Array.from({ length: to - from }, (_, i) => ({ index: from + i, code, errmsg }))
      const insert = { command: 'insert', db: name, collection: 'images.chunks' }
      const at: number[] = []
      const seen = () => at.push(performance.now())
      const refused = (n: number, writeErrors: object[]) =>
        proxy.trouble({ replace: () => ({ ok: 1, n, writeErrors }) }, { ...insert, seen })
      refused(6, errors(6, 12, 16500, said(60)))
      refused(2, [...errors(0, 6, 11000, 'E11000'), ...errors(8, 12, 16500, said(60))])
      proxy.trouble({ delay: 0 }, { ...insert, seen })
      expect(await done(store.put(big))).toMatchObject({ existed: false })
      expect(at.length).toBe(3)
      expect(at[1]! - at[0]!).toBeGreaterThanOrEqual(59)
      expect(await whole(unit.key)).toBeDefined()
      expect(await count()).toMatchObject({ files: 1, chunks: 12 })
    })
  })

  test.each([24, 46, 63, 117, 150, 202, 365, 407, 13388])(
    'error %i passes: the publication is sent once more, and comes through',
    async (code) => {
      const { name, store } = fresh()
      const met = proxy.trouble({ answer: { ok: 0, code, errmsg: 'no' } }, { command: 'update', db: name, after: 1 })
      expect(await done(store.put(unit))).toMatchObject({ existed: false })
      expect(met.met).toBe(1)
    },
  )

  test.each([
    ['is cut off', { cut: 'before' }, 'NOT_CONNECTED', 2],
    ['meets no primary', { answer: { ok: 0, code: 10107, errmsg: 'not primary' } }, 'NOT_CONNECTED', 2],
    ['may not be written', { answer: { ok: 0, code: 13, errmsg: 'not authorized' } }, 'NO_PERMISSION', 1],
  ] as const)('a batch that %s is told as any other command is, and asked as often', async (_, what, code, asked) => {
    const { name, store } = fresh()
    const met = proxy.trouble(what, { command: 'insert', db: name, collection: 'images.chunks', times })
    const error = await failed(store.put(unit))
    expect([error.code, met.met]).toEqual([code, asked])
    expect(error.cause).not.toHaveProperty('result')
    met.lift()
    expect(await done(store.put(unit))).toMatchObject({ existed: false })
  })

  test('a client that wants some fields as they came is no trouble', async () => {
    const { store, whole } = fresh('60s', { fieldsAsRaw: { outputs: true, data: true } })
    expect(await done(store.put(unit))).toMatchObject({ existed: false })
    expect(await whole(unit.key)).toBeDefined()
  })
})
