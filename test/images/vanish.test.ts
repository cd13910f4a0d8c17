// Files that vanish or change under the hands, at each stage of their way.
import { rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { DuramenError } from '../../src/index.ts'
import type { ImageFolders, ImageProcessor } from '../../src/ports/image.ts'
import { refused } from '../support/host.ts'
import { drain, expectStored, type ImageWorld, imageWorld, twoOutputs } from '../support/image-world.ts'

/** Does something to a.png just before the folders are asked for `call` with it for the first time. */
function before(world: ImageWorld, call: keyof ImageFolders, act: () => Promise<void>): ImageFolders {
  const folders = world.folders()
  let acted = false
  return {
    ...folders,
    [call]:
      (...args: unknown[]) =>
      async () => {
        if (!acted && args[0] === 'a.png') {
          acted = true
          await act()
        }
        return (folders[call] as any)(...args)()
      },
  }
}

const gone = (world: ImageWorld, folder: string) => () => rm(join(world.images, folder, 'a.png'))

async function filled(): Promise<ImageWorld> {
  const world = await imageWorld()
  await world.drop('a.png', 'A')
  await world.drop('b.png', 'B')
  return world
}

test('I7 a file that vanishes from source is passed over', async () => {
  const world = await filled()
  const { events } = await drain(world, { folders: before(world, 'claim', gone(world, 'source')) })
  expect(await world.everything()).toEqual(['images_old/b.png: B'])
  expect(events.map(({ type }) => type)).not.toContain('blocked')
})

test.each(['openImage', 'quarantine'] as const)(
  'I7 a file that vanishes from images_sources before %s is told as gone; the next is taken',
  async (call) => {
    const world = await filled()
    const bad: ImageProcessor = async (input) => {
      if (input.name === 'a.png') throw new DuramenError('NOT_AN_IMAGE', 'bad')
      return twoOutputs(input)
    }
    const { events, pipeline } = await drain(world, {
      folders: before(world, call, gone(world, 'images_sources')),
      process: call === 'quarantine' ? bad : twoOutputs,
    })
    void pipeline
    expect(await world.everything()).toEqual(['images_old/b.png: B'])
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'gone', message: 'a.png: vanished from images_sources' }),
    )
    await expectStored(world, ['B'])
  },
)

test('I7 a file that vanishes while it is processed is uploaded all the same: what was read was whole', async () => {
  const world = await filled()
  const { events } = await drain(world, {
    process: async (input) => {
      if (input.name === 'a.png') await gone(world, 'images_sources')()
      return twoOutputs(input)
    },
  })
  expect(await world.everything()).toEqual(['images_old/b.png: B'])
  await expectStored(world, ['A', 'B'])
  expect(events.map(({ type }) => type)).not.toContain('blocked')
})

// The outcome is `archived`, the message `archived as null`.
test('I9 a file that vanishes before it is archived is not told as archived', async () => {
  const world = await filled()
  const { events } = await drain(world, { folders: before(world, 'archive', gone(world, 'images_sources')) })
  await expectStored(world, ['A', 'B'])
  expect(events.map(({ message }) => message)).not.toContain('a.png: archived as null')
})

test('I2 outputs that vanish before the upload are made again', async () => {
  const world = await imageWorld()
  await world.drop('a.png', 'A')
  let times = 0
  const { events } = await drain(world, {
    process: async (input) => {
      times++
      return twoOutputs(input)
    },
    store: {
      ...world.store(),
      put: (unit, signal) => async () => {
        if (times === 1)
          for (const name of await world.names('.duramen/outputs'))
            await rm(join(world.images, '.duramen/outputs', name))
        return world.store().put(unit, signal)()
      },
    },
  })
  expect(times).toBe(2)
  expect(events.map(({ message }) => message)).toContain('a.png: its outputs are gone; processed again')
  await expectStored(world, ['A'])
})

test('I6 a file that was changed before it was processed goes to quarantined', async () => {
  const world = await filled()
  const change = () => writeFile(join(world.images, 'images_sources/a.png'), 'another')
  await drain(world, { folders: before(world, 'openImage', change) })
  expect(await world.everything()).toEqual(['images_old/b.png: B', 'quarantined/a.png: another'])
})

