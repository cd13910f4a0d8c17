// Folders that are missing, not writable, full, or in use; and files with odd names.
import { execFileSync } from 'node:child_process'
import { chown, mkdir, readFile, rename, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { refused } from '../support/host.ts'
import { compiledSources, imageChild } from '../support/image-process.ts'
import { drain, expectStored, FOLDERS, imageWorld, twoOutputs } from '../support/image-world.ts'

const compiled = compiledSources()
const isRoot = process.getuid?.() === 0
const nobody = 65534

test('I7 a folder that is missing stops the line with its name; once it is back, all goes on by itself', async () => {
  for (const folder of FOLDERS.filter((name) => name !== 'quarantined')) {
    const world = await imageWorld()
    const { pipeline, stop } = await world.start()
    const path = join(world.images, folder)
    await rename(path, `${path} away`)
    await world.drop('a.png', 'A', 'source').catch(() => {})
    if (folder === 'source') await rename(path, join(world.root, 'dropped'))
    await new Promise((resolve) => setTimeout(resolve, 100))
    if (folder === 'source') await rename(join(world.root, 'dropped/a.png'), `${path} away/a.png`)
    await rename(`${path} away`, path)
    await pipeline.drained()
    await stop()
    expect(await world.everything()).toEqual(['images_old/a.png: A'])
    await expectStored(world, ['A'])
  }
})

// Counting the files of all folders comes first, and fails.
test('I7 I9 status() tells of a missing folder instead of failing', async () => {
  const world = await imageWorld()
  const { pipeline, stop } = await world.start()
  await rename(join(world.images, 'source'), join(world.root, 'away'))
  const blocked = { status: 'blocked', problem: { code: 'FOLDER_MISSING' } }
  await vi.waitFor(async () => expect(await pipeline.status()).toMatchObject(blocked), { timeout: 10_000 })
  await stop()
})

const asNobody = async () => {
  const world = await imageWorld()
  for (const folder of FOLDERS) await mkdir(join(world.images, folder), { recursive: true })
  await world.drop('a.png', 'A')
  for (const path of ['', 'images', ...FOLDERS.map((folder) => `images/${folder}`), 'images/source/a.png'])
    await chown(join(world.root, path), nobody, nobody)
  return world
}

async function withoutRightTo(folder: string): Promise<string> {
  const world = await asNobody()
  await chown(join(world.images, folder), 0, 0)
  const child = imageChild(compiled, world.root, 'run', { uid: nobody })
  await child.ended
  expect(await world.everything()).toEqual(['source/a.png: A'])
  return child.lines.at(-1)!
}

test.skipIf(!isRoot).each(FOLDERS)('I7 %s is not writable: refused, nothing is moved (needs root)', async (folder) => {
  expect(await withoutRightTo(folder)).toMatch(/^NO_PERMISSION /)
})

// The message and `where` name the root of all folders.
test.skipIf(!isRoot)('I7 which folder is not writable is said (needs root)', async () => {
  expect(await withoutRightTo('images_old')).toContain('images_old')
})

test.skipIf(!isRoot)(
  'I7 a folder loses its permission while it works: it waits, and goes on (needs root)',
  async () => {
    const world = await asNobody()
    const child = imageChild(compiled, world.root, 'watch', { uid: nobody })
    await child.until('archived')
    await chown(join(world.images, 'images_old'), 0, 0)
    await writeFile(join(world.root, 'b.png'), 'B')
    await chown(join(world.root, 'b.png'), nobody, nobody)
    await rename(join(world.root, 'b.png'), join(world.images, 'source/b.png'))
    await child.until('move_failed')
    expect(await world.names('images_sources')).toEqual(['b.png'])
    await chown(join(world.images, 'images_old'), nobody, nobody)
    await vi.waitFor(() => expect(child.lines.filter((line) => line === 'archived')).toHaveLength(2), 20_000)
    await child.kill()
    expect(await world.names('images_old')).toEqual(['a.png', 'b.png'])
  },
)

test.skipIf(!isRoot)('I7 a full disk: all waits where it is, and goes on once there is room (needs root)', async () => {
  const world = await imageWorld()
  // the outputs of the third need more room than those of the second leave
  const images = Array.from({ length: 6 }, (_, n) => `${n}`.repeat(n < 2 ? 30_000 : 45_000))
  await mkdir(world.images)
  await mkdir(world.storeDir)
  for (const path of [world.images, world.storeDir]) {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=400k', 'none', path])
    onTestFinished(() => void execFileSync('umount', ['-l', path]))
  }
  for (const [n, content] of images.entries()) await world.drop(`${n}.png`, content)
  await writeFile(join(world.images, 'ballast'), Buffer.alloc(50_000))
  await writeFile(join(world.storeDir, 'ballast'), Buffer.alloc(300_000))
  const { pipeline, events, stop } = await world.start({
    process: async ({ path }) => {
      const content = await readFile(path, 'utf8')
      const outputs = ['first', 'second'].map((nth) => ({ bytes: Buffer.from(`${nth} of ${content}`) }))
      return { outputs, codes: [null, null] }
    },
  })
  const stopped = (...types: string[]) =>
    vi.waitFor(() => expect(events.map((e) => e.type).filter((type) => types.includes(type))).not.toEqual([]), 20_000)
  await stopped('upload_failed')
  expect((await pipeline.status()).problem?.code).toBe('NO_SPACE')
  await writeFile(join(world.images, 'more ballast'), Buffer.alloc(1_000_000)).catch(() => {})
  execFileSync('mount', ['-o', 'remount,size=20m', world.storeDir])
  await stopped('processing_failed', 'move_failed', 'blocked')
  expect((await pipeline.status()).totals.quarantined).toBe(0)
  execFileSync('mount', ['-o', 'remount,size=20m', world.images])
  await pipeline.drained()
  await stop()
  expect(await world.names('images_old')).toHaveLength(images.length)
  await expectStored(world, images)
})

test('I4 two pipelines on one folder: the second is told the pid of the first, here and from another process', async () => {
  const world = await imageWorld()
  const { stop } = await world.start()
  const other = await imageWorld()
  const second = await refused(other.start({ folders: world.folders() }))
  expect(second).toMatchObject({ code: 'LOCKED', where: { pid: process.pid } })
  const child = imageChild(compiled, world.root, 'hold')
  await child.ended
  expect(child.lines[0]).toMatch(`LOCKED ${process.pid} `)
  await stop()
  const holder = imageChild(compiled, world.root, 'hold')
  expect(await holder.until('open')).toBe('open')
  const { code, where } = await refused(world.start())
  expect([code, where.pid]).toEqual(['LOCKED', holder.pid])
  await holder.kill()
  await (await world.start()).stop()
})

test('I5 I6 odd names: each image comes through under its own name', async () => {
  const world = await imageWorld()
  const names = [
    ' two  spaces .png',
    '-rf',
    '--help.png',
    'line\nbreak.png',
    'Case.png',
    'case.png',
    'caf\u00e9.png',
    'cafe\u0301.png',
    '日本語 🖼.png',
    'a\\b"c\'d$HOME`x`.png',
    '%2e%2e%2f.png',
    `${'x'.repeat(251)}.png`,
  ]
  for (const name of names) await world.drop(name, `content of ${name}`)
  const { events } = await drain(world)
  expect(await world.names('images_old')).toEqual(names.toSorted())
  await expectStored(
    world,
    names.map((name) => `content of ${name}`),
  )
  expect(events.filter(({ type }) => type === 'archived')).toHaveLength(names.length)
})

test('I6 links in source are never followed, also not to folders; folders in source are left alone', async () => {
  const world = await imageWorld()
  await world.drop('real.png', 'real')
  await writeFile(join(world.root, 'secret'), 'secret')
  await mkdir(join(world.images, 'source/folder.png'))
  for (const [name, target] of [
    ['to file.png', join(world.root, 'secret')],
    ['to folder.png', world.root],
    ['to itself.png', 'to itself.png'],
    ['to nothing.png', '/nowhere'],
    ['to sibling.png', 'real.png'],
  ])
    await symlink(target!, join(world.images, 'source', name!))
  const seen: string[] = []
  await drain(world, {
    process: async (input) => {
      seen.push(input.name)
      return twoOutputs(input)
    },
  })
  expect(seen).toEqual(['real.png'])
  expect((await world.names('quarantined')).filter((name) => name.endsWith('.png'))).toEqual([
    'to file.png',
    'to folder.png',
    'to itself.png',
    'to nothing.png',
    'to sibling.png',
  ])
  expect(await world.names('source')).toEqual(['folder.png'])
  await expectStored(world, ['real'])
})
