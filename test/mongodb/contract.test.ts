import { afterAll, beforeAll, test } from 'vitest'
import { imageStoreContract } from '../../src/testing/index.ts'
import { type MongoServer, withMongo } from '../support/mongodb/server.ts'
import { mongoWorld } from './worlds.ts'

await withMongo((mongo) => {
  let server: MongoServer
  beforeAll(async () => {
    server = await mongo.server()
  })
  afterAll(() => server?.close())

  const contracts = [
    ...imageStoreContract('mongoImageStore with documents', () => mongoWorld(server.uri)),
    ...imageStoreContract('mongoImageStore with files', () => mongoWorld(server.uri, { inline: 0 })),
  ]
  for (const { name, run } of contracts) test(name, run)
})
