// More than one image at a time.
import { left } from 'fp-ts/lib/TaskEither.js'
import { expect, test, vi } from 'vitest'
import { DuramenError } from '../../src/index.ts'
import type { ImageFolders } from '../../src/ports/image.ts'
import { done } from '../../src/testing/images/index.ts'
import { deferred } from '../support/deferred.ts'
import { drain, expectStored, imageWorld, twoOutputs } from '../support/image-world.ts'

test('I4 never more than `slots` in images_sources, and as many when there are enough', async () => {
  const world = await imageWorld()
  for (let n = 0; n < 12; n++) await world.drop(`${n}.png`, `content ${n}`)
  let most = 0
  await drain(world, {
    slots: 3,
    process: async (input) => {
      const names = await world.names('images_sources')
      most = Math.max(most, names.length)
      return twoOutputs(input)
    },
  })
  expect(most).toBe(3)
  expect(await world.names('images_old')).toHaveLength(12)
})

test('I5 equal content in two slots: the second waits for the first, and finds it in the store', async () => {
  const world = await imageWorld()
  for (const name of ['a', 'b', 'c']) await world.drop(`${name}.png`, 'same')
  const processed: string[] = []
  const { events } = await drain(world, {
    slots: 3,
    process: (input) => {
      processed.push(input.name)
      return twoOutputs(input)
    },
  })
  expect(processed).toEqual(['a.png'])
  expect(world.published.keys).toHaveLength(1)
  expect(events.filter(({ type }) => type === 'archived')).toHaveLength(1)
  expect(await world.names('images_old')).toEqual(['a.png', 'b.png', 'c.png'])
  await expectStored(world, ['same'])
})

test('I5 equal content in two slots, the first forced: the second is processed and uploaded', async () => {
  const world = await imageWorld()
  for (const name of ['a', 'b']) await world.drop(`${name}.png`, 'same')
  const { pipeline, stop } = await world.start({ slots: 2, mode: 'manual' })
  await vi.waitFor(async () => expect((await pipeline.status()).folders?.images_sources).toBe(2), 20_000)
  await vi.waitFor(async () => expect((await pipeline.status()).status).toBe('prepared'), 20_000)
  await pipeline.forceArchive({ who: 'me' })
  await vi.waitFor(async () => expect((await pipeline.status()).current_image).toBe('b.png'), 20_000)
  await vi.waitFor(() => pipeline.processAuto(), 20_000)
  await vi.waitFor(() => pipeline.processFinal(), 20_000)
  await pipeline.drained()
  await stop()
  await expectStored(world, ['same'])
})

test('I4 one that waits does not hold up the other slot', async () => {
  const world = await imageWorld()
  for (const name of ['a', 'b', 'c']) await world.drop(`${name}.png`, name)
  const slow = deferred<void>()
  const { pipeline, stop } = await world.start({
    slots: 2,
    process: async (input) => {
      if (input.name === 'a.png') await slow.promise
      return twoOutputs(input)
    },
  })
  await vi.waitFor(async () => expect((await pipeline.status()).totals.archived).toBe(2), 20_000)
  expect(await pipeline.status()).toMatchObject({ current_image: 'a.png', status: 'processing' })
  slow.resolve()
  await pipeline.drained()
  await stop()
  await expectStored(world, ['a', 'b', 'c'])
})

// The claim that runs keeps the names that were owned when it began; one of those has ended since and its name is used
// again. (Cameras call every picture capture.png.)
test('I1 I4 a claim that a crash cut short is found, also under the name of an image that has ended', async () => {
  const world = await imageWorld()
  const first = await world.start({ slots: 2 })
  await world.drop('capture.png', 'one')
  await first.pipeline.drained()
  await first.stop()
  // died between the move and its record
  await world.drop('capture.png', 'two', 'images_sources')
  const { pipeline, stop } = await world.start({ slots: 2 })
  await new Promise((resolve) => setTimeout(resolve, 300))
  const { images_sources } = (await pipeline.status()).folders!
  await stop()
  expect(images_sources).toBe(0)
})

// quarantine(name) does not look whose file has that name by now.
test('I1 I6 an image that takes the name of one on its way to quarantined is not taken for it', async () => {
  const world = await imageWorld()
  await world.drop('capture.png', 'bad')
  const folders = world.folders()
  let attempts = 0
  const first = deferred<void>()
  const failing: ImageFolders = {
    ...folders,
    quarantine:
      (...args) =>
      async () => {
        if (++attempts > 1) {
          await first.promise
          return folders.quarantine(...args)()
        }
        // moved, but the answer is an error: the sync or the reason's file failed, or the process died here
        await done(folders.quarantine(...args))
        return left(new DuramenError('IO', 'disk', { retryable: true }))()
      },
  }
  const process = deferred<void>()
  const { pipeline, stop } = await world.start({
    slots: 2,
    folders: failing,
    process: async (input) => {
      const result = await twoOutputs(input)
      await process.promise
      return result
    },
  })
  await vi.waitFor(() => expect(attempts).toBe(2), 20_000)
  await world.drop('capture.png', 'good')
  await vi.waitFor(async () => expect((await pipeline.status()).folders?.images_sources).toBe(1), 20_000)
  first.resolve()
  await vi.waitFor(async () => expect((await pipeline.status()).totals.quarantined).toBe(1), 20_000)
  process.resolve()
  await pipeline.drained()
  await stop()
  expect(await world.everything()).toEqual(['images_old/capture.png: good', 'quarantined/capture.png: bad'])
})

// After a claim that failed when the file was moved already, the next file is taken as well.
test('I4 a claim that fails after its move does not make room for another', async () => {
  const world = await imageWorld()
  for (const name of ['a', 'b', 'c']) await world.drop(`${name}.png`, name)
  const folders = world.folders()
  let failed = false
  let most = 0
  await drain(world, {
    folders: {
      ...folders,
      claim: (name, signal) => async () => {
        const claimed = await folders.claim(name, signal)()
        if (failed) return claimed
        failed = true
        return left(new DuramenError('FILE_CHANGED', 'still being written', { retryable: true }))()
      },
    },
    process: async (input) => {
      most = Math.max(most, (await world.names('images_sources')).length)
      return twoOutputs(input)
    },
  })
  expect(most).toBe(1)
})

test('I4 a host with one place for effects serves a pipeline: those that wait take none', async () => {
  const world = await imageWorld()
  await world.drop('a.png', 'content')
  const { host, pipeline, events } = await world.start({}, { maxEffects: 1 })
  await vi.waitFor(() => expect(events.map(({ type }) => type)).toContain('archived'))
  await host.close()
  await pipeline.close()
})
