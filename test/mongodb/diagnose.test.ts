// `duramen diagnose` on a real server: what it says of a database is what a server has said.
import { expect, onTestFinished, test } from 'vitest'
import { database } from '../../src/cli/diagnose/database.ts'
import { withMongo } from '../support/mongodb/server.ts'

await withMongo((mongo) => {
  test.skipIf(!mongo.own)(
    'V3 the database answers, refuses these credentials, does not answer',
    async () => {
      const server = await mongo.server({ auth: true })
      onTestFinished(() => server.close())
      const { host } = new URL(server.uri)
      const said = (MONGODB_URI: string) => database({ MONGODB_URI }, new AbortController().signal)
      const place = `MongoDB at ${host}`
      expect(await said(server.uri)).toEqual([{ check: 'database', level: 'ok', what: `${place} answers` }])
      const wrong = await said(server.uri.replace(/:[^:@]+@/, ':unspeakable@'))
      expect(wrong).toMatchObject([{ level: 'fail', what: `${place} refuses these credentials` }])
      await server.stop()
      const away = await said(server.uri)
      expect(away).toMatchObject([{ level: 'fail', what: expect.stringContaining(`${place} does not answer`) }])
      expect(JSON.stringify([wrong, away])).not.toMatch(/unspeakable|secret|tester/)
    },
    30_000,
  )
})
