// What is left behind: nothing, however an image's way was cut short.
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { left } from 'fp-ts/lib/TaskEither.js'
import { expect, test, vi } from 'vitest'
import { DuramenError, openHost } from '../../src/index.ts'
import { type Append, memoryJournal } from '../../src/journal/index.ts'
import { type ImagePipelineOptions, imagePipeline } from '../../src/machines/index.ts'
import type { ImageFolders } from '../../src/ports/image.ts'
import { done } from '../../src/testing/images/index.ts'
import { virtualClock } from '../../src/testing/index.ts'
import { deferred } from '../support/deferred.ts'
import { quiet } from '../support/host.ts'
import { drain, type ImageWorld, imageWorld, twoOutputs } from '../support/image-world.ts'
import { kept } from '../support/journals.ts'

/** Processes a.png in a process that dies when its outputs are saved and nothing of that is recorded. */
async function diedAfterSaving(world: ImageWorld): Promise<void> {
  let dead = false
  const never = new Promise<never>(() => {})
  const folders = world.folders()
  const journal = {
    ...kept(world.journal),
    append: (append: Append) => () => (dead ? never : world.journal.append(append)()),
  }
  const saved = deferred()
  await world.start(
    {
      folders: {
        ...folders,
        saveOutputs:
          (...args) =>
          async () => {
            await done(folders.saveOutputs(...args))
            dead = true
            saved.resolve(undefined)
            return never
          },
      },
    },
    { journal, closeTimeout: 1 },
  )
  await saved.promise
  await rm(join(world.images, '.duramen/lock'))
}

test('I1 outputs that were saved and not recorded are made again and gone at the end', async () => {
  const world = await imageWorld()
  await world.drop('a.png', 'A')
  await diedAfterSaving(world)
  expect(await world.names('.duramen/outputs')).toHaveLength(2)
  await drain(world)
  expect(await world.everything()).toEqual(['images_old/a.png: A'])
  expect(await world.names('.duramen/outputs')).toEqual([])
})

// The machine does not know of outputs whose saving was not recorded, and drops what it knows of.
test.each(['quarantined', 'forced', 'a duplicate'] as const)(
  'K9 K12 outputs that were saved and not recorded are gone also when the image ends as %s',
  async (how) => {
    const world = await imageWorld()
    await world.drop('a.png', 'A')
    await diedAfterSaving(world)
    const never = new Promise<never>(() => {})
    const { pipeline, stop } = await world.start({
      process: async (input) => {
        if (how === 'forced')
          return Promise.race([never, new Promise<never>((_, no) => input.signal.addEventListener('abort', no))])
        if (how === 'quarantined') throw new DuramenError('NOT_AN_IMAGE', 'the new version knows better')
        return twoOutputs(input)
      },
      ...(how === 'a duplicate' && {
        store: {
          ...world.store(),
          find: (key) => async () => ({
            _tag: 'Right',
            right: { key, name: '', outputs: [], info: {}, existed: true },
          }),
        },
      }),
    })
    if (how === 'forced') await vi.waitFor(() => pipeline.forceArchive({ who: 'me' }), 20_000)
    await pipeline.drained()
    await stop()
    expect(await world.names('.duramen/outputs')).toEqual([])
  },
)

// Force archive aborts processing, but does not wait until it has ended.
test('I8 K12 outputs that are being saved when the archive is forced are gone', async () => {
  const world = await imageWorld()
  await world.drop('a.png', 'A')
  const folders = world.folders()
  const saving = deferred<void>()
  const forced = deferred<void>()
  const ended = deferred<void>()
  const slow: ImageFolders = {
    ...folders,
    saveOutputs: (sha256, name, outputs) => async () => {
      saving.resolve()
      await forced.promise
      const answer = await folders.saveOutputs(sha256, name, outputs)()
      ended.resolve()
      return answer
    },
  }
  const { pipeline, stop } = await world.start({ folders: slow })
  await saving.promise
  await pipeline.forceArchive({ who: 'me' })
  forced.resolve()
  await pipeline.drained()
  await ended.promise
  await stop()
  expect(await world.everything()).toEqual(['images_old/a.png: A'])
  expect(await world.names('.duramen/outputs')).toEqual([])
})

