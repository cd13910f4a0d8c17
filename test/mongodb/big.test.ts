// An image that does not fit into memory: 200 MB, and 2 GB with DURAMEN_SOAK=1.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { compiledSources } from '../support/image-process.ts'
import { freshName, withMongo } from '../support/mongodb/server.ts'
import { clientOf, inside } from './worlds.ts'

const megabytes = process.env.DURAMEN_SOAK ? 2048 : 200

await withMongo((mongo) => {
  const compiled = compiledSources()

  // not on somebody else's disk
  test.skipIf(!mongo.own)(
    `I1 an image of ${megabytes} MB is uploaded and read back in flat memory`,
    async () => {
      const server = await mongo.server()
      onTestFinished(() => server.close())
      const db = clientOf(server.uri).db(freshName())
      const uri = new URL(server.uri)
      uri.pathname = db.databaseName
      const child = join(import.meta.dirname, '../support/mongodb/upload-child.mjs')
      const run = (size: number) => promisify(execFile)(process.execPath, [child, compiled, uri.href, String(size)])
      const small = await run(20)
      const big = await run(megabytes)
      expect(Number(big.stdout) - Number(small.stdout)).toBeLessThan(100 * 1024)
      expect(await inside(db).count()).toMatchObject({ units: 2, files: 2 })
      await db.dropDatabase()
    },
    600_000,
  )
})
