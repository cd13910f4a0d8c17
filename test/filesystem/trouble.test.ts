import { execFileSync } from 'node:child_process'
import { access, mkdir, readdir, rename, rm, stat, symlink, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Files, nodeFiles } from '../../src/adapters/filesystem/files.ts'
import { done, failed, sha256 } from '../../src/testing/images/index.ts'
import { type DiskWorld, foldersWorld } from './worlds.ts'

let world: DiskWorld
/** Operations that fail with an errno for as long as they are in here. */
const broken = new Map<string, string>()

const files = Object.fromEntries(
  Object.entries(nodeFiles).map(([name, operation]) => [
    name,
    async (...args: unknown[]) => {
      const code = broken.get(name)
      if (code !== undefined) throw Object.assign(new Error(code), { code })
      return await Reflect.apply(operation as never, undefined, args)
    },
  ]),
) as unknown as Files

beforeEach(async () => {
  world = await foldersWorld({}, files)
  await done(world.folders.open())
  await world.drop('source', 'a.png', 'content')
})

afterEach(async () => {
  broken.clear()
  await done(world.folders.close())
  await world.dispose()
})

const inside = (...names: string[]): string => join(world.root, ...names)

describe('I7 a missing folder is an error with its name, and work goes on once it is back', () => {
  test.each(['source', 'images_sources'] as const)('%s', async (folder) => {
    await rename(inside(folder), inside('aside'))
    expect(await failed(world.folders.claim('a.png'))).toMatchObject({
      code: 'FOLDER_MISSING',
      retryable: true,
      where: { file: inside(folder) },
    })
    await mkdir(inside(folder), { recursive: true })
    if (folder === 'source') await world.drop('source', 'a.png', 'content')
    expect(await done(world.folders.waiting(9))).toHaveLength(1)
    expect((await done(world.folders.claim('a.png'))).sha256).toBe(sha256('content'))
  })

  test('images_old, removed for good', async () => {
    await done(world.folders.claim('a.png'))
    await rm(inside('images_old'), { recursive: true })
    expect((await failed(world.folders.archive('a.png', sha256('content')))).code).toBe('FOLDER_MISSING')
    expect((await failed(world.folders.count())).code).toBe('FOLDER_MISSING')
    expect(await world.names('images_sources')).toEqual(['a.png'])
    await mkdir(inside('images_old'))
    expect(await done(world.folders.archive('a.png', sha256('content')))).toBe('a.png')
  })

  test('a file or a dangling link in place of a folder', async () => {
    await done(world.folders.close())
    await rm(inside('images_old'), { recursive: true })
    await symlink(inside('nowhere'), inside('images_old'))
    expect((await failed(world.folders.open())).code).toBe('FOLDER_MISSING')
    await unlink(inside('images_old'))
    await writeFile(inside('images_old'), '')
    expect((await failed(world.folders.open())).code).toBe('FOLDER_MISSING')
    await unlink(inside('images_old'))
    await done(world.folders.open())
  })

  test('a link in place of a folder is not followed', async () => {
    await done(world.folders.claim('a.png'))
    await rm(inside('images_old'), { recursive: true })
    await mkdir(inside('elsewhere'))
    await symlink(inside('elsewhere'), inside('images_old'))
    expect((await failed(world.folders.archive('a.png', sha256('content')))).code).toBe('FOLDER_MISSING')
    expect(await world.names('images_sources')).toEqual(['a.png'])
  })
})

describe('I7 a failed operation is told by its errno, and the file is where it was', () => {
  test.each([
    ['symlink', 'ENOSPC', 'NO_SPACE', true],
    ['symlink', 'EROFS', 'READ_ONLY', false],
    ['rename', 'EACCES', 'NO_PERMISSION', false],
    ['rename', 'EIO', 'IO', true],
    ['lstat', 'EIO', 'IO', true],
  ])('%s: %s', async (operation, errno, code, retryable) => {
    await done(world.folders.waiting(1))
    broken.set(operation, errno)
    const error = await failed(world.folders.claim('a.png'))
    expect(error).toMatchObject({ code, retryable, where: { file: inside('source', 'a.png') } })
    expect(error.message).toContain(inside('source', 'a.png'))
    expect(error.hint).toBeTruthy()
    broken.clear()
    expect(await world.names('source')).toEqual(['a.png'])
    expect(await done(world.folders.claim('a.png'))).toMatchObject({ name: 'a.png' })
  })

  test('a full disk while outputs are saved', async () => {
    const save = world.folders.saveOutputs(sha256('x'), 'a.png', [{ bytes: Buffer.from('x') }])
    broken.set('rename', 'ENOSPC')
    expect((await failed(save)).code).toBe('NO_SPACE')
    broken.clear()
    expect(await done(save)).toHaveLength(1)
  })
})

