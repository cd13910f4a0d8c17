import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { nodeFiles } from '../../src/adapters/filesystem/files.ts'
import { fileSystemStore } from '../../src/adapters/filesystem/index.ts'
import { crashingFs, done, sha256, unitOf } from '../../src/testing/images/index.ts'
import { type DiskWorld, foldersWorld } from './worlds.ts'

// A sync is what costs: I7 asks for these and no more.
let syncs = 0
const counting = crashingFs(nodeFiles, {
  onOp: (operation) => {
    if (operation === 'handle.sync') syncs++
  },
}).files
let world: DiskWorld

beforeEach(async () => {
  world = await foldersWorld({}, counting)
  await done(world.folders.open())
})

afterEach(async () => {
  await done(world.folders.close())
  await world.dispose()
})

async function syncsOf(work: () => Promise<unknown>): Promise<number> {
  syncs = 0
  await work()
  return syncs
}

test('I7 a claim costs three syncs, archiving two, quarantine three', async () => {
  const { folders } = world
  for (const name of ['a.png', 'b.png']) await world.drop('source', name, name)
  expect(await syncsOf(() => done(folders.claim('a.png')))).toBe(3)
  expect(await syncsOf(() => done(folders.archive('a.png', sha256('a.png'))))).toBe(2)
  await done(folders.claim('b.png'))
  expect(await syncsOf(() => done(folders.quarantine('b.png', sha256('b.png'), 'bad')))).toBe(3)
})

test('I7 n outputs cost n + 1 syncs', async () => {
  const dir = await done(world.folders.workDir(sha256('a'), 'a.png'))
  await writeFile(join(dir, 'x.webp'), 'x')
  const outputs = [{ bytes: Buffer.from('1') }, { file: join(dir, 'x.webp') }, { bytes: Buffer.from('2') }]
  expect(await syncsOf(() => done(world.folders.saveOutputs(sha256('a'), 'a.png', outputs)))).toBe(4)
})

test('I7 a unit of n outputs costs n objects, their folders, and the record with its folder', async () => {
  const store = fileSystemStore(join(world.root, 'store'), counting)
  await done(store.put(unitOf('first', ['x'])))
  const folders = new Set(['1', '2'].map((content) => sha256(content).slice(0, 2))).size + 1
  expect(await syncsOf(() => done(store.put(unitOf('a', ['1', '2']))))).toBe(2 + folders + 2)
  // that its record stays there: who made it may have died before the sync
  expect(await syncsOf(() => done(store.put(unitOf('a', ['1', '2']))))).toBe(1)
  expect(await syncsOf(() => done(store.find(sha256('a'))))).toBe(1)
})
