import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Files, nodeFiles } from '../../src/adapters/filesystem/files.ts'
import type { ImageFolders } from '../../src/ports/image.ts'
import { collect, done, failed, sha256 } from '../../src/testing/images/index.ts'
import { type CrashCase, dieEverywhere, separateDevices } from './crash-points.ts'
import type { DiskWorld } from './worlds.ts'

const hash = sha256('content')

/** Each file in the four folders, with its content; the hidden ones too. */
async function everything(world: DiskWorld): Promise<string[]> {
  const found: string[] = []
  for (const folder of ['source', 'images_sources', 'images_old', 'quarantined'] as const) {
    for (const name of await world.names(folder)) found.push(`${folder}/${name}: ${await world.content(folder, name)}`)
  }
  return found
}

/** As the pipeline does it: first what was claimed already, then what waits. */
async function takeUp(folders: ImageFolders): Promise<{ name: string; sha256: string }> {
  const [claimed] = await done(folders.unowned(['a.png']))
  if (claimed === undefined) return await done(folders.claim('a.png'))
  expect((await failed(folders.claim('a.png'))).code).toBe('FILE_GONE')
  return await done(folders.inspect(claimed))
}

const claim: CrashCase<void> = {
  prepare: async (world) => {
    await world.drop('images_sources', 'a.png', 'other')
    await world.drop('source', 'a.png', 'content')
    await world.drop('source', 'a.png.done', '')
  },
  call: (folders) => folders.claim('a.png'),
  after: async (folders, world) => {
    expect((await everything(world)).filter((file) => file.endsWith(': content'))).toHaveLength(1)
    expect(await takeUp(folders)).toMatchObject({ name: 'a (2).png', sha256: hash })
    expect((await everything(world)).filter((file) => !file.startsWith('source/a.png.done'))).toEqual([
      'images_sources/a (2).png: content',
      'images_sources/a.png: other',
    ])
  },
}

const archive: CrashCase<void> = {
  prepare: async (world) => {
    await world.drop('images_old', 'a.png', 'other')
    await world.drop('source', 'a.png', 'content')
    await done(world.folders.claim('a.png'))
  },
  call: (folders) => folders.archive('a.png', hash),
  after: async (folders, world) => {
    expect((await everything(world)).filter((file) => file.endsWith(': content'))).toHaveLength(1)
    expect(await done(folders.archive('a.png', hash))).toBe('a (2).png')
    expect(await everything(world)).toEqual(['images_old/a (2).png: content', 'images_old/a.png: other'])
  },
}

const quarantine: CrashCase<void> = {
  prepare: async (world) => {
    await world.drop('quarantined', 'a.png', 'other')
    await world.drop('source', 'a.png', 'content')
    await done(world.folders.claim('a.png'))
  },
  call: (folders) => folders.quarantine('a.png', hash, 'no image'),
  after: async (folders, world) => {
    expect((await everything(world)).filter((file) => file.endsWith(': content'))).toHaveLength(1)
    expect(await done(folders.quarantine('a.png', hash, 'no image'))).toBe('a (2).png')
    expect(await world.names('images_sources')).toEqual([])
    expect(await world.names('quarantined')).toEqual(['a (2).png', 'a (2).png.reason.txt', 'a.png'])
    expect(await world.content('quarantined', 'a.png')).toBe('other')
  },
}

/** No symbolic links (FAT): the name is looked at, then taken. */
const withoutLinks: Files = {
  ...nodeFiles,
  symlink: async () => {
    throw Object.assign(new Error('EPERM'), { code: 'EPERM' })
  },
}

describe.each([
  ['one device', nodeFiles],
  ['separate devices', separateDevices],
  ['a file system without links', withoutLinks],
])('I1 I5 I7 on %s, whatever operation the process dies at, the file is in exactly one folder', (_, base) => {
  test('while it is claimed', async () => {
    expect(await dieEverywhere(claim, base)).toBeGreaterThan(10)
  })
  test('while it is archived', async () => {
    expect(await dieEverywhere(archive, base)).toBeGreaterThan(5)
  })
  test('while it is quarantined', async () => {
    expect(await dieEverywhere(quarantine, base)).toBeGreaterThan(10)
  })
})

const outputs: CrashCase<void> = {
  prepare: async (world) => {
    await done(
      world.folders.saveOutputs(
        hash,
        'a.png',
        [1, 2, 3].map((n) => ({ bytes: Buffer.from(`old ${n}`) })),
      ),
    )
  },
  call: (folders) => save(folders),
  after: async (folders) => {
    const saved = await done(save(folders))
    const contents: string[] = []
    for (const output of saved) contents.push(String(await collect(await done(folders.readOutput(output)))))
    expect(contents).toEqual(['one', 'two'])
    expect((await done(folders.workDir(hash, 'a.png'))).length).toBeGreaterThan(0)
  },
}

/** What a processor does, each time it is asked. */
const save = (folders: ImageFolders) => async () => {
  const dir = await done(folders.workDir(hash, 'a.png'))
  await writeFile(join(dir, 'two.webp'), 'two')
  return await folders.saveOutputs(hash, 'a.png', [{ bytes: Buffer.from('one') }, { file: join(dir, 'two.webp') }])()
}

test('I1 I3 outputs are saved again after dying at any operation, and nothing is left of the first try', async () => {
  expect(await dieEverywhere(outputs)).toBeGreaterThan(15)
})
