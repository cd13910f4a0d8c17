// What an operator sees and does: status, the two calls of manual mode, force archive, and settings that change.
import { expect, test, vi } from 'vitest'
import type { ImagePipeline, PipelineStatus } from '../../src/machines/index.ts'
import { by, refused } from '../support/host.ts'
import { drain, expectStored, imageWorld, twoOutputs } from '../support/image-world.ts'

const reaches = (pipeline: ImagePipeline, status: PipelineStatus['status']) =>
  vi.waitFor(async () => expect((await pipeline.status()).status).toBe(status), 20_000)
const nobody = { has_image: false, current_image: null, pending_uploads: 0, awaiting_upload: false, status: 'idle' }

test('I4 I9 manual: an image waits for processAuto, then for processFinal; the next is prepared at the end', async () => {
  const world = await imageWorld()
  const { pipeline, stop } = await world.start({ mode: 'manual' })
  expect(await pipeline.status()).toMatchObject({ ...nobody, problem: null })
  await world.drop('a.png', 'A')
  await world.drop('b.png', 'B')
  await reaches(pipeline, 'prepared')
  expect(await pipeline.status()).toMatchObject({
    has_image: true,
    current_image: 'a.png',
    pending_uploads: 0,
    awaiting_upload: false,
    folders: { source: 1, images_sources: 1 },
  })
  await pipeline.processAuto()
  await reaches(pipeline, 'awaitingUpload')
  expect(await pipeline.status()).toMatchObject({ pending_uploads: 1, awaiting_upload: true })
  expect(world.published.keys).toEqual([])
  await pipeline.processFinal()
  await vi.waitFor(async () => expect((await pipeline.status()).current_image).toBe('b.png'), 20_000)
  await reaches(pipeline, 'prepared')
  expect((await pipeline.status()).totals.archived).toBe(1)
  await stop()
})

test('I8 NO_IMAGE: calls that have nothing to work on are refused and change nothing', async () => {
  const world = await imageWorld()
  const { pipeline, stop } = await world.start({ mode: 'manual' })
  for (const call of [pipeline.processAuto, pipeline.processFinal, () => pipeline.forceArchive({ who: 'me' })])
    expect(await refused(call())).toMatchObject({ code: 'NO_IMAGE', where: { machine: 'images.image' } })
  await world.drop('a.png', 'A')
  await reaches(pipeline, 'prepared')
  expect((await refused(pipeline.processFinal())).code).toBe('NO_IMAGE')
  await pipeline.processAuto()
  await reaches(pipeline, 'awaitingUpload')
  expect((await refused(pipeline.processAuto())).code).toBe('NO_IMAGE')
  await stop()
})

test('I8 force archive moves the image without upload, drops its outputs, and takes the next', async () => {
  const world = await imageWorld()
  await world.drop('a.png', 'A')
  await world.drop('b.png', 'B')
  const { pipeline, events, stop } = await world.start({ mode: 'manual' })
  await reaches(pipeline, 'prepared')
  await pipeline.processAuto()
  await reaches(pipeline, 'awaitingUpload')
  await pipeline.forceArchive({ who: 'admin', why: 'the store burns' })
  await vi.waitFor(async () => expect((await pipeline.status()).current_image).toBe('b.png'), 20_000)
  expect(await world.names('.duramen/outputs')).toEqual([])
  expect(events.map(({ message }) => message)).toContain('a.png: archived without upload by admin (the store burns)')
  await stop()
  expect(await world.everything()).toEqual(['images_sources/b.png: B', 'images_old/a.png: A'])
  expect(world.published.keys).toEqual([])
})

test('I4 after a restart a manual image is where it was, and the calls work', async () => {
  const world = await imageWorld()
  await world.drop('a.png', 'A')
  const first = await world.start({ mode: 'manual' })
  await reaches(first.pipeline, 'prepared')
  await first.pipeline.processAuto()
  await reaches(first.pipeline, 'awaitingUpload')
  await first.stop()
  const { pipeline, stop } = await world.start({ mode: 'manual' })
  await reaches(pipeline, 'awaitingUpload')
  await pipeline.processFinal()
  await pipeline.drained()
  await stop()
  await expectStored(world, ['A'])
})

test('I9 events come in the order in which things happen, with the id of the image', async () => {
  const world = await imageWorld()
  for (const name of ['a', 'b']) await world.drop(`${name}.png`, name)
  const { events } = await drain(world)
  const steps = events.map((event) => [event.type, 'id' in event && event.id])
  for (const [_nth, id] of ['image-000001', 'image-000002'].entries())
    expect(steps.filter(([type, of]) => of === id && type !== 'prepared')).toEqual(
      ['claimed', 'processed', 'uploaded', 'archived'].map((type) => [type, id]),
    )
  expect(steps.findIndex(([, id]) => id === 'image-000002')).toBeGreaterThan(
    steps.findIndex(([type]) => type === 'archived'),
  )
})

