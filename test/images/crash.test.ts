// I1 through a crash at any point: the process dies before and after each file operation, each append and each call of
// the processor on an image's way; then another one takes over.
import { symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { left } from 'fp-ts/lib/TaskEither.js'
import { describe, expect, test } from 'vitest'
import { DuramenError } from '../../src/index.ts'
import { type CrashScenario, dieEverywhere } from '../support/image-crash.ts'
import { expectStored } from '../support/image-world.ts'

const archived: CrashScenario = {
  prepare: (world) => world.drop('a.png', 'A'),
  after: async (world) => {
    expect(await world.everything()).toEqual(['images_old/a.png: A'])
    await expectStored(world, ['A'])
    const [last] = (await world.texts(/images.image/)).slice(-1)
    expect(last!.text, 'its name in images_old').toContain('"data":"a.png"')
  },
}

const duplicate: CrashScenario = {
  prepare: async (world) => {
    await world.drop('a.png', 'A')
    await world.drop('b.png', 'A')
  },
  after: async (world) => {
    expect(await world.everything()).toEqual(['images_old/a.png: A', 'images_old/b.png: A'])
    await expectStored(world, ['A'])
    expect(world.published.keys).toHaveLength(1)
  },
}

const quarantined: CrashScenario = {
  prepare: async (world) => {
    await world.drop('a.png', 'bad content')
    await writeFile(join(world.root, 'secret'), 'secret')
    await symlink('../../secret', join(world.images, 'source/b.png'))
  },
  after: async (world) => {
    expect(await world.names('quarantined')).toEqual(['a.png', 'a.png.reason.txt', 'b.png', 'b.png.reason.txt'])
    expect(world.published.keys).toEqual([])
  },
}

/** The store is away, and someone has no patience. */
const forced: CrashScenario = {
  prepare: (world) => world.drop('a.png', 'A'),
  store: (_, real) => ({
    ...real,
    put: () => left(new DuramenError('IO', 'the store is away', { retryable: true })),
  }),
  drive: async (pipeline) => {
    for (;;) {
      const { awaiting_upload, totals } = await pipeline.status()
      if (totals.forced + totals.gone > 0) break
      if (awaiting_upload) await pipeline.forceArchive({ who: 'me', why: 'emergency' }).catch(() => {})
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    await pipeline.drained()
  },
  after: async (world) => {
    expect(await world.everything()).toEqual(['images_old/a.png: A'])
    expect(world.published.keys).toEqual([])
    const forcings = (await world.texts(/images.image/)).filter(({ text }) => text.includes('FORCE_ARCHIVE'))
    expect(forcings.length).toBeGreaterThan(0)
  },
}

describe('I1 whatever operation the process dies at, the next one brings it to its place, once', () => {
  test.each([
    ['an image that is archived', archived, 250],
    ['I5 an image and its duplicate', duplicate, 250],
    ['I6 what is no image', quarantined, 150],
    ['I8 an image that is archived by force', forced, 150],
  ])(
    '%s',
    async (_, scenario, least) => {
      expect(await dieEverywhere(scenario)).toBeGreaterThan(least)
    },
    180_000,
  )
})
