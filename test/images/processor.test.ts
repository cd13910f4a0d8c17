// What a host's processor may do wrong.
import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { DuramenError } from '../../src/index.ts'
import type { ImageProcessor } from '../../src/ports/image.ts'
import { drain, type ImageWorld, imageWorld, twoOutputs } from '../support/image-world.ts'

/** Runs until the processor was asked so often, and tells what is where. */
async function triedOften(world: ImageWorld, process: ImageProcessor, times = 5) {
  await world.drop('a.png', 'A')
  let asked = 0
  const { pipeline, events, stop } = await world.start({
    process: (input) => {
      asked++
      return process(input)
    },
  })
  await vi.waitFor(async () => {
    const { totals } = await pipeline.status()
    expect(asked >= times || Object.values(totals).some((n) => n > 0)).toBe(true)
  }, 20_000)
  const status = await pipeline.status()
  await stop()
  return { status, events, asked, everything: await world.everything() }
}

test('I6 one that throws is asked three times, then the image is in quarantined with the reason', async () => {
  const world = await imageWorld()
  const { everything, asked } = await triedOften(world, async () => {
    throw new Error('segmentation of fingers failed')
  })
  expect([everything, asked]).toEqual([['quarantined/a.png: A'], 3])
  expect(await readFile(join(world.images, 'quarantined/a.png.reason.txt'), 'utf8')).toContain(
    'segmentation of fingers',
  )
})

test.each([
  ['nothing', undefined],
  ['a string', 'done'],
  ['no codes', { outputs: [{ bytes: Buffer.from('x') }] }],
])('I6 one that returns %s does no harm: quarantined', async (_, result) => {
  const { everything, status } = await triedOften(await imageWorld(), async () => result as never)
  expect([everything, status.totals.quarantined]).toEqual([['quarantined/a.png: A'], 1])
})

// What comes out of saveOutputs for these is an error of the world around, so the processor is asked for ever.
test.each([
  ['outputs that are no list', { outputs: 1, codes: 1 }],
  ['an output that is neither bytes nor file', { outputs: [{}], codes: [null] }],
  ['a file outside of workDir', { outputs: [{ file: '/etc/hostname' }], codes: [null] }],
])('I6 one that returns %s does no harm: quarantined', async (_, result) => {
  const { everything } = await triedOften(await imageWorld(), async () => result as never)
  expect(everything).toEqual(['quarantined/a.png: A'])
})

test.each([
  ['more outputs than codes', 2, 1],
  ['more codes than outputs', 1, 2],
  ['nothing at all', 0, 0],
])('I3 %s: the image stays, nothing is uploaded; processAuto tries again', async (_, outputs, codes) => {
  const world = await imageWorld()
  await world.drop('a.png', 'A')
  let mended = false
  const { pipeline, stop } = await world.start({
    process: async (input) =>
      mended
        ? twoOutputs(input)
        : {
            outputs: Array.from({ length: outputs }, () => ({ bytes: Buffer.from('x') })),
            codes: Array.from({ length: codes }, () => 'c'),
          },
  })
  await vi.waitFor(async () => expect((await pipeline.status()).problem?.code).toBe('PAIRING_MISMATCH'), 20_000)
  expect(await pipeline.status()).toMatchObject({ status: 'prepared', has_image: true, awaiting_upload: false })
  expect(world.published.keys).toEqual([])
  mended = true
  await pipeline.processAuto()
  await pipeline.drained()
  await stop()
  expect(await world.everything()).toEqual(['images_old/a.png: A'])
})

test.each([
  ['an absolute path', (root: string) => join(root, 'secret')],
  ['a way out', () => '../../../../secret'],
  ['the image itself', (root: string) => join(root, 'images/images_sources/a.png')],
])('I3 one that hands out %s uploads nothing and takes nothing away', async (_, path) => {
  const world = await imageWorld()
  await writeFile(join(world.root, 'secret'), 'secret')
  const { everything } = await triedOften(world, async () => ({ outputs: [{ file: path(world.root) }], codes: [null] }))
  expect(everything.map((file) => file.replace('quarantined/', 'images_sources/'))).toEqual(['images_sources/a.png: A'])
  expect(await readFile(join(world.root, 'secret'), 'utf8')).toBe('secret')
  expect(world.published.keys).toEqual([])
})

// An error of Node has no say in whose fault it is, so a full disk counts as three failures of the image.
test('I7 a disk that is full for the processor is no fault of the image', async () => {
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
  const { everything } = await triedOften(await imageWorld(), () => Promise.reject(full))
  expect(everything).toEqual(['images_sources/a.png: A'])
})

// The record is published with a number as code, can't be read again, and is never mended.
test('I3 codes that are no texts are refused before anything is published', async () => {
  const world = await imageWorld()
  await world.drop('a.png', 'A')
  const { events, stop } = await world.start({
    process: async (input) => ({ ...(await twoOutputs(input)), codes: [4006381333931, null] as never }),
  })
  const failures = () => events.filter(({ type }) => type === 'upload_failed' || type === 'processing_failed').length
  await vi.waitFor(() => expect(failures()).toBeGreaterThan(1), 20_000)
  await stop()
  expect(world.published.keys).toEqual([])
})

test('I3 outputs and scratch files are gone once the image is', async () => {
  const world = await imageWorld()
  await world.drop('a.png', 'A')
  await drain(world)
  expect([await world.names('.duramen/outputs'), await world.names('.duramen/work')]).toEqual([[], []])
})

// workDir is emptied by saveOutputs only, which is never reached.
test('I6 K9 scratch files of an image that was quarantined are gone', async () => {
  const world = await imageWorld()
  await triedOften(world, async ({ name, workDir }) => {
    await writeFile(join(workDir, 'half.png'), 'a fingerprint')
    throw new DuramenError('NOT_AN_IMAGE', `${name}: no`)
  })
  expect(await world.names('.duramen/work')).toEqual([])
})

test('K12 no byte of an image or its outputs is in the journal or in what is told', async () => {
  const world = await imageWorld()
  const canaries = Array.from({ length: 3 }, () => randomBytes(24).toString('hex'))
  for (const [i, canary] of canaries.entries()) await world.drop(`${i}.png`, i === 2 ? `bad ${canary}` : canary)
  const { events } = await drain(world, {
    process: async (input) => ({ ...(await twoOutputs(input)), codes: ['code', null] }),
  })
  const told = JSON.stringify([await world.texts(), events])
  expect(told).toContain('images_sources')
  for (const canary of canaries) {
    expect(told).not.toContain(canary)
    expect(told).not.toContain(Buffer.from(canary).toString('base64'))
  }
})

// The error of the kernel counts as one of the world around, so it is tried for ever.
test('K12 an image in `info` is refused: nothing of it reaches the journal, nothing is uploaded', async () => {
  const world = await imageWorld()
  const canary = randomBytes(8192)
  const { everything } = await triedOften(world, async (input) => ({ ...(await twoOutputs(input)), info: { canary } }))
  expect(everything).toEqual(['quarantined/a.png: A'])
  expect(JSON.stringify(await world.texts())).not.toContain(canary.toString('base64').slice(0, 100))
  expect(world.published.keys).toEqual([])
})
