// The pipeline at work: a line a step, and the bar, until source/ and images_sources are empty.
import { setTimeout as sleep } from 'node:timers/promises'
import { sharpProcessor } from '../adapters/sharp/index.ts'
import { type ImagePipeline, imagePipeline } from '../machines/index.ts'
import { must } from '../ports/answer.ts'
import type { ImageProcessor } from '../ports/image.ts'
import { printable } from '../ports/printable.ts'
import { listImages, outcomeOf } from './images.ts'
import type { Screen } from './screen.ts'
import type { Stage } from './stage.ts'
import { stepLine } from './steps.ts'

/** Between two looks at the pipeline for the progress bar. */
const GLANCE = 150

/** Resolves once nothing is left to do; rejects when it is told to end. */
export async function run({ options, store, host, folders, screen, signal }: Stage): Promise<void> {
  const before = (await listImages(host)).filter((image) => outcomeOf(image) !== undefined).length
  const { source, images_sources } = await must('folders.count', folders.count())
  const total = before + source + images_sources
  const pipeline = await imagePipeline(host, {
    folders,
    store: store.images,
    process: slowed(sharpProcessor(), options.slow),
  })
  pipeline.events$.subscribe((event) => {
    const line = stepLine(event, screen)
    if (line !== undefined) screen.line(line)
  })
  // a glance that fails says nothing: the pipeline itself tells what is wrong
  const glances = setInterval(() => void glance(pipeline, total, screen).catch(() => {}), GLANCE)
  try {
    await pipeline.drained({ signal })
  } finally {
    clearInterval(glances)
  }
}

async function glance(pipeline: ImagePipeline, total: number, screen: Screen): Promise<void> {
  const { totals, current_image, status } = await pipeline.status()
  const done = Object.values(totals).reduce((sum, number) => sum + number)
  const what = current_image === null ? status : `${current_image}: ${status}`
  // more than there were at the start: someone has put files into source/ since
  screen.progress(done, Math.max(done, total), printable(what))
}

/** Waits before each image, so that there is time to kill the process. */
function slowed(process: ImageProcessor, slow: number): ImageProcessor {
  return async (input) => {
    await sleep(slow, undefined, { signal: input.signal })
    return process(input)
  }
}
