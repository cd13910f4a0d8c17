// What the host's logger hears of a pipeline: each end once, each trouble once while it goes on in the same way.
import { writeFile } from 'node:fs/promises'
import { left } from 'fp-ts/lib/TaskEither.js'
import { expect, test, vi } from 'vitest'
import { DuramenError } from '../../src/index.ts'
import { imageWorld } from '../support/image-world.ts'

function listening() {
  const lines: string[] = []
  const log = (level: string) => (message: string) => void lines.push(`${level} ${message}`)
  const logger = { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') }
  return { logger, heard: () => lines.filter((line) => !line.startsWith('debug')), lines }
}

test('I2, I9 the log has the end of each image, once; those that were quarantined as a warning', async () => {
  const world = await imageWorld()
  const { logger, heard } = listening()
  const { pipeline, stop } = await world.start({}, { logger })
  await world.drop('a.png', 'good')
  await pipeline.drained()
  await world.drop('b.png', 'bad')
  await pipeline.drained()
  await world.drop('c.png', 'good')
  await pipeline.drained()
  await stop()
  expect(heard()).toEqual([
    'info images: a.png: archived as a.png',
    'warn images: b.png: quarantined as b.png: bad',
    'info images: c.png: a duplicate, archived as c.png',
  ])
})

test('the name of an image begins no line of its own and drives no terminal; events$ have it as it is', async () => {
  const world = await imageWorld()
  const { logger, lines } = listening()
  const { pipeline, stop, events } = await world.start({}, { logger })
  const name = 'a\n2026-01-01 INFO admin logged in\u001b[31m.png'
  await world.drop(name, 'good')
  await pipeline.drained()
  await stop()
  expect(lines.at(-1)).toContain('images: a\\u000a2026-01-01 INFO admin logged in\\u001b[31m.png: archived')
  expect(lines.filter((line) => /\p{Cc}/u.test(line))).toEqual([])
  expect(events.at(-1)).toMatchObject({ type: 'archived', name })
})

test('I2 what keeps an image waiting is a warning once, however often it is tried; anew where it is something else', async () => {
  const world = await imageWorld()
  const { logger, heard, lines } = listening()
  const store = world.store()
  let fails: 'IO' | 'NO_SPACE' | undefined = 'IO'
  const put: typeof store.put = (unit, signal) =>
    fails ? left(new DuramenError(fails, `no: ${fails}`, { retryable: true })) : store.put(unit, signal)
  const { pipeline, stop, events } = await world.start({ store: { ...store, put } }, { logger })
  const failures = () => events.filter(({ type }) => type === 'upload_failed').length
  await world.drop('a.png', 'good')
  while (failures() < 5) await new Promise((resolve) => setTimeout(resolve, 5))
  fails = 'NO_SPACE'
  for (const from = failures(); failures() < from + 5; ) await new Promise((resolve) => setTimeout(resolve, 5))
  fails = undefined
  await pipeline.drained()
  await stop()
  const warned = heard().filter((line) => line.startsWith('warn'))
  expect(warned).toEqual([expect.stringContaining('no: IO'), expect.stringContaining('no: NO_SPACE')])
  expect(lines.filter((line) => line.startsWith('debug') && line.includes('no: IO')).length).toBeGreaterThan(3)
  expect(heard().at(-1)).toBe('info images: a.png: archived as a.png')
})

test('I2 folders that can not be read are a warning once', async () => {
  const world = await imageWorld()
  const { logger, heard } = listening()
  const folders = world.folders()
  let fails = true
  const waiting: typeof folders.waiting = (limit) =>
    fails ? left(new DuramenError('IO', 'the disk is away', { retryable: true })) : folders.waiting(limit)
  const { pipeline, stop, events } = await world.start({ folders: { ...folders, waiting } }, { logger })
  while (events.filter(({ type }) => type === 'blocked').length < 4)
    await new Promise((resolve) => setTimeout(resolve, 5))
  fails = false
  await writeFile(`${world.images}/source/a.png`, 'good')
  await pipeline.drained()
  await stop()
  expect(heard().filter((line) => line.startsWith('warn'))).toEqual([expect.stringContaining('the disk is away')])
})

test('I2 a second outage of the folders is a warning like the first; between them nothing is wrong', async () => {
  const world = await imageWorld()
  const { logger, heard } = listening()
  const folders = world.folders()
  let fails = false
  const waiting: typeof folders.waiting = (limit) =>
    fails ? left(new DuramenError('IO', 'the disk is away', { retryable: true })) : folders.waiting(limit)
  const { pipeline, stop, events } = await world.start({ folders: { ...folders, waiting } }, { logger })
  const said = (type: string) => events.filter((event) => event.type === type).length
  for (const outage of [1, 2]) {
    const before = said('blocked')
    fails = true
    await vi.waitFor(() => expect(said('blocked')).toBeGreaterThan(before + 1), 20_000)
    fails = false
    await vi.waitFor(() => expect(said('unblocked')).toBe(outage), 20_000)
    expect(await pipeline.status()).toMatchObject({ status: 'idle', problem: null })
  }
  await stop()
  const away = expect.stringMatching(/^warn images: no file can be taken: the disk is away/)
  const again = 'info images: files can be taken again'
  expect(heard()).toEqual([away, again, away, again])
})

test('I3 an image that waits for a person is a warning once in each process, also after a restart', async () => {
  const world = await imageWorld()
  await world.drop('a.png', 'good')
  for (const run of ['the first', 'after a restart']) {
    const { logger, heard, lines } = listening()
    const { stop } = await world.start({ process: async () => ({ outputs: [], codes: [] }) }, { logger })
    await vi.waitFor(() => expect(lines.join('\n')).toContain('waits to be processed again'), 20_000)
    await stop()
    expect(heard(), run).toEqual([
      expect.stringMatching(/^warn images: a\.png: stays in images_sources.* waits to be processed again/),
    ])
  }
})
