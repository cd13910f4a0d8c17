// The image pipeline on a host: registers the two machines with what they need of the world, and answers for them.
import { isLeft } from 'fp-ts/lib/Either.js'
import type { Observable } from 'rxjs'
import { Subject } from 'rxjs'
import { fromPromise } from 'xstate'
import { answerOf, must } from '../../ports/answer.ts'
import { LONGEST_TIMER } from '../../ports/clock.ts'
import { DuramenError } from '../../ports/errors.ts'
import { within } from '../../ports/signal.ts'
import { textOf } from '../../ports/thrown.ts'
import type { DurableActor } from '../../runtime/actor.ts'
import { type DurableMachine, durable, slotless } from '../../runtime/durable.ts'
import type { Host } from '../../runtime/host.ts'
import { assertHost, openInstance, UNCOUNTED } from '../hosting.ts'
import { answersOf } from './answers.ts'
import { coordinatorMachine, ownedNames } from './coordinator.ts'
import { logLines } from './log-lines.ts'
import { imageMachine } from './machine.ts'
import { type ImagePipelineOptions, type PipelineGiven, pipelineGiven } from './options.ts'
import { Resuming } from './resuming.ts'
import { Running } from './running.ts'
import type { CoordinatorMessage, ImageContext, ImageMessage, Outcome, Problem } from './types.ts'
import { archive, claimNext, type Ports, process, quarantine, upload } from './work.ts'

export type * from '../../ports/image.ts'
export type { ImagePipelineOptions } from './options.ts'
export type * from './types.ts'
export { coordinatorMachine, imageMachine }

/** What the pipeline is doing. The first five are known to users by these names. */
export interface PipelineStatus {
  /** An image is in images_sources. */
  readonly has_image: boolean
  /** Its name there; the oldest, where there are several. */
  readonly current_image: string | null
  /** Images that are processed and not yet in the store. */
  readonly pending_uploads: number
  readonly awaiting_upload: boolean
  /** `idle`, `blocked`, or the state of the current image. */
  readonly status: string
  /** Why nothing goes on, or why the current image waits. */
  readonly problem: Problem | null
  /** Files in each folder; null while they can't be read. */
  readonly folders: Readonly<Record<'source' | 'images_sources' | 'images_old' | 'quarantined', number>> | null
  /** How many images ended how, since the journal began. */
  readonly totals: Readonly<Record<Outcome, number>>
}

/** What `events$` tells: a step of one image, or of the pipeline as a whole. */
export type PipelineEvent = (ImageMessage & { readonly id: string }) | CoordinatorMessage

/** A running pipeline. */
export interface ImagePipeline {
  status(): Promise<PipelineStatus>
  /** Processes what is prepared (manual mode), or tries again at once. Rejects with NO_IMAGE when there is none. */
  processAuto(): Promise<void>
  /** Uploads what is processed, or tries again at once (I2). Rejects with NO_IMAGE when there is none. */
  processFinal(): Promise<void>
  /** I8: archives the current image without upload. Rejects with NO_IMAGE when none is in images_sources. */
  forceArchive(order: { who: string; why?: string }): Promise<void>
  /** Each step, from now on (I9). */
  readonly events$: Observable<PipelineEvent>
  /** Resolves once source/ and images_sources are empty. */
  drained(options?: { signal?: AbortSignal }): Promise<void>
  /** Closes folders and store, as `host.close` does by itself. May be called twice, before or after that. */
  close(): Promise<void>
}

/** How long a host that closes waits for folders and store, ms. */
const FREEING = 10_000

type Line = DurableActor<typeof coordinatorMachine>

/**
 * The image pipeline, ready-made: takes files from source/ one after the other, processes them, uploads the outputs as one
 * unit, and archives the file only once the store has confirmed (I1). After a crash it goes on where it was.
 *
 * Rejects with LOCKED when another process works on these folders (its pid is named), CLOSED when `host.stop` has ended it
 * or its host is closed meanwhile, or with what folders, journal and machines answer.
 */
