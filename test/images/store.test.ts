// A store that is away, lies, or fails in the middle: the image stays until it is there for certain.
import { writeFile } from 'node:fs/promises'
import { left, right } from 'fp-ts/lib/TaskEither.js'
import { expect, test, vi } from 'vitest'
import { fileSystemStore } from '../../src/adapters/filesystem/index.ts'
import { DuramenError } from '../../src/index.ts'
import type { ImageStore } from '../../src/ports/image.ts'
import { sha256 } from '../../src/testing/images/index.ts'
import { drain, expectStored, imageWorld, outputsOf, twoOutputs } from '../support/image-world.ts'

const away = new DuramenError('IO', 'the store is away', { retryable: true })

test('I2 a store that is away keeps the image where it is; once it is back, all goes on by itself', async () => {
  const world = await imageWorld()
  await world.drop('a.png', 'A')
  await world.drop('b.png', 'B')
  const real = world.store()
  let there = false
  let asked = 0
  const store: ImageStore = {
    ...real,
    put: (unit, signal) => {
      asked++
      return there ? real.put(unit, signal) : left(away)
    },
    find: (key, signal) => (there ? real.find(key, signal) : left(away)),
  }
  const processed: string[] = []
  const { pipeline, events, stop } = await world.start({
    store,
    process: (input) => {
      processed.push(input.name)
      return twoOutputs(input)
    },
  })
  await vi.waitFor(() => expect(asked).toBeGreaterThan(4), 20_000)
  expect(await pipeline.status()).toMatchObject({
    has_image: true,
    current_image: 'a.png',
    pending_uploads: 1,
    awaiting_upload: true,
    folders: { source: 1, images_sources: 1, images_old: 0, quarantined: 0 },
  })
  expect(events).toContainEqual(
    expect.objectContaining({
      type: 'upload_failed',
      awaiting_upload: true,
      message: 'a.png: stays in images_sources for safety: the store is away; tried again within 0.01 s',
    }),
  )
  there = true
  await pipeline.drained()
  await stop()
  expect(await world.everything()).toEqual(['images_old/a.png: A', 'images_old/b.png: B'])
  expect(processed).toEqual(['a.png', 'b.png'])
  await expectStored(world, ['A', 'B'])
})

test('I1 I5 a publish whose answer is lost is found, not made again', async () => {
  const world = await imageWorld()
  await world.drop('a.png', 'A')
  const real = world.store()
  let first = true
  const { events } = await drain(world, {
    store: {
      ...real,
      put: (unit, signal) => async () => {
        const answer = await real.put(unit, signal)()
        if (!first) return answer
        first = false
        return left(away)()
      },
    },
  })
  expect(events.map(({ type }) => type)).toContain('upload_failed')
  expect(world.published.keys).toEqual([sha256('A')])
  await expectStored(world, ['A'])
})

/** What a store that cannot be trusted says it has read back. */
const lies: [string, (stored: any) => any][] = [
  ['another hash', (s) => ({ ...s, outputs: s.outputs.map((o: any) => ({ ...o, sha256: 'f'.repeat(64) })) })],
  ['another length', (s) => ({ ...s, outputs: s.outputs.map((o: any) => ({ ...o, size: o.size + 1 })) })],
  ['one output less', (s) => ({ ...s, outputs: s.outputs.slice(1) })],
  ['one output more', (s) => ({ ...s, outputs: [...s.outputs, s.outputs[0]] })],
  ['outputs in another order', (s) => ({ ...s, outputs: s.outputs.toReversed() })],
  ['nothing', (s) => ({ ...s, outputs: [] })],
  ['another key', (s) => ({ ...s, key: 'f'.repeat(64) })],
]

async function tellsFor(lie: (stored: any) => any) {
  const world = await imageWorld()
  await world.drop('a.png', 'A')
  const real = world.store()
  let puts = 0
  const store: ImageStore = {
    ...real,
    put: (unit, signal) => async () => {
      puts++
      const answer = await real.put(unit, signal)()
      return answer._tag === 'Left' ? answer : right(lie({ ...answer.right, existed: false }))()
    },
  }
  const { pipeline, stop } = await world.start({ store })
  await vi.waitFor(() => expect(puts).toBeGreaterThan(2), 20_000)
  const status = await pipeline.status()
  await stop()
  expect(await world.everything()).toEqual(['images_sources/a.png: A'])
  return status
}

test.each(lies)('I1 a store that reads back %s is not believed', async (_, lie) => {
  expect(await tellsFor(lie)).toMatchObject({ awaiting_upload: true, problem: { code: 'STORE_MISMATCH' } })
})

// What a store says to have had before is believed, whatever it is: also that the unit is empty.
test('I1 a store that says it had the unit before, but has no outputs of it, is not believed', async () => {
  const world = await imageWorld()
  await world.drop('a.png', 'A')
  const real = world.store()
  let puts = 0
  const store: ImageStore = {
    ...real,
    find: () => right(undefined),
    put: ({ key, name, info }) => {
      puts++
      return right({ key, name, info, outputs: [], existed: true })
    },
  }
  const { stop } = await world.start({ store })
  await vi.waitFor(async () => expect(puts > 1 || (await world.names('images_old')).length).toBeTruthy(), 20_000)
  await stop()
  expect(await world.names('images_old')).toEqual([])
})

test('I1 bytes that the store has damaged are found before the file leaves, and put again', async () => {
  const world = await imageWorld()
  await world.drop('a.png', 'A')
  const real = world.store()
  await drain(world)
  // the same content once more, but what was stored of it has rotted meanwhile
  const [hash] = outputsOf('A')
  await writeFile(`${world.storeDir}/objects/${hash!.slice(0, 2)}/${hash}`, 'rotten')
  await world.drop('b.png', 'A')
  await drain(world, { store: real })
  const unit = await fileSystemStore(world.storeDir).find(sha256('A'))()
  expect(unit).toMatchObject({ _tag: 'Right', right: { outputs: [{ sha256: hash }, {}] } })
})