test('I6 a file that cannot be read is refused with the reason', async () => {
  await done(world.folders.claim('a.png'))
  broken.set('open', 'EACCES')
  expect((await done(world.folders.inspect('a.png'))).refused).toMatch(/permission.*EACCES/)
})

test('a file that vanishes under the hands is FILE_GONE, and leaves no trace', async () => {
  expect(await done(world.folders.waiting(1))).toHaveLength(1)
  await unlink(inside('source', 'a.png'))
  expect((await failed(world.folders.claim('a.png'))).code).toBe('FILE_GONE')
  expect(await done(world.folders.waiting(1))).toEqual([])
  for (const folder of ['images_sources', 'images_old'] as const) expect(await world.names(folder)).toEqual([])
})

test('K10 closing waits for what is running, and only then lets others in', async () => {
  const claim = done(world.folders.claim('a.png'))
  await new Promise((resolve) => setImmediate(resolve))
  await done(world.folders.close())
  expect(await world.names('images_sources')).toEqual(['a.png'])
  expect((await claim).sha256).toBe(sha256('content'))
  const other = world.another()
  await done(other.open())
  await done(other.close())
})

test('I7 a share that cannot sync folders is used all the same', async () => {
  const open: Files['open'] = async (...args) => {
    const handle = await nodeFiles.open(...args)
    if (!(await handle.stat()).isDirectory()) return handle
    const refuse = async () => {
      throw Object.assign(new Error('EINVAL'), { code: 'EINVAL' })
    }
    return Object.assign(handle, { sync: refuse })
  }
  const other = await foldersWorld({}, { ...nodeFiles, open })
  await done(other.folders.open())
  await other.drop('source', 'a.png', 'content')
  await done(other.folders.claim('a.png'))
  expect(await done(other.folders.archive('a.png', sha256('content')))).toBe('a.png')
  await done(other.folders.close())
  await other.dispose()
})

test('a folder in source/ cannot be claimed', async () => {
  await mkdir(inside('source', 'folder'))
  expect((await failed(world.folders.claim('folder'))).code).toBe('NOT_A_FILE')
  expect(await world.names('images_sources')).toEqual([])
})

test('what an earlier process left unfinished is swept when the folders are opened', async () => {
  await done(world.folders.close())
  await symlink('.duramen/reserved/for-a-move', inside('images_old', 'a.png'))
  await symlink('somewhere', inside('images_old', 'link.png'))
  await writeFile(inside('images_old', '.duramen-1.tmp'), 'x')
  await mkdir(inside('.duramen', 'work', 'x', 'y'), { recursive: true })
  await done(world.folders.open())
  expect(await world.names('images_old')).toEqual(['link.png'])
  await expect(access(inside('.duramen', 'work', 'x'))).rejects.toThrow()
})

test('K12 what we make is for us alone: files 0600, folders 0700', async () => {
  const claimed = await done(world.folders.claim('a.png'))
  const dir = await done(world.folders.workDir(claimed.sha256, 'a.png'))
  await writeFile(join(dir, 'x.webp'), 'x', { mode: 0o666 })
  const outputs = [{ bytes: Buffer.from('x') }, { file: join(dir, 'x.webp') }]
  await done(world.folders.saveOutputs(claimed.sha256, 'a.png', outputs))
  await done(world.folders.workDir(sha256('b'), 'b.png'))
  await done(world.folders.quarantine('a.png', claimed.sha256, 'bad'))
  const entries = await readdir(world.root, { recursive: true, withFileTypes: true })
  // The image itself keeps the mode that its owner gave it.
  for (const entry of entries.filter(({ name }) => name !== 'a.png')) {
    const { mode } = await stat(join(entry.parentPath, entry.name))
    expect([entry.name, (mode & 0o777).toString(8)]).toEqual([entry.name, entry.isDirectory() ? '700' : '600'])
  }
})

test.runIf(process.getuid?.() === 0)('I7 a disk that became read-only is named (needs root)', async () => {
  await done(world.folders.claim('a.png'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'ro', 'duramen-test', inside('images_old')])
  try {
    expect((await failed(world.folders.archive('a.png', sha256('content')))).code).toBe('READ_ONLY')
    expect((await failed(world.another().open())).code).toBe('READ_ONLY')
  } finally {
    await done(world.folders.close())
    execFileSync('umount', [inside('images_old')])
  }
  expect(await world.names('images_sources')).toEqual(['a.png'])
})