export async function imagePipeline(host: Host, options: ImagePipelineOptions): Promise<ImagePipeline> {
  assertHost('imagePipeline', host)
  const given = pipelineGiven(options)
  const { folders, store, connection, slots, id, poll, retry, crashes } = given
  const ports: Ports = { folders, store, process: given.process, connection, poll, crashes }
  const events = new Subject<PipelineEvent>()
  events.subscribe(logLines(id, host.logger))
  let line: Line | undefined
  let resuming: Resuming | undefined
  let stays = () => {}
  let closing: Promise<void> | undefined

  const image = imageOf(id, ports, (sha256) => resuming?.began(sha256))
  const running = new Running(host, image, given, events)
  const coordinated = durable(
    coordinatorMachine.provide({
      actors: {
        claimNext: fromPromise(({ input: { known, blocked }, signal }) =>
          claimNext(ports, () => (line ? ownedNames(line.getSnapshot().context) : known), blocked, signal),
        ),
        runImage: fromPromise(({ input, signal }) => running.run(input, signal)),
      },
    }),
    { id: `${id}.coordinator`, retry: UNCOUNTED },
  )
  const coordinator = slotless(coordinated, 'claimNext', 'runImage')

  /** What interrupted uploads have left: no reason to wait, or not to begin. */
  async function sweep(): Promise<void> {
    const swept = await answerOf('store.sweep', store.sweep())
    if (isLeft(swept)) host.logger.warn(`the store could not be swept: ${swept.left.message}`, swept.left)
  }

  function close(): Promise<void> {
    closing ??= leave().finally(() => stays())
    return closing
  }
  async function leave(): Promise<void> {
    resuming?.end()
    events.complete()
    await must('folders.close', folders.close())
    await must('store.close', store.close())
  }

  await must('folders.open', folders.open())
  // a pipeline that waits for a person keeps its process
  const alive = setInterval(() => {}, LONGEST_TIMER)
  try {
    // K10: what can't be freed holds up no host
    stays = host.endsWith(() =>
      within(host.clock, FREEING, close(), () => {
        throw new DuramenError('TIMEOUT', `its folders and store were not free within ${FREEING} ms`)
      }).catch((error) => host.logger.warn(`${id}: ${textOf(error)}`, error)),
    )
    await host.register(image)
    const input = { id: 'image', slots, retry }
    const opened: Line = await openInstance(host, coordinator, 'line', input, `the image pipeline '${id}'`)
    line = opened
    opened.on('*', (message) => events.next(message))
    const over = new AbortController() // nothing more will come of it: its host is closed, or somebody has ended it
    opened.subscribe({
      complete: () => {
        clearInterval(alive)
        over.abort(new DuramenError('CLOSED', `the image pipeline '${id}' was ended while it was being opened`))
      },
    })
    await settled(opened, given)
    const active = () => opened.getSnapshot().context.active
    await running.known(active, over.signal)
    if (connection)
      resuming = new Resuming(connection, events, { images: () => running.of(active()), sweep, logger: host.logger })
    else void sweep()
    return { events$: events.asObservable(), ...answersOf(opened, running, given), close }
  } catch (error) {
    clearInterval(alive)
    resuming?.end()
    stays()
    await must('folders.close', folders.close())
    throw error
  }
}

/** Options that are others than at its last start count from now on, and what is stuck is tried again. */
async function settled(line: Line, { slots, retry }: PipelineGiven): Promise<void> {
  const { context } = line.getSnapshot()
  if (context.slots !== slots || context.retry.first !== retry.first || context.retry.max !== retry.max)
    await line.send({ type: 'CONFIGURE', slots, retry })
  if (context.stuck.length > 0) await line.send({ type: 'RETRY' })
}

/** The machine of its images. `began` hears of each content whose upload begins. */
const imageOf = (id: string, ports: Ports, began: (sha256: string) => void): DurableMachine<typeof imageMachine> =>
  durable(
    imageMachine.provide({
      actors: {
        process: fromPromise(({ input, signal }) => process(ports, input, signal)),
        upload: fromPromise(({ input, signal }) => {
          began(input.key)
          return upload(ports, input, signal)
        }),
        archive: fromPromise(({ input }) => archive(ports, input)),
        quarantine: fromPromise(({ input }) => quarantine(ports, input)),
      },
    }),
    { id: `${id}.image`, attributes: ({ context }) => attributesOf(context), retry: UNCOUNTED },
  )

/** What a list of images shows without running code. */
function attributesOf({ original, outcome, problem }: ImageContext): Record<string, unknown> {
  return { name: original, ...(outcome && { outcome }), ...(problem && { problem: problem.message }) }
}
