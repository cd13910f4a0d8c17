import { mkdir, readdir, readFile, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Files, nodeFiles } from '../../src/adapters/filesystem/files.ts'
import { fileSystemStore } from '../../src/adapters/filesystem/index.ts'
import { collect, done, failed, sha256, unitOf } from '../../src/testing/images/index.ts'
import { storeWorld } from './worlds.ts'

let world: Awaited<ReturnType<typeof storeWorld>>

beforeEach(async () => {
  world = await storeWorld()
})

afterEach(() => world.dispose())

const unit = unitOf('a.png', ['one', 'two'])
const objectOf = (content: string): string => join(world.root, 'objects', sha256(content).slice(0, 2), sha256(content))
const recordOf = (key: string): string => join(world.root, 'units', `${key}.json`)

test('I1 what was damaged on the way to the disk is not published', async () => {
  const files: Files = {
    ...nodeFiles,
    rename: async (from, to) => {
      if (String(to).includes('objects')) await writeFile(from, 'damaged')
      await nodeFiles.rename(from, to)
    },
  }
  expect((await failed(fileSystemStore(world.root, files).put(unit))).code).toBe('STORE_MISMATCH')
  expect(await readdir(join(world.root, 'units'))).toEqual([])
  expect(await readdir(join(world.root, 'tmp'))).toEqual([])
})

test('I1 a damaged object is told also by who reads it', async () => {
  await done(world.store.put(unit))
  await world.damage(sha256('two'))
  await expect(collect(await done(world.store.read(unit.key, 1)))).rejects.toMatchObject({ code: 'STORE_MISMATCH' })
  expect((await failed(world.store.read(unit.key, 2))).code).toBe('FILE_GONE')
})

test('a link in place of an object is not followed', async () => {
  await done(world.store.put(unit))
  await rename(objectOf('one'), join(world.root, 'elsewhere'))
  await symlink(join(world.root, 'elsewhere'), objectOf('one'))
  expect((await failed(world.store.find(unit.key))).code).toBe('NOT_A_FILE')
})

test.each([
  ['is not JSON', 'garbage'],
  ['has no version 1', '{"version":2}'],
  ['is about the key', `{"version":1,"key":"${sha256('x')}"}`],
  ['has missing or wrong fields', `{"version":1,"key":"${unit.key}","name":"a","info":{},"outputs":[{"size":-1}]}`],
])('a record that %s is told, and not replaced', async (how, text) => {
  await done(world.store.put(unit))
  await writeFile(recordOf(unit.key), text)
  for (const call of [world.store.find(unit.key), world.store.put(unit), world.store.sweep()]) {
    const error = await failed(call)
    expect(error).toMatchObject({ code: 'STORE_MISMATCH', where: { file: recordOf(unit.key) } })
    expect(error.message).toContain(how)
  }
  expect(await readFile(recordOf(unit.key), 'utf8')).toBe(text)
})

test('I5 who publishes last, of all that found no unit, is told the first one', async () => {
  const late = { ...unitOf('late.png', ['three']), key: unit.key }
  const files: Files = {
    ...nodeFiles,
    link: async (from, to) => {
      await done(world.another().put(unit))
      await nodeFiles.link(from, to)
    },
  }
  const answer = await done(fileSystemStore(world.root, files).put(late))
  expect(answer).toEqual(await done(world.store.find(unit.key)))
  expect(answer).toMatchObject({ existed: true, name: 'a.png' })
  expect(await readdir(join(world.root, 'tmp'))).toEqual([])
})

test('I5 what takes the place of a damaged unit leaves its record alone, and can be damaged as well', async () => {
  for (const times of [1, 2, 3]) {
    const content = `content ${times}`
    expect(await done(world.store.put({ ...unitOf(content, [content]), key: unit.key }))).toMatchObject({
      name: content,
      existed: false,
    })
    await world.damage(sha256(content))
  }
  expect((await readdir(join(world.root, 'units'))).sort()).toEqual(
    [`${unit.key}.2.json`, `${unit.key}.3.json`, `${unit.key}.json`].sort(),
  )
  const keys: string[] = []
  for await (const key of world.store.keys()) keys.push(key)
  expect(keys).toEqual([unit.key])
  expect((await failed(world.store.find(unit.key))).where).toEqual({ file: objectOf('content 3') })
})

test('a file system without hard links is refused, and nothing is left', async () => {
  const files: Files = {
    ...nodeFiles,
    link: async () => {
      throw Object.assign(new Error('no links'), { code: 'EPERM' })
    },
  }
  const error = await failed(fileSystemStore(world.root, files).put(unit))
  expect(error).toMatchObject({ code: 'IO', where: { file: recordOf(unit.key) } })
  expect(error.message).toContain('has no hard links')
  expect(await done(world.store.find(unit.key))).toBeUndefined()
  expect(await readdir(join(world.root, 'tmp'))).toEqual([])
})

test('a sweep takes what interrupted uploads left an hour ago, and nothing newer', async () => {
  await done(world.store.put(unit))
  const old = [objectOf('old'), join(world.root, 'tmp', '.duramen-old.tmp')]
  const fresh = [objectOf('fresh'), join(world.root, 'tmp', '.duramen-fresh.tmp')]
  for (const file of [...old, ...fresh]) {
    await mkdir(join(file, '..'), { recursive: true })
    await writeFile(file, 'x')
  }
  for (const file of [...old, objectOf('one'), objectOf('two')]) await utimes(file, 1000, 1000)
  expect(await done(world.store.sweep())).toBe(2)
  expect(await readdir(join(world.root, 'tmp'))).toEqual(['.duramen-fresh.tmp'])
  expect(await done(world.store.find(unit.key))).toBeDefined()
})

test('an old object that is used again counts as new', async () => {
  await done(world.store.put(unit))
  await rm(recordOf(unit.key))
  await utimes(objectOf('one'), 1000, 1000)
  await done(world.store.put(unitOf('b.png', ['one'])))
  expect(Date.now() - (await stat(objectOf('one'))).mtimeMs).toBeLessThan(60_000)
})

describe('a store that disappears', () => {
  test('is not made again: FOLDER_MISSING until it is back', async () => {
    await done(world.store.put(unit))
    await rename(world.root, `${world.root}-away`)
    for (const call of [world.store.find(unit.key), world.store.put(unit)]) {
      expect(await failed(call)).toMatchObject({ code: 'FOLDER_MISSING', retryable: true, where: { file: world.root } })
    }
    await rename(`${world.root}-away`, world.root)
    expect(await done(world.store.find(unit.key))).toBeDefined()
  })
})

test('K12 files are 0600 and folders 0700', async () => {
  await done(world.store.put(unit))
  const entries = await readdir(world.root, { recursive: true, withFileTypes: true })
  for (const entry of entries) {
    const { mode } = await stat(join(entry.parentPath, entry.name))
    expect([entry.name, (mode & 0o777).toString(8)]).toEqual([entry.name, entry.isDirectory() ? '700' : '600'])
  }
})
