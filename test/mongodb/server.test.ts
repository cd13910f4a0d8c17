// The server and the proxy of MongoDB's tests: that they do what they are taken for.
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { type Collection, GridFSBucket, MongoClient, type MongoClientOptions } from 'mongodb'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type MongoProxy, mongoProxy, type Trouble } from '../support/mongodb/proxy.ts'
import { freshName, type MongoServer, withMongo } from '../support/mongodb/server.ts'

const SERVE = join(import.meta.dirname, '../support/mongodb/serve.sh')

await withMongo((mongo) => {
  const clients: MongoClient[] = []
  afterEach(async () => {
    for (const client of clients.splice(0)) await client.close()
  })
  const client = (uri: string, options: MongoClientOptions = {}) => {
    const made = new MongoClient(uri, {
      serverSelectionTimeoutMS: 5000,
      retryWrites: false,
      retryReads: false,
      ...options,
    })
    clients.push(made)
    return made
  }

  describe('a server', () => {
    let server: MongoServer
    beforeAll(async () => {
      server = await mongo.server()
    })
    afterAll(() => server?.close())

    test('takes a document once, and gives it back', async () => {
      const db = client(server.uri).db(freshName())
      await db
        .collection('a')
        .insertOne({ _id: 'x' as never, v: 1 }, { writeConcern: { w: 'majority', journal: true } })
      expect(await db.collection('a').find().toArray()).toEqual([{ _id: 'x', v: 1 }])
      await expect(db.collection('a').insertOne({ _id: 'x' as never })).rejects.toMatchObject({ code: 11000 })
      await db.collection('b').createIndex({ stream: 1, seq: 1 }, { unique: true })
      await db.collection('b').insertOne({ stream: 's', seq: 1 })
      await expect(db.collection('b').insertOne({ stream: 's', seq: 1 })).rejects.toMatchObject({ code: 11000 })
      await db.dropDatabase()
    })

    test('takes a file of several chunks, and gives it back', async () => {
      const db = client(server.uri).db(freshName())
      const bucket = new GridFSBucket(db)
      const bytes = randomBytes(3_000_000)
      const upload = bucket.openUploadStream('a file')
      await pipeline(Readable.from([bytes]), upload)
      expect((await buffer(bucket.openDownloadStream(upload.id))).equals(bytes)).toBe(true)
      expect(await db.collection('fs.chunks').countDocuments()).toBe(12)
      await db.dropDatabase()
    })
  })

  describe.skipIf(!mongo.own)('a server of the tests’ own', () => {
    test('its script ends no process but its own: it runs as the first of a namespace, or not at all', () => {
      const root = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user']
      const inside = [
        ...root,
        '--pid',
        '--fork',
        '--kill-child',
        'bash',
        '-c',
        '"$0" /none 1 "" "" ""; echo "$? lives"',
        SERVE,
      ]
      const { stdout, stderr } = spawnSync('unshare', inside, { input: 'kill\n', encoding: 'utf8' })
      expect(stdout).toBe('1 lives\n')
      expect(stderr).toContain('only under unshare')
    })

    test.each(['stop', 'kill'] as const)('%s and start: data and port are the same', async (end) => {
      const server = await mongo.server()
      const a = client(server.uri, { serverSelectionTimeoutMS: 500 }).db('d').collection('a')
      await a.insertOne({ v: 1 }, { writeConcern: { w: 'majority', journal: true } })
      await server[end]()
      await expect(a.findOne()).rejects.toThrow()
      await server.start()
      expect(await a.findOne()).toMatchObject({ v: 1 })
      await server.close()
      await expect(a.findOne()).rejects.toThrow()
    })

    test('wants the right password', async () => {
      const server = await mongo.server({ auth: true })
      await client(server.uri).db('d').collection('a').insertOne({ v: 1 })
      const wrong = client(server.uri.replace(':secret', ':wrong')).db('d').collection('a')
      await expect(wrong.findOne()).rejects.toMatchObject({ code: 18 })
      const nobody = client(server.uri.replace('tester:secret@', '')).db('d').collection('a')
      await expect(nobody.findOne()).rejects.toMatchObject({ code: 13 })
      await server.close()
    })

    test('has a disk that gets full, and free again', async () => {
      const server = await mongo.server({ disk: '400m' })
      const a = client(server.uri).db('d').collection<{ v: number; bytes?: Buffer }>('a')
      await a.insertOne({ v: 1 })
      await server.fillDisk()
      const big = { v: 2, bytes: randomBytes(1_000_000) }
      await expect(a.insertOne(big)).rejects.toThrow()
      expect(await a.countDocuments()).toBe(1)
      await server.freeDisk()
      await a.insertOne(big)
      expect(await a.countDocuments()).toBe(2)
      await server.close()
    })
  })

  describe.skipIf(!mongo.own)('a proxy before the server', () => {
    let server: MongoServer
    let proxy: MongoProxy
    let direct: Collection<{ v: number }>
    let through: Collection<{ v: number }>
    beforeAll(async () => {
      server = await mongo.server()
    })
    afterAll(() => server?.close())
    afterEach(() => proxy.close())

    async function met(what: Trouble, options: MongoClientOptions = {}) {
      proxy = await mongoProxy(server.uri)
      const name = freshName()
      direct = client(server.uri).db(name).collection('a')
      through = client(proxy.uri, options).db(name).collection('a')
      await through.insertOne({ v: 0 })
      return proxy.trouble(what, { command: 'insert' })
    }
    const stored = async () => (await direct.find().sort({ v: 1 }).toArray()).map(({ v }) => v)

    test.each([
      ['before', [0]],
      ['after', [0, 1]],
      ['in the answer', [0, 1]],
    ] as const)('cuts the connection: %s', async (cut, left) => {
      const trouble = await met({ cut })
      await expect(through.insertOne({ v: 1 })).rejects.toMatchObject({ name: 'MongoNetworkError' })
      expect(trouble.met).toBe(1)
      expect(await trouble.first).toMatchObject({ insert: 'a' })
      expect(await stored()).toEqual(left)
      await through.insertOne({ v: 2 })
      expect(await stored()).toEqual([...left, 2])
    })

    test('holds a command back', async () => {
      await met({ delay: 60_000 }, { socketTimeoutMS: 300 })
      await expect(through.insertOne({ v: 1 })).rejects.toMatchObject({ name: 'MongoNetworkTimeoutError' })
      expect(await stored()).toEqual([0])
      proxy.trouble({ delay: 50 }, { command: 'insert' })
      await through.insertOne({ v: 2 })
      expect(await stored()).toEqual([0, 2])
    })

    test('answers in the server’s place', async () => {
      const notPrimary = { ok: 0, errmsg: 'not primary', code: 10107, codeName: 'NotWritablePrimary' }
      await met({ answer: { ...notPrimary, errorLabels: ['RetryableWriteError'] } })
      const error = await through.insertOne({ v: 1 }).catch((thrown) => thrown)
      expect(error).toMatchObject({ code: 10107 })
      expect(error.hasErrorLabel('RetryableWriteError')).toBe(true)
      expect(await stored()).toEqual([0])
    })

    test('answers otherwise than the server has', async () => {
      const writeConcernError = {
        code: 64,
        codeName: 'WriteConcernTimeout',
        errmsg: 'waiting for replication timed out',
      }
      await met({ replace: (answer) => ({ ...answer, writeConcernError }) })
      await expect(through.insertOne({ v: 1 })).rejects.toMatchObject({ name: 'MongoWriteConcernError', code: 64 })
      expect(await stored()).toEqual([0, 1])
    })

    test('refuses, and takes in again', async () => {
      await met({ cut: 'before' }, { serverSelectionTimeoutMS: 300 })
      await proxy.refuse()
      await expect(through.findOne()).rejects.toThrow()
      await expect(through.findOne()).rejects.toMatchObject({ name: 'MongoServerSelectionError' })
      await proxy.accept()
      expect(await through.findOne()).toMatchObject({ v: 0 })
    })

    test('picks its command: by collection, past so many, so many of them', async () => {
      const lifted = await met({ cut: 'before' })
      lifted.lift()
      const other = proxy.trouble({ cut: 'before' }, { command: 'insert', collection: 'b' })
      const third = proxy.trouble({ cut: 'before' }, { collection: 'a', after: 2, times: 2 })
      const outcomes = []
      for (const v of [1, 2, 3, 4, 5])
        outcomes.push(
          await through
            .insertOne({ v })
            .then(() => 'stored')
            .catch(({ name }) => name),
        )
      expect(outcomes).toEqual(['stored', 'stored', 'MongoNetworkError', 'MongoNetworkError', 'stored'])
      expect([lifted.met, other.met, third.met]).toEqual([0, 0, 2])
    })
  })
})
