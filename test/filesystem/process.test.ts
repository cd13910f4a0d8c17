import { execFileSync } from 'node:child_process'
import { chmod, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { done, failed } from '../../src/testing/images/index.ts'
import { type AnotherProcess, compileAdapter } from './another-process.ts'
import { type DiskWorld, foldersWorld } from './worlds.ts'

const start = compileAdapter()
let world: DiskWorld
let other: AnotherProcess | undefined

beforeEach(async () => {
  world = await foldersWorld()
})

afterEach(async () => {
  await other?.kill()
  other = undefined
  await done(world.folders.close())
  await world.dispose()
})

test('K2 folders that another process has are refused with its pid, and taken over when it is killed', async () => {
  other = start(
    'await fileSystemFolders(root).open()(); await say(process.pid); setInterval(() => {}, 1000)',
    world.root,
  )
  const pid = await other.heard()
  expect(await failed(world.folders.open())).toMatchObject({ code: 'LOCKED', where: { pid } })
  await other.kill()
  await done(world.folders.open())
})

test('I1 I7 a process that is killed while it works loses no file and makes none twice', async () => {
  const script = `
    const folders = fileSystemFolders(root, { stableFor: 0 })
    const opened = await folders.open()()
    await say(opened._tag)
    for (;;) {
      const [name] = (await folders.unowned([])()).right
      const waiting = (await folders.waiting(1)()).right
      if (name === undefined && waiting.length === 0) break
      const claimed = (name === undefined ? await folders.claim(waiting[0].name)() : await folders.inspect(name)()).right
      await folders.archive(claimed.name, claimed.sha256)()
    }
    await say('finished')
    await folders.close()()`
  const names = Array.from({ length: 300 }, (_, i) => `${i}.png`)
  for (const name of names) await world.drop('source', name, name)
  for (let kills = 0; ; kills++) {
    other = start(script, world.root)
    expect(await other.heard()).toBe('Right')
    const ended = await Promise.race([other.heard(), new Promise((resolve) => setTimeout(resolve, 20 + kills * 13))])
    await other.kill()
    if (ended === 'finished') break
  }
  expect(await world.names('images_old')).toEqual(names.sort())
  for (const name of names) expect(await world.content('images_old', name)).toBe(name)
  for (const folder of ['source', 'images_sources', 'quarantined'] as const)
    expect(await world.names(folder)).toEqual([])
})

test.runIf(process.getuid?.() === 0)('I7 a folder that must not be written to is named (needs root)', async () => {
  await done(world.folders.open())
  await world.drop('source', 'a.png', 'content')
  await done(world.folders.close())
  execFileSync('chown', ['-R', '65534:65534', world.root])
  const script = `
    const folders = fileSystemFolders(root, { stableFor: 0 })
    const opened = await folders.open()()
    await say({ code: opened.left?.code, hint: opened.left?.hint })
    if (opened._tag === 'Right') {
      const { chmod } = await import('node:fs/promises')
      await chmod(root + '/images_sources', 0o500)
      const claimed = await folders.claim('a.png')()
      await say({ code: claimed.left?.code, file: claimed.left?.where.file })
    }
    process.disconnect()`
  await chmod(join(world.root, 'images_old'), 0o500)
  other = start(script, world.root, 65534)
  expect(await other.heard()).toMatchObject({ code: 'NO_PERMISSION' })
  await chmod(join(world.root, 'images_old'), 0o700)
  other = start(script, world.root, 65534)
  expect(await other.heard()).toEqual({})
  expect(await other.heard()).toEqual({ code: 'NO_PERMISSION', file: join(world.root, 'source', 'a.png') })
  expect(await readdir(join(world.root, 'source'))).toEqual(['a.png'])
})

test('200 MB go through claim, store and archive without being held', async () => {
  const script = `
    import { createWriteStream } from 'node:fs'
    import { rename } from 'node:fs/promises'
    import { createHash } from 'node:crypto'
    const size = 200 * 2 ** 20
    const chunk = Buffer.alloc(2 ** 20, 'x')
    const hash = createHash('sha256')
    const file = createWriteStream(root + '/big')
    for (let i = 0; i < 200; i++) {
      hash.update(chunk)
      if (!file.write(chunk)) await new Promise((resolve) => file.once('drain', resolve))
    }
    await new Promise((resolve) => file.end(resolve))
    const folders = fileSystemFolders(root, { stableFor: 0 })
    const store = fileSystemStore(root + '/store')
    const ok = async (call) => {
      const result = await call()
      if (result._tag === 'Left') throw result.left
      return result.right
    }
    await ok(folders.open())
    await rename(root + '/big', root + '/source/big.png')
    const before = process.resourceUsage().maxRSS
    const image = await ok(folders.claim('big.png'))
    const dir = await ok(folders.workDir(image.sha256, image.name))
    await (await import('node:fs/promises')).copyFile(root + '/images_sources/big.png', dir + '/out')
    const [output] = await ok(folders.saveOutputs(image.sha256, image.name, [{ file: dir + '/out' }]))
    const unit = { key: image.sha256, name: image.name, info: {}, outputs: [{ ...output, code: null, read: () => folders.readOutput(output) }] }
    const stored = await ok(store.put(unit))
    await ok(folders.archive(image.name, image.sha256))
    await ok(folders.close())
    await say({ grown: (process.resourceUsage().maxRSS - before) / 1024, right: stored.outputs[0].sha256 === hash.digest('hex') })
    process.disconnect()`
  other = start(script, world.root)
  const { grown, right } = await other.heard()
  expect(right).toBe(true)
  expect(grown).toBeLessThan(100)
})