// Both are said in an image's first commit, before anyone can listen to it.
test('I9 events tell also what is said when an image is taken: prepared, or rejected', async () => {
  const world = await imageWorld()
  await world.drop('a.png', 'A')
  await world.drop('b.png', '')
  const { events } = await drain(world)
  expect(events.map(({ type }) => type)).toEqual(expect.arrayContaining(['prepared', 'rejected']))
})

test('I4 reopened with more slots, more are taken at once', async () => {
  const world = await imageWorld()
  for (const name of ['a', 'b', 'c']) await world.drop(`${name}.png`, name)
  const first = await world.start({ mode: 'manual' })
  await reaches(first.pipeline, 'prepared')
  expect((await first.pipeline.status()).folders?.images_sources).toBe(1)
  await first.stop()
  const { pipeline, stop } = await world.start({ mode: 'manual', slots: 2 })
  await vi.waitFor(async () => expect((await pipeline.status()).folders?.images_sources).toBe(2), 20_000)
  expect(await pipeline.status()).toMatchObject({ current_image: 'a.png', folders: { source: 1 } })
  await stop()
})

// Only `slots` is compared with what the journal says.
test('I2 reopened with another retry, the line uses it', async () => {
  const world = await imageWorld()
  await (await world.start()).stop()
  const { host, stop } = await world.start({ retry: { first: 7, max: 9 } })
  void host
  await stop()
  const line = (await world.texts(/images.coordinator/)).map(({ text }) => text).join('\n')
  expect(line).toContain('"first":7')
})

test('K10 closing twice does no harm; afterwards calls are refused by name', async () => {
  const world = await imageWorld()
  const { host, pipeline, stop } = await world.start()
  await stop()
  await host.close()
  await pipeline.close()
  expect((await refused(pipeline.status())).code).toBe('CLOSED')
  expect((await refused(pipeline.drained())).code).toBe('CLOSED')
})

test('K10 a wait for the end can be called off', async () => {
  const world = await imageWorld()
  await world.drop('a.png', 'A')
  const { pipeline, stop } = await world.start({ mode: 'manual' })
  await reaches(pipeline, 'prepared')
  const calling = new AbortController()
  const waiting = refused(pipeline.drained({ signal: calling.signal }))
  calling.abort()
  expect((await waiting).code).toBe('ABORTED')
  await stop()
})

test.each([
  { slots: 0 },
  { slots: 1.5 },
  { processAttempts: 0 },
  { crashes: -1 },
  { poll: 'soon' as never },
  { retry: { first: '1 parsec' as never } },
])('a bad option is refused before anything is touched: %j', async (options) => {
  const world = await imageWorld()
  expect((await refused(world.start(options))).code).toBe('BAD_OPTION')
  await expect(world.names('source')).rejects.toThrow('ENOENT')
})

test('I2 a graceful end in the middle of processing is taken up again; the image is not the worse for it', async () => {
  const world = await imageWorld()
  await world.drop('a.png', 'A')
  for (let round = 0; round < 3; round++) {
    let began = () => {}
    const begun = new Promise<void>((resolve) => (began = resolve))
    const { stop } = await world.start({
      process: ({ signal }) => {
        began()
        return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      },
    })
    await begun
    await stop()
  }
  await drain(world, { process: twoOutputs })
  expect(await world.everything()).toEqual(['images_old/a.png: A'])
})

// An attempt that `close` has called off counts like one that took the process down.
test('I6 restarts that were no crash never send an image to quarantine', async () => {
  const world = await imageWorld()
  await world.drop('a.png', 'A')
  for (let round = 0; round < 3; round++) {
    let began = () => {}
    const begun = new Promise<void>((resolve) => (began = resolve))
    const { stop } = await world.start({
      crashes: 2,
      process: ({ signal }) => {
        began()
        return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      },
    })
    await Promise.race([begun, new Promise((resolve) => setTimeout(resolve, 1000))])
    await stop()
  }
  await drain(world, { crashes: 2 })
  expect(await world.everything()).toEqual(['images_old/a.png: A'])
})

test('a pipeline that host.stop has ended is refused, and its folders are free', async () => {
  const world = await imageWorld()
  const { host, stop } = await world.start()
  await host.stop('images.coordinator', 'line', by)
  await stop()
  for (const _ of [1, 2])
    expect(await refused(world.start())).toMatchObject({ code: 'CLOSED', where: { machine: 'images.coordinator' } })
})
