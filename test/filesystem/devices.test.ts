import { execFileSync } from 'node:child_process'
import { link, readlink, stat, symlink, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Files, nodeFiles } from '../../src/adapters/filesystem/files.ts'
import { done, failed, sha256 } from '../../src/testing/images/index.ts'
import { separateDevices } from './crash-points.ts'
import { type DiskWorld, foldersWorld } from './worlds.ts'

describe.runIf(process.getuid?.() === 0)('I7 with folders mounted from other devices (needs root)', () => {
  let world: DiskWorld

  beforeEach(async () => {
    world = await foldersWorld()
    await done(world.folders.open())
    await done(world.folders.close())
    for (const folder of ['source', 'images_old', 'quarantined']) {
      execFileSync('mount', ['-t', 'tmpfs', 'duramen-test', join(world.root, folder)])
    }
    await done(world.folders.open())
  })

  afterEach(async () => {
    await done(world.folders.close())
    for (const folder of ['source', 'images_old', 'quarantined']) execFileSync('umount', [join(world.root, folder)])
    await world.dispose()
  })

  test('a file goes all the way, with its time, and nothing is overwritten', async () => {
    for (const content of ['one', 'two']) {
      await world.drop('source', 'a.png', content)
      await utimes(join(world.root, 'source', 'a.png'), 1000, 1000)
      const claimed = await done(world.folders.claim('a.png'))
      expect(claimed).toMatchObject({ name: 'a.png', sha256: sha256(content) })
      await done(world.folders.archive('a.png', claimed.sha256))
    }
    expect(await world.names('images_old')).toEqual(['a (2).png', 'a.png'])
    expect(await world.content('images_old', 'a (2).png')).toBe('two')
    expect((await stat(join(world.root, 'images_old', 'a.png'))).mtimeMs).toBe(1_000_000)
    for (const folder of ['source', 'images_sources'] as const) expect(await world.names(folder)).toEqual([])
  })

  test('quarantine, with the reason', async () => {
    await world.drop('source', 'a.png', 'x')
    await done(world.folders.claim('a.png'))
    expect(await done(world.folders.quarantine('a.png', sha256('x'), 'bad'))).toBe('a.png')
    expect(await world.names('quarantined')).toEqual(['a.png', 'a.png.reason.txt'])
  })

  test('a link is moved as a link; a FIFO stays where it is', async () => {
    await symlink('/etc/hostname', join(world.root, 'source', 'link.png'))
    execFileSync('mkfifo', [join(world.root, 'source', 'fifo.png')])
    expect((await done(world.folders.claim('link.png'))).refused).toBe('a symbolic link')
    expect(await readlink(join(world.root, 'images_sources', 'link.png'))).toBe('/etc/hostname')
    expect((await failed(world.folders.claim('fifo.png'))).code).toBe('NOT_A_FILE')
    expect(await world.names('images_sources')).toEqual(['link.png'])
  })
})

describe('I7 a copy that fails', () => {
  async function claimWith(
    files: Partial<Files>,
    prepare: (world: DiskWorld) => Promise<void> = async () => {},
    signal?: AbortSignal,
  ) {
    const world = await foldersWorld({}, { ...separateDevices, ...files })
    await done(world.folders.open())
    await world.drop('source', 'a.png', 'content')
    await prepare(world)
    const error = await failed(world.folders.claim('a.png', signal))
    const left = { source: await world.names('source'), images_sources: await world.names('images_sources') }
    await done(world.folders.close())
    await world.dispose()
    return { code: error.code, left }
  }

  const untouched = { source: ['a.png'], images_sources: [] }

  test('because the copy is not what was read', async () => {
    let drafts = 0
    const open: Files['open'] = async (path, ...rest) => {
      // The second time a draft is opened is the reading back.
      if (String(path).endsWith('.tmp') && ++drafts === 2) return nodeFiles.open('/proc/self/status', ...rest)
      return nodeFiles.open(path, ...rest)
    }
    expect(await claimWith({ open })).toEqual({ code: 'IO', left: untouched })
  })

  test('because the old name cannot be given up', async () => {
    const unlink: Files['unlink'] = async (path) => {
      const isOurs = (await nodeFiles.lstat(path)).isSymbolicLink() || String(path).includes('.moved-')
      if (!isOurs) throw Object.assign(new Error('EROFS'), { code: 'EROFS' })
      await nodeFiles.unlink(path)
    }
    expect(await claimWith({ unlink })).toEqual({ code: 'READ_ONLY', left: untouched })
  })

  test('because the file is replaced meanwhile', async () => {
    let world: DiskWorld
    const rename: Files['rename'] = async (from, to) => {
      if (String(to).includes('.moved-'))
        await link(join(world.root, 'source', 'a.png'), join(world.root, 'another-name'))
      await separateDevices.rename(from, to)
    }
    const prepare = async (created: DiskWorld) => {
      world = created
    }
    expect(await claimWith({ rename }, prepare)).toEqual({ code: 'FILE_CHANGED', left: untouched })
  })

  test('because the caller gave up', async () => {
    const abort = new AbortController()
    const open: Files['open'] = (path, ...rest) => {
      if (String(path).endsWith('.tmp')) abort.abort()
      return nodeFiles.open(path, ...rest)
    }
    expect(await claimWith({ open }, undefined, abort.signal)).toEqual({ code: 'ABORTED', left: untouched })
  })
})
