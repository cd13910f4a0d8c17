// What a server can do to a store, and what others can: each ends in an error that says what to do, nothing half
// published, and a put that works once the trouble is over.
import { setTimeout as sleep } from 'node:timers/promises'
import { right } from 'fp-ts/lib/Either.js'
import { GridFSBucket } from 'mongodb'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { mongoImageStore } from '../../src/adapters/mongodb/index.ts'
import type { StoreUnit } from '../../src/ports/image.ts'
import { collect, done, failed, sha256, unitOf } from '../../src/testing/images/index.ts'
import { mongoProxy } from '../support/mongodb/proxy.ts'
import { freshName, type MongoServer, withMongo } from '../support/mongodb/server.ts'
import { asReplicaSet, clientOf, hasty, inside } from './worlds.ts'

const unit = unitOf('a.png', ['one', 'the second'])

await withMongo((mongo) => {
  let server: MongoServer
  beforeAll(async () => {
    server = await mongo.server()
  })
  afterAll(() => server?.close())

  /** A store with files in GridFS, in a database that is gone afterwards. */
  function fresh(uri = server.uri) {
    const client = clientOf(uri)
    const db = client.db(freshName())
    onTestFinished(async () => void (await db.dropDatabase()))
    return { store: mongoImageStore({ db, inline: 3 }), ...inside(db) }
  }

  describe('what lies in the database', () => {
    test('I1 a unit whose chunks are missing is not confirmed, and the next put mends it', async () => {
      const { db, store, whole, count, tidy } = fresh()
      await done(store.put(unit))
      await db.collection('images.chunks').deleteMany({})
      expect((await failed(store.find(unit.key))).code).toBe('STORE_MISMATCH')
      await expect(collect(await done(store.read(unit.key, 1)))).rejects.toMatchObject({ code: 'STORE_MISMATCH' })
      expect((await done(store.put(unit))).existed).toBe(false)
      expect(await whole(unit.key)).toBeDefined()
      await tidy()
      expect(await count()).toEqual({ keys: 1, units: 1, files: 1, chunks: 1 })
    })

    test('I5 another’s file of the same name stays, and is none of ours', async () => {
      const { db, store, tidy } = fresh()
      const bucket = new GridFSBucket(db, { bucketName: 'images' })
      const others = bucket.openUploadStream('a.png')
      await new Promise((resolve) => others.end('another’s', () => resolve(undefined)))
      await done(store.put(unit))
      await tidy()
      expect(String(await collect(await done(store.read(unit.key, 1))))).toBe('the second')
      expect(String(await collect(bucket.openDownloadStream(others.id)))).toBe('another’s')
    })

    test.each([
      ['of somebody else', { hello: 'world' }],
      ['without outputs', { rev: 1, name: 'a', info: '{}' }],
      ['with outputs of another form', { rev: {}, name: 'a', info: '{}', outputs: [{ size: -1 }] }],
      ['with info that is no JSON', { rev: {}, name: 'a', info: 'x', outputs: [] }],
    ])('a document %s is told, and not replaced', async (_, document) => {
      const { db, store } = fresh()
      const units = db.collection<{ _id: string }>('images.units')
      await units.insertOne({ _id: unit.key, ...document })
      for (const call of [store.find(unit.key), store.put(unit)])
        expect(await failed(call)).toMatchObject({ code: 'STORE_MISMATCH', hint: expect.stringContaining('remove it') })
      expect(await units.findOne()).toEqual({ _id: unit.key, ...document })
    })

    test('facts that no document takes are refused before anything is sent', async () => {
      const { store, count } = fresh()
      const info = { long: 'x'.repeat(5_000_000) }
      expect(await failed(store.put({ ...unit, info }))).toMatchObject({ code: 'BAD_INPUT', retryable: false })
      expect(await failed(store.put({ ...unit, info: { big: 1n } }))).toMatchObject({ code: 'BAD_INPUT' })
      expect(await failed(store.put({ ...unit, name: 'half \ud800' }))).toMatchObject({ code: 'BAD_INPUT' })
      expect(await count()).toEqual({ keys: 0, units: 0, files: 0, chunks: 0 })
    })

    test('outputs that are small, but too many for a document, become files', async () => {
      const { db, whole, count } = fresh()
      const store = mongoImageStore({ db, inline: 1000 })
      const many = unitOf(
        'many',
        Array.from({ length: 9 }, (_, n) => `${n}`.repeat(500)),
      )
      await done(store.put(many))
      expect(await whole(many.key)).toBeDefined()
      expect(await count()).toMatchObject({ units: 1, files: 1 })
    })
  })

  test('an upload that is only slow is not to be swept: BAD_OPTION', () => {
    const { db } = fresh()
    for (const wrong of [
      { abandoned: 0 },
      { timeout: '1h', abandoned: '90m' },
      { timeout: 0 },
      { timeout: '30d' },
    ] as const)
      expect(() => mongoImageStore({ db, ...wrong })).toThrow(expect.objectContaining({ code: 'BAD_OPTION' }))
  })

  describe('others at the same time', () => {
    test('I5 two hosts put the same unit fifty times: each time one is published, and nothing is left', async () => {
      const { db, store, whole, count, tidy } = fresh()
      const other = mongoImageStore({ db: clientOf(server.uri).db(db.databaseName), inline: 3 })
      for (let round = 0; round < 50; round++) {
        const one = unitOf(`${round}`, ['one', `the second of ${round}`])
        const both = await Promise.all([done(store.put(one)), done(other.put(one))])
        expect(both.filter(({ existed }) => !existed).length).toBe(1)
        expect(await whole(one.key)).toBeDefined()
      }
      await tidy()
      expect(await count()).toEqual({ keys: 50, units: 50, files: 50, chunks: 50 })
    })

    test('I3 I5 two hosts disagree on the outputs of an image: one of them counts, as a whole, and both are told so', async () => {
      const { db, store, whole } = fresh()
      const other = mongoImageStore({ db: clientOf(server.uri).db(db.databaseName), inline: 3 })
      for (let round = 0; round < 10; round++) {
        const units = [unitOf(`${round}`, ['one', 'the second']), unitOf(`${round}`, ['others', 'and others', 'three'])]
        const [one, two] = await Promise.all([done(store.put(units[0]!)), done(other.put(units[1]!))])
        const stored = await whole(units[0]!.key)
        expect([one, two].filter(({ existed }) => !existed).length).toBe(1)
        for (const told of [one, two]) expect({ ...told, existed: true }).toEqual(stored)
      }
    })

    test('I5 two hosts put what is damaged at once: it is replaced once', async () => {
      const { db, store, whole, count, tidy } = fresh()
      const other = mongoImageStore({ db: clientOf(server.uri).db(db.databaseName), inline: 3 })
      await done(store.put(unit))
      for (let round = 0; round < 5; round++) {
        await db.collection('images.chunks').updateMany({}, { $set: { data: Buffer.from('damaged') } })
        const both = await Promise.all([done(store.put(unit)), done(other.put(unit))])
        expect(both.filter(({ existed }) => !existed).length).toBe(1)
        expect(await whole(unit.key)).toBeDefined()
      }
      await tidy()
      expect(await count()).toEqual({ keys: 1, units: 1, files: 1, chunks: 1 })
    })
  })

  describe('sweeping', () => {
    const paused = (before: Promise<unknown>): StoreUnit => ({
      ...unit,
      outputs: unit.outputs.map((output) => ({
        ...output,
        read: () => async () => {
          await before
          return output.read()()
        },
      })),
    })

    test('I3 an upload that a sweep takes is not published; it begins anew, and comes through', async () => {
      const { db, store, whole, count, tidy } = fresh()
      let go = () => {}
      const put = done(store.put(paused(new Promise<void>((resolve) => (go = resolve)))))
      await vi.waitFor(async () => expect(await count()).toMatchObject({ keys: 1, units: 0 }))
      const sweeper = hasty(db)
      await sleep(5)
      await done(sweeper.sweep())
      go()
      expect(await put).toMatchObject({ existed: false })
      expect(await whole(unit.key)).toBeDefined()
      await tidy()
      expect(await count()).toEqual({ keys: 1, units: 1, files: 1, chunks: 1 })
    })

    test('I1 I3 beside a sweep that takes all it finds, no unit is ever there without its bytes', async () => {
      const { db, store, whole, tidy, count } = fresh()
      const sweeper = hasty(db)
      let isOver = false
      const sweeping = (async () => {
        while (!isOver) await done(sweeper.sweep())
      })()
      const keys: string[] = []
      for (let n = 0; n < 20; n++) {
        const one = unitOf(`${n}`, ['one', `the second of ${n}`])
        keys.push(one.key)
        await store.put(one)()
        await whole(one.key) // throws where there is half of one
      }
      isOver = true
      await sweeping
      for (const [n, key] of keys.entries()) {
        await done(store.put(unitOf(`${n}`, ['one', `the second of ${n}`])))
        expect(await whole(key)).toBeDefined()
      }
      await tidy()
      expect(await count()).toEqual({ keys: 20, units: 20, files: 20, chunks: 20 })
    })

    test('a slow upload says again and again that it goes on', async () => {
      const { db, whole } = fresh()
      const units = db.collection('images.units')
      const part = Buffer.alloc(4_200_000, 'x')
      const times: number[] = []
      const slow = async function* () {
        for (let n = 0; n < 3; n++) {
          yield part
          times.push((await units.findOne())!.uploads[0].at.getTime())
          await sleep(20)
        }
      }
      const size = 3 * part.length
      const hash = sha256(Buffer.concat([part, part, part]))
      const outputs = [{ code: null, size, sha256: hash, read: () => async () => right(slow()) }]
      await done(hasty(db, 100).put({ ...unit, outputs }))
      expect(times[2]).toBeGreaterThan(times[0]!)
      expect(await whole(unit.key)).toBeDefined()
    })

    test('ages are told by the server’s clock: a host that is days behind is not swept for it', async () => {
      const { db, store, count } = fresh()
      let go = () => {}
      const real = Date.now
      vi.spyOn(Date, 'now').mockImplementation(() => real() - 2 * 86_400_000)
      const put = done(store.put(paused(new Promise<void>((resolve) => (go = resolve)))))
      await vi.waitFor(async () => expect(await count()).toMatchObject({ keys: 1 }))
      vi.restoreAllMocks()
      await done(mongoImageStore({ db }).sweep())
      const [document] = await db.collection('images.units').find().toArray()
      expect(document!.uploads).toEqual([expect.not.objectContaining({ swept: true })])
      go()
      await put
    })

    test('what a failed upload left is removed by the next one', async () => {
      const { store, count } = fresh()
      const wrong = unitOf('a.png', ['the first', 'the second'], ['the first', 'tHe second'])
      expect((await failed(store.put(wrong))).code).toBe('STORE_MISMATCH')
      expect(await count()).toMatchObject({ units: 0, chunks: 1 })
      await done(store.put(unitOf('b.png', ['one', 'another'])))
      expect(await count()).toMatchObject({ units: 1, files: 1, chunks: 1 })
    })
  })

  describe.skipIf(!mongo.own)('on servers that fail', () => {
    test('chunks that come after their sweep are removed by the next one', async () => {
      const proxy = await mongoProxy(server.uri)
      onTestFinished(() => proxy.close())
      const { db, count, tidy } = fresh()
      const slow = mongoImageStore({ db: clientOf(proxy.uri).db(db.databaseName), inline: 3, timeout: 1000 })
      const held = proxy.trouble({ delay: 3000 }, { command: 'insert', collection: 'images.chunks', times: 2 })
      expect((await failed(slow.put(unit))).code).toBe('NOT_CONNECTED')
      expect(held.met).toBe(2)
      await sleep(5)
      expect(await done(hasty(db).sweep())).toBe(0)
      await vi.waitFor(async () => expect((await count()).chunks).toBe(1), 15_000)
      await tidy()
      expect(await count()).toEqual({ keys: 0, units: 0, files: 0, chunks: 0 })
    })

    test('I1 a note of an upload that comes after its publication costs the unit nothing', async () => {
      const proxy = await mongoProxy(server.uri)
      onTestFinished(() => proxy.close())
      const { db, whole, count, tidy } = fresh()
      const held = proxy.trouble({ delay: 1500 }, { command: 'update', db: db.databaseName })
      const store = mongoImageStore({ db: clientOf(proxy.uri).db(db.databaseName), inline: 3, timeout: 400 })
      expect(await done(store.put(unit))).toMatchObject({ existed: false })
      expect(held.met).toBe(1)
      const units = db.collection('images.units')
      await vi.waitFor(async () => expect((await units.findOne())!.uploads).toHaveLength(1), 10_000)
      await tidy()
      expect(await whole(unit.key)).toBeDefined()
      expect(await count()).toEqual({ keys: 1, units: 1, files: 1, chunks: 1 })
      expect((await units.findOne())!.uploads).toEqual([])
    })

    test('a signal ends the wait for a database at once', async () => {
      const own = await mongo.server()
      onTestFinished(() => own.close())
      await own.stop()
      const store = mongoImageStore({ db: clientOf(own.uri, { serverSelectionTimeoutMS: 50_000 }).db('d') })
      for (const call of [store.put, (_: StoreUnit, signal: AbortSignal) => store.find(unit.key, signal)]) {
        const abort = new AbortController()
        const ended = failed(call(unit, abort.signal))
        setTimeout(() => abort.abort(), 20)
        expect(await ended).toMatchObject({ code: 'ABORTED', retryable: true })
      }
    }, 20_000)

    test('a database that is not there yet: NOT_CONNECTED, and the same store works once it is', async () => {
      const own = await mongo.server()
      onTestFinished(() => own.close())
      await own.stop()
      const store = mongoImageStore({ db: clientOf(own.uri, { serverSelectionTimeoutMS: 200 }).db('d') })
      for (let tries = 0; tries < 3; tries++)
        expect(await failed(store.put(unit))).toMatchObject({ code: 'NOT_CONNECTED', retryable: true })
      await own.start()
      expect(await done(store.put(unit))).toMatchObject({ existed: false })
    })

    test.each(['stop', 'kill'] as const)('%s and start in the midst of an upload: a put comes through', async (end) => {
      const own = await mongo.server()
      onTestFinished(() => own.close())
      const db = clientOf(own.uri, { serverSelectionTimeoutMS: 5000 }).db('d')
      const { whole, count, tidy } = inside(db)
      const part = Buffer.alloc(5_000_000, 'x')
      const content = Buffer.concat([part, part, part])
      let isFirst = true
      const restarted = async function* () {
        yield part
        if (isFirst) {
          isFirst = false
          await own[end]()
          await own.start()
        }
        yield part
        yield part
      }
      const read = () => async () => right(restarted())
      const big = { ...unit, outputs: [{ code: null, size: content.length, sha256: sha256(content), read }] }
      const store = mongoImageStore({ db })
      const first = await store.put(big)()
      if (first._tag === 'Left') expect(first.left).toMatchObject({ retryable: true })
      await done(store.put(big))
      expect(await whole(unit.key)).toBeDefined()
      await tidy()
      expect(await count()).toMatchObject({ units: 1, files: 1, chunks: Math.ceil(content.length / (255 * 1024)) })
    })

    test('a wrong password and none: NO_PERMISSION, nothing of it in the error', async () => {
      const own = await mongo.server({ auth: true })
      onTestFinished(() => own.close())
      const wrong = own.uri.replace(/:[^:@]+@/, ':unspeakable@')
      for (const uri of [wrong, own.uri.replace(/\/\/.*@/, '//')]) {
        const error = await failed(mongoImageStore({ db: clientOf(uri).db('d') }).put(unit))
        expect(error).toMatchObject({
          code: 'NO_PERMISSION',
          retryable: false,
          hint: expect.stringContaining('password'),
        })
        expect(`${error.message} ${error.hint} ${JSON.stringify(error)}`).not.toContain('unspeakable')
      }
      expect(await done(mongoImageStore({ db: clientOf(own.uri).db('d') }).put(unit))).toMatchObject({ existed: false })
    })

    test('a full disk: NO_SPACE, nothing published; the put works once there is space', async () => {
      const own = await mongo.server({ disk: '400m' })
      onTestFinished(() => own.close())
      const db = clientOf(own.uri).db('d')
      const { whole } = inside(db)
      const content = Buffer.alloc(3_000_000, 'x').map((_, n) => (n * 7919) >> 3)
      const read = () => async () => right([content] as unknown as AsyncIterable<Uint8Array>)
      const big = { ...unit, outputs: [{ code: null, size: content.length, sha256: sha256(content), read }] }
      const store = mongoImageStore({ db })
      await done(store.put(unitOf('before', ['x'])))
      await own.fillDisk()
      const error = await failed(store.put(big))
      expect(error).toMatchObject({ code: 'NO_SPACE', retryable: true })
      expect(JSON.stringify(error.cause)?.length ?? 0).toBeLessThan(10_000) // K12: no bytes of the image in it
      expect(await whole(unit.key)).toBeUndefined()
      await own.freeDisk()
      await done(store.put(big))
      expect(await whole(unit.key)).toBeDefined()
    })

    const noMajority = { ok: 0, code: 148, codeName: 'ReadConcernMajorityNotEnabled', errmsg: 'no majority here' }

    test('a server that can’t read with majority is read without', async () => {
      const proxy = await mongoProxy(server.uri)
      onTestFinished(() => proxy.close())
      const { db, whole } = fresh()
      const met = proxy.trouble({ answer: noMajority }, { command: 'find', db: db.databaseName })
      const store = mongoImageStore({ db: clientOf(proxy.uri).db(db.databaseName) })
      expect(await done(store.put(unit))).toMatchObject({ existed: false })
      expect(await met.first).toMatchObject({ readConcern: { level: 'majority' } })
      expect(await whole(unit.key)).toBeDefined()
    })

    test('I1 where no majority can be read from, nothing is confirmed that none has', async () => {
      const proxy = await mongoProxy(server.uri)
      onTestFinished(() => proxy.close())
      const { db } = fresh()
      proxy.trouble({ answer: noMajority }, { command: 'find', db: db.databaseName })
      const store = mongoImageStore({ db: clientOf(proxy.uri).db(db.databaseName) })
      const writeConcernError = {
        code: 64,
        codeName: 'WriteConcernTimeout',
        errmsg: 'waiting for replication timed out',
      }
      const fits = { command: 'update', db: db.databaseName, times: Number.POSITIVE_INFINITY }
      const alone = proxy.trouble({ replace: (answer) => ({ ...answer, writeConcernError }) }, fits)
      const unsure = { code: 'OUTCOME_UNKNOWN', retryable: true }
      expect(await failed(store.put(unit))).toMatchObject(unsure)
      expect(await failed(store.put(unit))).toMatchObject(unsure) // it is there, as far as this server knows
      expect(await failed(store.find(unit.key))).toMatchObject(unsure)
      alone.lift()
      expect(await done(store.put(unit))).toMatchObject({ existed: true })
      expect(await done(store.find(unit.key))).toMatchObject({ existed: true })
    })

    test('K11 a publication that the driver could not send again is not known to be none', async () => {
      const proxy = await mongoProxy(server.uri)
      onTestFinished(() => proxy.close())
      const { db, whole } = fresh()
      asReplicaSet(proxy)
      const client = clientOf(proxy.uri, {
        retryWrites: true,
        serverApi: '1',
        serverSelectionTimeoutMS: 500,
        heartbeatFrequencyMS: 500,
      })
      const store = mongoImageStore({ db: client.db(db.databaseName) })
      await done(store.find(unit.key))
      const carriedOut = (answer: object) => {
        void proxy.refuse() // and nobody is told
        return answer
      }
      proxy.trouble({ replace: carriedOut }, { command: 'update', db: db.databaseName })
      expect(await failed(store.put(unitOf('a.png', ['x'])))).toMatchObject({
        code: 'OUTCOME_UNKNOWN',
        retryable: true,
      })
      expect(await whole(unitOf('a.png', ['x']).key)).toBeDefined()
      expect(await done(mongoImageStore({ db }).put(unitOf('a.png', ['x'])))).toMatchObject({ existed: true })
    })

    test('of two troubles the first is told: a source that ends badly while a batch is on its way', async () => {
      const proxy = await mongoProxy(server.uri)
      onTestFinished(() => proxy.close())
      const { db } = fresh()
      const broken = async function* () {
        yield Buffer.alloc(5_000_000) // more than a batch
        throw new Error('the source broke')
      }
      const outputs = [{ code: null, size: 6_000_000, sha256: sha256('x'), read: () => async () => right(broken()) }]
      const no = { ok: 0, code: 13, errmsg: 'not authorized' }
      const met = proxy.trouble({ answer: no }, { command: 'insert', db: db.databaseName })
      const store = mongoImageStore({ db: clientOf(proxy.uri).db(db.databaseName) })
      expect((await failed(store.put({ ...unit, outputs }))).message).toContain('the source broke')
      expect(met.met).toBe(1)
    })

    test.each([
      [
        'has no rights',
        { ok: 0, code: 13, errmsg: 'not authorized to execute { readConcern: { level: "majority" } }' },
        1,
      ],
      ['takes neither', noMajority, 2],
    ])('I1 who %s at first is read with majority once that is over', async (_, answer, times) => {
      const proxy = await mongoProxy(server.uri)
      onTestFinished(() => proxy.close())
      const { db } = fresh()
      const store = mongoImageStore({ db: clientOf(proxy.uri).db(db.databaseName) })
      proxy.trouble({ answer }, { command: 'find', db: db.databaseName, times })
      await failed(store.put(unit))
      const levels: unknown[] = []
      const seen = (command: Record<string, any>) => levels.push(command.readConcern?.level)
      proxy.trouble({ delay: 0 }, { command: 'find', db: db.databaseName, times: 100, seen })
      await done(store.put(unit))
      expect(new Set(levels)).toEqual(new Set(['majority']))
    })

    test('I1 a server that forgets every cursor, and loses a connection in the midst of a file, is read on from', async () => {
      const proxy = await mongoProxy(server.uri)
      onTestFinished(() => proxy.close())
      const { db } = fresh()
      const content = Buffer.alloc(9_000_000, 'x') // more than two batches
      const read = () => async () => right([content] as unknown as AsyncIterable<Uint8Array>)
      const big = { ...unit, outputs: [{ code: null, size: content.length, sha256: sha256(content), read }] }
      const store = mongoImageStore({ db: clientOf(proxy.uri).db(db.databaseName) })
      await done(store.put(big))
      const forgotten = proxy.trouble(
        { answer: { ok: 0, code: 43, codeName: 'CursorNotFound', errmsg: 'cursor id 7 not found' } },
        { command: 'getMore', db: db.databaseName, times: Number.POSITIVE_INFINITY },
      )
      const cut = proxy.trouble({ cut: 'in the answer' }, { command: 'find', collection: 'images.chunks', after: 1 })
      expect((await collect(await done(store.read(unit.key, 0)))).equals(content)).toBe(true)
      expect(cut.met).toBe(1)
      forgotten.lift()
    })

    test('what can’t be cleaned up holds up no upload; a server without hello is taken without', async () => {
      const proxy = await mongoProxy(server.uri)
      onTestFinished(() => proxy.close())
      const { db, whole, tidy, count } = fresh()
      const store = mongoImageStore({ db: clientOf(proxy.uri).db(db.databaseName), inline: 3 })
      await failed(store.put(unitOf('a.png', ['the first', 'the second'], ['the first', 'tHe second'])))
      const times = Number.POSITIVE_INFINITY
      const no = { ok: 0, code: 13, errmsg: 'not authorized' }
      const deletes = proxy.trouble({ answer: no }, { command: 'delete', db: db.databaseName, times })
      const unheard = { ok: 0, code: 115, codeName: 'CommandNotSupported', errmsg: 'no hello here' }
      const hellos = proxy.trouble({ answer: unheard }, { command: 'hello', db: db.databaseName, times })
      expect(await done(store.put(unit))).toMatchObject({ existed: false })
      expect([deletes.met > 0, hellos.met > 0]).toEqual([true, true])
      expect(await whole(unit.key)).toBeDefined()
      expect(await failed(store.sweep())).toMatchObject({ code: 'NO_PERMISSION' }) // who asks for it is told
      deletes.lift()
      await tidy()
      expect(await count()).toEqual({ keys: 1, units: 1, files: 1, chunks: 1 })
    })

    test('every write wants a majority and the journal, whatever the client does; every read the primary', async () => {
      const proxy = await mongoProxy(server.uri)
      onTestFinished(() => proxy.close())
      const name = freshName()
      const client = clientOf(proxy.uri, { writeConcern: { w: 1 }, readPreference: 'secondaryPreferred' })
      const seen: Record<string, any>[] = []
      proxy.trouble({ delay: 0 }, { db: name, times: Number.POSITIVE_INFINITY, seen: (command) => seen.push(command) })
      await done(mongoImageStore({ db: client.db(name), inline: 3, timeout: '14s' }).put(unit))
      const writes = seen.filter((one) => 'insert' in one || 'update' in one || 'delete' in one)
      const reads = seen.filter((one) => 'find' in one)
      expect(writes.map(({ writeConcern }) => writeConcern)).toEqual(
        writes.map(() => ({ w: 'majority', j: true, wtimeout: 7000 })),
      )
      expect(reads.map(({ readConcern }) => readConcern)).toEqual(reads.map(() => ({ level: 'majority' })))
      expect(reads.filter((one) => one.$readPreference && one.$readPreference.mode !== 'primary')).toEqual([])
      expect([writes.length, reads.length]).toEqual([4, 4])
      await clientOf(server.uri).db(name).dropDatabase()
    })
  })
})
