import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { appendFile, mkdir, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { type Files, nodeFiles } from '../../src/adapters/filesystem/files.ts'
import { fileSystemFolders } from '../../src/adapters/filesystem/index.ts'
import type { ImageFolders } from '../../src/ports/image.ts'
import { done } from '../../src/testing/images/index.ts'
import { type DiskWorld, foldersWorld } from './worlds.ts'

let world: DiskWorld

afterEach(async () => {
  vi.useRealTimers()
  await done(world.folders.close())
  await world.dispose()
})

async function opened(options: Parameters<typeof foldersWorld>[0], files?: Files): Promise<ImageFolders> {
  world = await foldersWorld(options, files)
  await done(world.folders.open())
  return world.folders
}

const path = (name: string): string => join(world.root, 'source', name)
const names = async (folders: ImageFolders, limit = 100): Promise<string[]> =>
  (await done(folders.waiting(limit))).map((file) => file.name)

/** Time stands still but for what a test says; the disk's goes on. */
function stopTime(): (ms: number) => void {
  vi.useFakeTimers({ toFake: ['Date', 'performance'], now: Date.now() })
  return (ms) => vi.advanceTimersByTime(ms)
}

test('I6 a file that grows is not taken; once it rests it is', async () => {
  const pass = stopTime()
  let written = 0
  const files: Files = {
    ...nodeFiles,
    lstat: (async (file: string) => {
      const stat = await nodeFiles.lstat(file)
      return stat.isFile() ? Object.assign(stat, { mtimeMs: written, ctimeMs: written }) : stat
    }) as typeof nodeFiles.lstat,
  }
  const folders = await opened({ stableFor: 60_000 }, files)
  for (let i = 0; i < 5; i++) {
    await appendFile(path('a.png'), 'more')
    written = Date.now()
    pass(59_000)
    expect(await names(folders)).toEqual([])
  }
  pass(1000)
  expect(await names(folders)).toEqual(['a.png'])
})

test('I6 a .done file says that a file is complete, and goes with it', async () => {
  const folders = await opened({ stableFor: 60_000 })
  await writeFile(path('a.png'), 'x')
  await writeFile(path('b.png'), 'x')
  await writeFile(path('b.png.done'), '')
  expect(await names(folders)).toEqual(['b.png'])
  await done(folders.claim('b.png'))
  expect(await world.names('source')).toEqual(['a.png'])
})

test('I6 a .done file that is older than the file was for another one', async () => {
  const folders = await opened({ stableFor: 60_000 })
  await writeFile(path('a.png.done'), '')
  await utimes(path('a.png.done'), 1000, 1000)
  await writeFile(path('a.png'), 'half of i')
  expect(await names(folders)).toEqual([])
})

test('I6 where clocks disagree, what counts is what was seen', async () => {
  const pass = stopTime()
  const folders = await opened({ stableFor: 10_000 })
  await writeFile(path('a.png'), 'x')
  const later = Date.now() / 1000 + 86_400
  await utimes(path('a.png'), later, later)
  expect(await names(folders)).toEqual([])
  pass(6000)
  await appendFile(path('a.png'), 'y')
  await utimes(path('a.png'), later, later)
  expect(await names(folders)).toEqual([])
  pass(6000)
  expect(await names(folders)).toEqual([])
  pass(6000)
  expect(await names(folders)).toEqual(['a.png'])
})

test('I4 by time: the oldest first, then by name', async () => {
  const folders = await opened({ order: 'time' })
  for (const [name, time] of [
    ['a', 30],
    ['b', 10],
    ['c', 20],
    ['d', 10],
  ] as const) {
    await writeFile(path(name), name)
    await utimes(path(name), time, time)
  }
  expect(await names(folders)).toEqual(['b', 'd', 'c', 'a'])
  expect(await names(folders, 2)).toEqual(['b', 'd'])
})

test('I6 links, FIFOs and sockets wait and are refused; folders are left alone', async () => {
  const folders = await opened({})
  await mkdir(path('folder.png'))
  await writeFile(join(world.root, 'outside'), 'secret')
  await symlink(join(world.root, 'outside'), path('link.png'))
  await symlink('/nowhere', path('dangling.png'))
  execFileSync('mkfifo', [path('fifo.png')])
  expect(await names(folders)).toEqual(['dangling.png', 'fifo.png', 'link.png'])
  for (const [name, refused] of [
    ['link.png', 'a symbolic link'],
    ['dangling.png', 'a symbolic link'],
    ['fifo.png', 'a FIFO'],
  ]) {
    expect(await done(folders.claim(name!))).toMatchObject({ sha256: '', refused })
    expect(await done(folders.quarantine(name!, '', refused!))).toBe(name)
    expect(await done(folders.quarantine(name!, '', refused!))).toBe(name)
  }
  expect(await world.names('source')).toEqual(['folder.png'])
  expect(await world.names('images_sources')).toEqual([])
})

test('a new file is seen, though the listing of a large folder is kept for a moment', async () => {
  const folders = await opened({})
  for (let i = 0; i < 2000; i++) writeFileSync(path(`${i}.png`), '')
  expect(await names(folders, 1)).toEqual(['0.png'])
  await writeFile(path('!.png'), 'x')
  while ((await names(folders, 1))[0] !== '!.png') await new Promise((resolve) => setTimeout(resolve, 20))
})

test('10,000 files are not listed for each of them', async () => {
  let listings = 0
  const files: Files = {
    ...nodeFiles,
    readdir: ((...args: Parameters<typeof nodeFiles.readdir>) => {
      listings++
      return nodeFiles.readdir(...args)
    }) as typeof nodeFiles.readdir,
    // The syncs of so many claims are not what is tested here.
    open: async (...args) => Object.assign(await nodeFiles.open(...args), { sync: async () => {} }),
  }
  const folders = await opened({}, files)
  for (let i = 0; i < 10_000; i++) writeFileSync(path(`${i}.png`), `${i}`)
  listings = 0
  let last = ''
  for (let i = 0; i < 2000; i++) {
    const [name] = await names(folders, 1)
    expect(name! > last, `${name} after ${last}`).toBe(true)
    last = name!
    await done(folders.claim(last))
  }
  expect(listings).toBeLessThan(200)
  expect(await done(folders.count())).toMatchObject({ source: 8000, images_sources: 2000 })
})

test('a bad option is refused', () => {
  expect(() => fileSystemFolders('/tmp', { stableFor: -1 })).toThrow(/stableFor/)
  expect(() => fileSystemFolders('/tmp', { order: 'size' as 'name' })).toThrow(/order/)
})
