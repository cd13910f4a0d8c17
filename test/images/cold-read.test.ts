// What a cold read of the pipeline found; each was red before.
import { expect, test, vi } from 'vitest'
import { drain, imageWorld, twoOutputs } from '../support/image-world.ts'
import { faultyJournal } from '../support/journals.ts'

test('I2 I7 a full disk under the journal strands no image, whichever append it hits', async () => {
  for (let at = 1; at <= 9; at++) {
    const world = await imageWorld()
    await world.drop('a.png', 'A')
    let hit = false
    const journal = faultyJournal(world.journal, (append, n) => {
      if (n !== at || hit || append.stream.startsWith('$')) return undefined
      hit = true
      return { when: 'before', code: 'NO_SPACE', retryable: true }
    })
    const { pipeline, stop } = await world.start({ retry: { first: 5, max: 10 } }, { journal }).catch(() =>
      // the very first commits are the caller's own to repeat
      world.start({ retry: { first: 5, max: 10 } }),
    )
    await pipeline.drained()
    await stop()
    expect(await world.everything(), `append ${at}`).toEqual(['images_old/a.png: A'])
  }
})

test('I9 opened again after a clean close, an image that is further on does not say prepared', async () => {
  const world = await imageWorld()
  await world.drop('a.png', 'A')
  const first = await world.start({ mode: 'manual' })
  await vi.waitFor(async () => expect((await first.pipeline.status()).status).toBe('prepared'), 20_000)
  await first.pipeline.processAuto()
  await vi.waitFor(async () => expect((await first.pipeline.status()).status).toBe('awaitingUpload'), 20_000)
  await first.stop()
  const { pipeline, events, stop } = await world.start({ mode: 'manual' })
  // at once, and not only after a while
  expect(await pipeline.status()).toMatchObject({ status: 'awaitingUpload', pending_uploads: 1, awaiting_upload: true })
  await pipeline.processFinal()
  await pipeline.drained()
  await stop()
  expect(events.map(({ type }) => type)).not.toContain('prepared')
})

test('I6 files that can not be taken hold up no others, however many they are', async () => {
  const world = await imageWorld()
  for (let i = 0; i < 40; i++) await world.drop(`bad-${i}.png`, `${i}`)
  await world.drop('z.png', 'Z')
  const folders = world.folders()
  const { pipeline, stop } = await world.start({
    process: twoOutputs,
    folders: {
      ...folders,
      claim: (name, signal) =>
        name.startsWith('bad')
          ? async () => ({ _tag: 'Left', left: Object.assign(new Error('EPERM'), { code: 'NO_PERMISSION' }) as never })
          : folders.claim(name, signal),
    },
  })
  await vi.waitFor(async () => expect((await pipeline.status()).totals.archived).toBe(1), 20_000)
  await stop()
})

test('I1 a name that is no valid UTF-8 stays in source and is not waited for', async () => {
  const world = await imageWorld()
  await world.drop('a.png', 'A')
  const { writeFile } = await import('node:fs/promises')
  await writeFile(Buffer.concat([Buffer.from(`${world.images}/source/`), Buffer.from([0xff, 0x2e])]), 'x')
  await drain(world)
  expect(await world.names('images_old')).toEqual(['a.png'])
})
