// An image pipeline whose process dies at a chosen operation of files, journal or processor, and the one that comes after.
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { nodeFiles } from '../../src/adapters/filesystem/files.ts'
import { fileSystemStore } from '../../src/adapters/filesystem/index.ts'
import { openHost } from '../../src/index.ts'
import type { Append } from '../../src/journal/index.ts'
import { decodeCommit } from '../../src/journal/records.ts'
import { type ImagePipeline, type ImagePipelineOptions, imagePipeline } from '../../src/machines/index.ts'
import type { ImageProcessor, ProcessInput } from '../../src/ports/image.ts'
import { type CrashOptions, crashingFs } from '../../src/testing/images/index.ts'
import { quiet } from './host.ts'
import { type ImageWorld, imageWorld, publishing, twoOutputs } from './image-world.ts'
import { kept } from './journals.ts'

export interface CrashScenario {
  prepare(world: ImageWorld): Promise<void>
  options?: Partial<ImagePipelineOptions>
  process?: ImageProcessor
  store?: (world: ImageWorld, real: ImagePipelineOptions['store']) => ImagePipelineOptions['store']
  /** What users do while it runs, in the first process and in the next. Default: wait until it is drained. */
  drive?(pipeline: ImagePipeline): Promise<void>
  /** After the second process has ended. */
  after(world: ImageWorld): Promise<void>
}

const AT_ONCE = 8

/**
 * Dies at each operation of the scenario; the answer is how many there are. What is on disk and in the journal after one
 * is what is there before the next, unless two run at once: the deaths after each are tried as well with DURAMEN_SOAK=1.
 */
export async function dieEverywhere(scenario: CrashScenario): Promise<number> {
  const operations = await dieOnce(scenario, {})
  const moments = process.env.DURAMEN_SOAK ? (['before', 'after'] as const) : (['before'] as const)
  const deaths = Array.from({ length: operations }, (_, i) => moments.map((when) => ({ stopAt: i + 1, when }))).flat()
  const worker = async () => {
    for (let death = deaths.shift(); death; death = deaths.shift()) await dieAt(scenario, death, operations)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  return operations
}

async function dieAt(scenario: CrashScenario, death: CrashOptions, operations: number): Promise<void> {
  let last = ''
  const onOp = (operation: string, args: readonly unknown[]) => {
    last = `${operation} ${args.filter((arg) => typeof arg === 'string').join(' ')}`
  }
  try {
    const hangs = new Promise<never>((_, reject) => {
      setTimeout(() => reject(new Error('nothing goes on any more')), 20_000).unref()
    })
    await Promise.race([hangs, dieOnce(scenario, { ...death, onOp })])
  } catch (error) {
    const { when, stopAt } = death
    throw new Error(`died ${when} operation ${stopAt} of ${operations} (last: ${last}): ${error}`, { cause: error })
  }
}

async function dieOnce(scenario: CrashScenario, crash: CrashOptions): Promise<number> {
  const world = await imageWorld()
  const { process: processor = twoOutputs, drive = (pipeline) => pipeline.drained() } = scenario
  const again: string[] = []
  const watched: ImageProcessor = async (input) => {
    if (await isRecorded(world, input)) again.push(input.name)
    return processor(input)
  }
  const alive = publishing(nodeFiles, world.published)
  // one counted sequence: whatever it dies at, nothing else of that process goes on
  const mortal = crashingFs(
    { ...alive, append: (append: Append) => world.journal.append(append)(), process: watched },
    crash,
  )
  const files = mortal.files
  const run = async (mine: typeof files) => {
    const journal = { ...kept(world.journal), append: (append: Append) => () => mine.append(append) }
    const host = await openHost({ journal, logger: quiet })
    const store = fileSystemStore(world.storeDir, mine)
    const pipeline = await imagePipeline(host, {
      folders: world.folders(mine),
      store: scenario.store?.(world, store) ?? store,
      process: mine.process,
      poll: 10,
      retry: { first: 2, max: 10 },
      ...scenario.options,
    })
    await drive(pipeline)
    return { host, pipeline }
  }
  await scenario.prepare(world)
  const ended = await Promise.race([run(files), mortal.crashed])
  const operations = mortal.count()
  if (ended !== 'crashed') await Promise.race([ended.host.close().then(ended.pipeline.close), mortal.crashed])
  await mortal.bury()
  await rm(join(world.images, '.duramen/lock'), { force: true }) // of a dead process, had it not been this one
  const next = await run({ ...files, ...alive, append: (a) => world.journal.append(a)(), process: watched })
  const { totals } = await next.pipeline.status()
  await next.host.close()
  await next.pipeline.close()

  expect(again, 'processed again after it was recorded').toEqual([])
  expect(world.published.again, 'uploaded again').toEqual([])
  expect(await world.names('.duramen/outputs'), 'outputs left').toEqual([])
  expect(await world.names('images_sources')).toEqual([])
  const files_ = await world.everything()
  expect(
    Object.values(totals).reduce((sum, n) => sum + n, 0),
    'totals',
  ).toBe(files_.filter((file) => !file.endsWith(': other')).length)
  await scenario.after(world)
  await rm(world.root, { recursive: true, maxRetries: 5 })
  return operations
}

/** Whether the journal says already that this image's processing has ended well. */
async function isRecorded(world: ImageWorld, { key }: Pick<ProcessInput, 'key'>): Promise<boolean> {
  const [stream, seq] = key.split('@') as [string, string]
  for (const record of await world.texts()) {
    if (record.stream !== stream) continue
    const { target, payload } = decodeCommit(record as never)
    if (`@${seq}` === target && (payload() as { type: string }).type === 'xstate.promise.resolve') return true
  }
  return false
}
