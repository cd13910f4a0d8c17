// `duramen demo --store`, as a user runs it.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { MongoClient } from 'mongodb'
import { expect, onTestFinished, test } from 'vitest'
import { duramen, folder } from '../cli/command.ts'
import { withMongo } from '../support/mongodb/server.ts'
import { inside } from './worlds.ts'

test('a database that is not there, and what is no address: said before anything is made, without the password', async () => {
  const data = join(await folder(), 'new')
  const away = await duramen('demo', '--data', data, '--store', 'mongodb://ann:unspeakable@127.0.0.1:1/a')
  expect(away).toMatchObject({ code: 1, stderr: expect.stringContaining('See whether the database runs') })
  const wrong = await duramen('demo', '--data', data, '--store', 'mongo://ann:unspeakable@127.0.0.1:1/a')
  expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('no address of MongoDB') })
  expect(`${away.stdout}${away.stderr}${wrong.stdout}${wrong.stderr}`).not.toContain('unspeakable')
  expect(existsSync(data)).toBe(false)
})

await withMongo((mongo) => {
  test.skipIf(!mongo.own)('the sample set into a database, with the right password and with a wrong one', async () => {
    const server = await mongo.server({ auth: true })
    onTestFinished(() => server.close())
    const data = join(await folder(), 'new')
    const wrong = await duramen('demo', '--data', data, '--store', server.uri.replace(/:[^:@]+@/, ':wrong@'))
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('See to user, password') })
    expect(existsSync(data)).toBe(false)

    const { code, stdout, stderr } = await duramen('demo', '--data', data, '--store', server.uri)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain('11 images: 8 archived, 1 duplicate, 2 quarantined.')
    expect(stdout).toMatch(/outputs +mongodb:\/\/127\.0\.0\.1:\d+\/duramen-demo +images\.units says/)
    expect(existsSync(join(data, 'store'))).toBe(false)
    const client = new MongoClient(server.uri)
    onTestFinished(() => client.close())
    expect(await inside(client.db('duramen-demo')).count()).toMatchObject({ keys: 8, units: 8 })
  })
})
