// K12 a folder with those above it: for us alone, and where it can't be made the true reason is told.
import { chmodSync } from 'node:fs'
import { mkdir, mkdtemp, realpath, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fileSystemFolders, fileSystemStore } from '../../src/adapters/filesystem/index.ts'
import { childRunner } from '../../src/adapters/process/index.ts'
import { fileJournal, fileKeys } from '../../src/journal/index.ts'
import { makeFolders, makeFoldersSync } from '../../src/journal/make-folders.ts'
import { noSmallDisk, smallDisk } from './disk.ts'

let folder = ''
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'duramen-folders-')))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

describe.each([
  ['makeFolders', makeFolders],
  ['makeFoldersSync', async (path: string) => makeFoldersSync(path)],
])('%s', (_, make) => {
  it('K12 makes what is missing, 0700, the outermost first, and tells what it made', async () => {
    const deep = join(folder, 'a', 'b', 'c')
    expect(await make(deep)).toEqual([dirname(dirname(deep)), dirname(deep), deep])
    for (const made of [deep, dirname(deep)]) expect((await stat(made)).mode & 0o777).toBe(0o700)
    expect(await make(deep)).toEqual([])
    expect(await make(join(relative(process.cwd(), folder), 'd'))).toHaveLength(1)
    await symlink(deep, join(folder, 'link'))
    expect(await make(join(folder, 'link'))).toEqual([])
  })

  it('a file in its way, a link that leads nowhere', async () => {
    await writeFile(join(folder, 'file'), '')
    await symlink(join(folder, 'nowhere'), join(folder, 'link'))
    await expect(make(join(folder, 'file'))).rejects.toMatchObject({ code: 'ENOTDIR' })
    await expect(make(join(folder, 'file', 'sub'))).rejects.toMatchObject({ code: 'ENOTDIR' })
    await expect(make(join(folder, 'link'))).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it.runIf(process.platform === 'linux')('a folder that takes none and answers ENOENT: told, and no endless loop', () =>
    expect(make('/proc/duramen/sub')).rejects.toMatchObject({ code: 'ENOENT' }),
  )

  it.skipIf(process.getuid?.() === 0)('a folder that is not ours', async () => {
    chmodSync(folder, 0o500)
    await expect(make(join(folder, 'a', 'b'))).rejects.toMatchObject({ code: 'EACCES' })
    chmodSync(folder, 0o700)
  })
})

it('several at once make the same folders', async () => {
  const deep = join(folder, 'a', 'b', 'c')
  const made = await Promise.all(Array.from({ length: 8 }, () => makeFolders(deep)))
  expect(new Set(made.flat()).size).toBe(3)
  expect(made.flat()).toHaveLength(3)
})

/** All that makes a folder where a user says so; each rejects with why it can't. */
const MAKERS: Record<string, (path: string) => unknown> = {
  fileJournal: async (path) => (await fileJournal(path)).close()(),
  fileKeys: (path) => fileKeys(path),
  childRunner: (path) => childRunner(path),
  fileSystemFolders: async (path) => left(await fileSystemFolders(path).open()()),
  fileSystemStore: async (path) =>
    left(await fileSystemStore(path).put({ key: 'a'.repeat(64), name: 'a', outputs: [], info: {} })()),
}
const left = (answer: object) => {
  if ('left' in answer) throw answer.left
}

describe.each(Object.entries(MAKERS))('%s', (_, make) => {
  it.skipIf(noSmallDisk)('a file system that is read-only is told as that, with what to do', async () => {
    const disk = await smallDisk('ro')
    await expect((async () => make(join(disk, 'a', 'b')))()).rejects.toMatchObject({
      code: 'READ_ONLY',
      message: expect.stringContaining('EROFS'),
      hint: expect.stringContaining('Remount'),
    })
  })

  it('a file in its place: told as that', async () => {
    await mkdir(join(folder, 'x'))
    await writeFile(join(folder, 'x', 'file'), '')
    for (const path of [join(folder, 'x', 'file'), join(folder, 'x', 'file', 'sub')])
      await expect((async () => make(path))()).rejects.toMatchObject({
        code: expect.stringMatching(/^(FOLDER_MISSING|NOT_A_FILE)$/),
      })
  })
})
