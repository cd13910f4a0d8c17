// `duramen demo --store`, as a user runs it.
import { existsSync } from 'node:fs'
import { cp, mkdir, readdir, symlink } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { MongoClient } from 'mongodb'
import { expect, onTestFinished, test } from 'vitest'
import { duramen, folder, start } from '../cli/command.ts'
import { withMongo } from '../support/mongodb/server.ts'
import { inside } from './worlds.ts'

test('a database that is not there, and what is no address: said before anything is made, without the password', async () => {
  const data = join(await folder(), 'new')
  const away = await duramen('demo', '--data', data, '--store', 'mongodb://ann:unspeakable@127.0.0.1:1/a')
  expect(away).toMatchObject({ code: 1, stderr: expect.stringContaining('See whether the database runs') })
  const wrong = await duramen('demo', '--data', data, '--store', 'mongo://ann:unspeakable@127.0.0.1:1/a')
  expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('--store: it is no address of MongoDB') })
  expect(`${away.stdout}${away.stderr}${wrong.stdout}${wrong.stderr}`).not.toContain('unspeakable')
  expect(existsSync(data)).toBe(false)
})

test('names the command that installs the driver', async () => {
  const dir = await folder()
  await cp('dist', join(dir, 'dist'), { recursive: true })
  await cp('package.json', join(dir, 'package.json'))
  await mkdir(join(dir, 'node_modules'))
  for (const name of await readdir('node_modules'))
    if (name !== 'mongodb') await symlink(resolve('node_modules', name), join(dir, 'node_modules', name))
  const main = join(dir, 'dist/cli/main.js')
  const args = ['demo', '--data', join(dir, 'data'), '--store', 'mongodb://127.0.0.1/a']
  const { code, stderr } = await start(args, { main }).ended
  expect(code).toBe(1)
  expect(stderr).toMatch(/the package mongodb cannot be loaded.*\n(?:.*\n)* {2}Run: npm install mongodb@7\n$/)
  expect(existsSync(join(dir, 'data'))).toBe(false)
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
    await server.stop()
    const again = await duramen('demo', '--data', data, '--store', server.uri)
    expect(again).toMatchObject({ code: 0, stderr: '' }) // nothing is left to do, so nothing waits for the database
    await server.start()
    expect(await inside(client.db('duramen-demo')).count()).toMatchObject({ keys: 8, units: 8 })
  })
})
