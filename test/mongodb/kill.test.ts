// The image pipeline killed at random moments, with its store on a real server (DURAMEN_SOAK=1: 50 times).
import { MongoClient } from 'mongodb'
import { expect, onTestFinished, test } from 'vitest'
import { mongoImageStore } from '../../src/adapters/mongodb/index.ts'
import { killedAtRandom } from '../support/image-kill.ts'
import { compiledSources } from '../support/image-process.ts'
import { freshName, withMongo } from '../support/mongodb/server.ts'
import { inside } from './worlds.ts'

const [rounds, images] = process.env.DURAMEN_SOAK ? [50, 200] : [6, 60]

await withMongo((mongo) => {
  const compiled = compiledSources()

  test('I1 I2 I5 killed at random moments, each image is in one place and once in the database', async () => {
    const server = await mongo.server()
    onTestFinished(() => server.close())
    const client = new MongoClient(server.uri)
    onTestFinished(() => client.close())
    const db = client.db(freshName())
    const uri = new URL(server.uri)
    uri.pathname = db.databaseName
    await killedAtRandom(compiled, { rounds, images, uri: uri.href, open: () => mongoImageStore({ db }) })

    const { count, tidy } = inside(db)
    await tidy()
    const { keys, units, files, chunks } = await count()
    expect(units).toBe(keys)
    // one of the outputs of each unit, or both, is a file
    const inFiles = await db
      .collection('images.units')
      .aggregate([{ $unwind: '$outputs' }, { $match: { 'outputs.file': { $exists: true } } }])
      .toArray()
    expect(inFiles.length).toBeGreaterThan(units / 2)
    expect([files, chunks]).toEqual([inFiles.length, inFiles.length])
    await db.dropDatabase()
  }, 600_000)
})