test('I6 a file that becomes a link before it is opened: the link is not followed, and goes to quarantined', async () => {
  const world = await filled()
  await writeFile(join(world.root, 'secret'), 'secret')
  const seen: string[] = []
  await drain(world, {
    folders: before(world, 'openImage', async () => {
      await gone(world, 'images_sources')()
      await symlink(join(world.root, 'secret'), join(world.images, 'images_sources/a.png'))
    }),
    process: async (input) => {
      const result = await twoOutputs(input)
      seen.push(JSON.stringify(result))
      return result
    },
  })
  expect(seen).toHaveLength(1)
  expect(seen[0]).not.toContain('secret')
  expect(await world.names('quarantined')).toEqual(['a.png', 'a.png.reason.txt'])
  await expectStored(world, ['B'])
})

// Between the hash and the open it is trusted that the name means the same file.
test('I5 a file that is replaced before it is opened is not stored under the hash of the old one', async () => {
  const world = await imageWorld()
  await world.drop('a.png', 'A')
  const { pipeline, stop } = await world.start({
    folders: before(world, 'openImage', async () => {
      await gone(world, 'images_sources')()
      await writeFile(join(world.images, 'images_sources/a.png'), 'another')
    }),
  })
  await vi.waitFor(async () => {
    const { quarantined, images_old } = (await pipeline.status()).folders!
    expect(world.published.keys.length + quarantined + images_old).toBeGreaterThan(0)
  }, 20_000)
  await stop()
  if (world.published.keys.length) await expectStored(world, ['A'])
})

test.each(['by itself', 'by force'])(
  'I1 I6 a file that was changed when it is archived %s: quarantined',
  async (how) => {
    const world = await imageWorld()
    await world.drop('a.png', 'A')
    const { pipeline, stop } = await world.start({
      mode: how === 'by force' ? 'manual' : 'auto',
      folders: before(world, 'archive', () => writeFile(join(world.images, 'images_sources/a.png'), 'another')),
    })
    if (how === 'by force') await vi.waitFor(() => pipeline.forceArchive({ who: 'me' }), 20_000)
    await vi.waitFor(async () => expect((await pipeline.status()).totals.quarantined).toBe(1), 20_000)
    await stop()
    expect(await world.everything()).toEqual(['quarantined/a.png: another'])
    expect(await world.names('.duramen/outputs')).toEqual([])
    await expectStored(world, how === 'by force' ? [] : ['A'])
  },
)

// The problem of a move that fails is not kept.
test('I9 a forced move that fails says why', async () => {
  const world = await imageWorld()
  await world.drop('a.png', 'A')
  const folders = world.folders()
  let fails = true
  const { pipeline, events, stop } = await world.start({
    mode: 'manual',
    folders: {
      ...folders,
      archive: (...args) =>
        fails
          ? async () => ({ _tag: 'Left', left: new DuramenError('READ_ONLY', 'read-only') })
          : folders.archive(...args),
    },
  })
  await vi.waitFor(async () => expect((await pipeline.status()).status).toBe('prepared'), 20_000)
  await pipeline.forceArchive({ who: 'me' })
  await vi.waitFor(() => expect(events.map(({ type }) => type)).toContain('move_failed'), 20_000)
  fails = false
  await pipeline.drained()
  await stop()
  expect(events.find(({ type }) => type === 'move_failed')!.message).toContain('read-only')
})

// has_image is true, yet force archive says that there is none.
test('I8 an image that cannot get to quarantined can be archived by force', async () => {
  const world = await imageWorld()
  await world.drop('a.png', '')
  const readOnly = new DuramenError('READ_ONLY', 'read-only')
  const { pipeline, events, stop } = await world.start({
    folders: { ...world.folders(), quarantine: () => async () => ({ _tag: 'Left', left: readOnly }) },
  })
  await vi.waitFor(() => expect(events.map(({ type }) => type)).toContain('move_failed'), 20_000)
  const answer = await Promise.race([
    pipeline.forceArchive({ who: 'me' }).then(() => 'taken'),
    refused(pipeline.forceArchive({ who: 'me' })).then((e) => e.code),
  ])
  await stop()
  expect(answer).toBe('taken')
})