test('I2 a store that is away at the start does not keep the pipeline from opening', async () => {
  const world = await imageWorld()
  const away = { ...world.store(), sweep: () => left(new DuramenError('IO', 'the store is away', { retryable: true })) }
  await world.drop('a.png', 'A')
  await drain(world, { store: away })
  expect(await world.everything()).toEqual(['images_old/a.png: A'])
})

test('K10 a host that closes gives the folders back by itself; closing the pipeline before, after and twice does no harm', async () => {
  const world = await imageWorld()
  for (const order of ['host', 'pipeline, host', 'host, pipeline, pipeline']) {
    const { host, pipeline } = await world.start()
    await world.drop(`${order}.png`, order)
    for (const part of order.split(', ')) await (part === 'host' ? host : pipeline).close()
    expect(await readdir(join(world.images, '.duramen')), order).not.toContain('lock')
  }
  const { stop, pipeline } = await world.start()
  await pipeline.drained()
  await stop()
  expect(await world.names('images_old')).toHaveLength(3)
})

test('K10 a pipeline that could not be opened keeps no process alive', async () => {
  const world = await imageWorld()
  const { stop } = await world.start()
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
  const host = await openHost({ journal: memoryJournal(), logger: quiet })
  const before = timers()
  const attempts = 20
  for (let n = 0; n < attempts; n++) {
    const given = { folders: world.folders(), store: world.store(), process: twoOutputs }
    await expect(imagePipeline(host, given)).rejects.toMatchObject({ code: 'LOCKED' })
  }
  expect(timers()).toBeLessThan(before + attempts / 2) // some are of others, and come and go
  await host.close()
  await stop()
})

// The line knows of its image, which nobody will bring into memory any more.
test('K10 a pipeline whose host closes while it is being opened rejects, and gives the folders back', async () => {
  const world = await imageWorld()
  await world.drop('a.png', 'A')
  const before = await world.start({ mode: 'manual' })
  await vi.waitFor(async () => expect(await before.pipeline.status()).toMatchObject({ status: 'prepared' }), 20_000)
  await before.stop()
  const asked = deferred<void>()
  const journal = kept(world.journal)
  const host = await openHost({
    journal: {
      ...journal,
      read: async function* (stream, ...rest) {
        if (stream.includes('image-000001')) {
          asked.resolve()
          await new Promise(() => {})
        }
        yield* journal.read(stream, ...rest)
      },
    },
    logger: quiet,
    closeTimeout: 1,
  })
  const opening = imagePipeline(host, { folders: world.folders(), store: world.store(), process: twoOutputs })
  const ended = expect(opening).rejects.toMatchObject({ code: 'CLOSED' })
  await asked.promise
  await host.close()
  await ended
  expect(await readdir(join(world.images, '.duramen'))).not.toContain('lock')
})

test('K10 folders that are not free in time, or a store that fails to close, hold up no host', async () => {
  const world = await imageWorld()
  const lines: string[] = []
  const logger = { ...quiet, warn: (line: string) => void lines.push(line) }
  const clock = virtualClock()
  const started = async (given: Partial<ImagePipelineOptions>) => {
    const host = await openHost({ journal: memoryJournal(), logger, clock })
    const basic = { folders: world.folders(), store: world.store(), process: twoOutputs }
    return { host, pipeline: await imagePipeline(host, { ...basic, ...given }) }
  }
  const folders = world.folders()
  const hangs = await started({ folders: { ...folders, close: () => () => new Promise(() => {}) } })
  let over = false
  const closed = hangs.host.close().then(() => (over = true))
  while (!over) await clock.advance('1s')
  await closed
  expect(lines.join()).toContain('images: its folders and store were not free within 10000 ms')
  await done(folders.close())

  const no = new DuramenError('IO', 'the store has burnt')
  const fails = await started({ store: { ...world.store(), close: () => left(no) } })
  await fails.host.close()
  expect(lines.at(-1)).toBe('images: the store has burnt')
  await expect(fails.pipeline.close()).rejects.toBe(no)
})
