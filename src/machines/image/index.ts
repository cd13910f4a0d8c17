// The image pipeline on a host: registers the two machines with what they need of the world, and answers for them.

import { isLeft } from 'fp-ts/lib/Either.js'
import type { Observable } from 'rxjs'
import { Subject } from 'rxjs'
import { fromPromise, type SnapshotFrom } from 'xstate'
import { answerOf, must } from '../../ports/answer.ts'
import { LONGEST_TIMER } from '../../ports/clock.ts'
import { DuramenError } from '../../ports/errors.ts'
import { sleep, within } from '../../ports/signal.ts'
import { textOf } from '../../ports/thrown.ts'
import type { DurableActor } from '../../runtime/actor.ts'
import { systemClock } from '../../runtime/clock.ts'
import { type DurableMachine, durable, slotless } from '../../runtime/durable.ts'
import type { Host } from '../../runtime/host.ts'
import { assertHost, openInstance, UNCOUNTED } from '../hosting.ts'
import { backoff, problemOf } from '../problems.ts'
import { coordinatorMachine, ownedNames } from './coordinator.ts'
import { logLines } from './log-lines.ts'
import { imageMachine, preparedText, rejectedText, stateName } from './machine.ts'
import { type ImagePipelineOptions, orderGiven, pipelineGiven, signalGiven } from './options.ts'
import { Resuming, toldWith } from './resuming.ts'
import type { Active, CoordinatorMessage, ImageContext, ImageInput, ImageMessage, Outcome, Problem } from './types.ts'
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

type ImageActor = DurableActor<typeof imageMachine>

/**
 * The image pipeline, ready-made: takes files from source/ one after the other, processes them, uploads the outputs as one
 * unit, and archives the file only once the store has confirmed (I1). After a crash it goes on where it was.
 *
 * Rejects with LOCKED when another process works on these folders (its pid is named), CLOSED when `host.stop` has ended it,
 * or with what folders, journal and machines answer.
 */
export async function imagePipeline(host: Host, options: ImagePipelineOptions): Promise<ImagePipeline> {
  assertHost('imagePipeline', host)
  const given = pipelineGiven(options)
  const { folders, store, connection, mode, slots, id, poll, retry, processAttempts, crashes } = given
  const ports: Ports = { folders, store, process: given.process, connection, poll, crashes }
  const events = new Subject<PipelineEvent>()
  events.subscribe(logLines(id, host.logger))
  const current = new Map<string, ImageActor>()
  const sameContent = new Map<string, Promise<unknown>>()
  /** Images that can't be asked yet: they wait for equal content, or for the journal. */
  const behind = new Set<string>()
  let resuming: Resuming | undefined

  const image = durable(
    imageMachine.provide({
      actors: {
        process: fromPromise(({ input, signal }) => process(ports, input, signal)),
        upload: fromPromise(({ input, signal }) => {
          resuming?.began(input.key)
          return upload(ports, input, signal)
        }),
        archive: fromPromise(({ input }) => archive(ports, input)),
        quarantine: fromPromise(({ input }) => quarantine(ports, input)),
      },
    }),
    { id: `${id}.image`, attributes: ({ context }) => attributesOf(context), retry: UNCOUNTED },
  )
  const coordinated: DurableMachine<typeof coordinatorMachine> = durable(
    coordinatorMachine.provide({
      actors: {
        claimNext: fromPromise(({ input, signal }) =>
          claimNext(ports, () => (line ? ownedNames(context()) : input.known), signal),
        ),
        runImage: fromPromise(({ input, signal }) => runImage(input, signal)),
      },
    }),
    { id: `${id}.coordinator`, retry: UNCOUNTED },
  )
  const coordinator = slotless(coordinated, 'claimNext', 'runImage')

  /** The image's actor; a journal in trouble that may pass is asked again for as long as it takes (I2). */
  async function imageActor(imageId: string, input: ImageInput, signal: AbortSignal) {
    for (let tries = 1; ; tries++) {
      try {
        return { actor: await host.actor(image, imageId, { input, create: 'only' }), isNew: true }
      } catch (error) {
        const { code, retryable } = error as DuramenError
        if (code === 'INSTANCE_EXISTS')
          return { actor: await host.actor(image, imageId, { create: false }), isNew: false }
        if (!retryable) throw error
        behind.add(imageId)
        await sleep(systemClock, backoff(retry, tries), signal)
      }
    }
  }

  async function runImage(active: Active, signal: AbortSignal): Promise<Outcome> {
    const { id: imageId, ...claimed } = active
    // I5: equal content goes one after the other, so that the second finds the first one's in the store
    const before = sameContent.get(active.sha256)
    let done = () => {}
    const mine = new Promise<void>((resolve) => (done = resolve))
    sameContent.set(active.sha256, mine)
    try {
      if (before) behind.add(imageId)
      await before
      const { actor, isNew } = await imageActor(imageId, { ...claimed, mode, retry, processAttempts }, signal)
      current.set(imageId, actor)
      behind.delete(imageId)
      const listening = actor.on('*', (event) => events.next({ ...toldWith(connection, event), id: imageId }))
      // what its first commit had to say went before anyone could listen
      const first = firstMessage(actor.getSnapshot(), isNew)
      if (first) events.next({ ...first, id: imageId })
      try {
        const end = await actor.waitFor((s) => s.status === 'done', { signal })
        return end.context.outcome!
      } finally {
        listening.unsubscribe()
        current.delete(imageId)
      }
    } finally {
      behind.delete(imageId)
      done()
      if (sameContent.get(active.sha256) === mine) sameContent.delete(active.sha256)
    }
  }

  /** What interrupted uploads have left: no reason to wait, or not to begin. */
  async function sweep(): Promise<void> {
    const swept = await answerOf('store.sweep', store.sweep())
    if (isLeft(swept)) host.logger.warn(`the store could not be swept: ${swept.left.message}`, swept.left)
  }

  await must('folders.open', folders.open())
  // a pipeline that waits for a person keeps its process
  const alive = setInterval(() => {}, LONGEST_TIMER)
  let closing: Promise<void> | undefined
  const close = () => {
    closing ??= leave().finally(() => stays())
    return closing
  }
  async function leave(): Promise<void> {
    resuming?.end()
    events.complete()
    await must('folders.close', folders.close())
    await must('store.close', store.close())
  }
  let stays = () => {}
  let line!: DurableActor<typeof coordinatorMachine>
  const context = () => line.getSnapshot().context
  /** The images under way, oldest first. */
  const under = () => context().active.flatMap(({ id: imageId }) => current.get(imageId) ?? [])
  try {
    // K10: what can't be freed holds up no host
    stays = host.endsWith(() =>
      within(host.clock, FREEING, close(), () => {
        throw new DuramenError('TIMEOUT', `its folders and store were not free within ${FREEING} ms`)
      }).catch((error) => host.logger.warn(`${id}: ${textOf(error)}`, error)),
    )
    await host.register(image)
    line = await openInstance(host, coordinator, 'line', { id: 'image', slots, retry }, `the image pipeline '${id}'`)
    line.on('*', (message) => events.next(message))
    line.subscribe({ complete: () => clearInterval(alive) }) // the host is closed
    const { context: now } = line.getSnapshot()
    if (now.slots !== slots || now.retry.first !== retry.first || now.retry.max !== retry.max)
      await line.send({ type: 'CONFIGURE', slots, retry })
    if (now.stuck.length > 0) await line.send({ type: 'RETRY' })
    await known()
    if (connection) resuming = new Resuming(connection, events, { images: under, sweep, logger: host.logger })
    else void sweep()
  } catch (error) {
    clearInterval(alive)
    resuming?.end()
    stays()
    await must('folders.close', folders.close())
    throw error
  }

  /** Until all images under way can be asked, so that what comes next finds them. */
  async function known(): Promise<void> {
    const missing = () => context().active.some((a) => !current.has(a.id) && !behind.has(a.id))
    while (missing()) await new Promise((resolve) => setTimeout(resolve, 5))
  }

  async function toCurrent(
    state: Parameters<ReturnType<ImageActor['getSnapshot']>['matches']>[0],
    event: Parameters<ImageActor['send']>[0],
    what: string,
  ) {
    const actor = under().find((a) => a.getSnapshot().matches(state))
    const handled = actor && (await actor.send(event)).handled
    if (!handled)
      throw new DuramenError('NO_IMAGE', `there is no image ${what}`, {
        where: { machine: image.id },
        hint: 'See status().',
      })
  }

  return {
    events$: events.asObservable(),
    async status() {
      const { active, totals, problem } = context()
      const snapshots = under().map((a) => a.getSnapshot())
      const [first] = snapshots
      const counted = await answerOf('folders.count', folders.count())
      if (isLeft(counted) && counted.left.code === 'CLOSED') throw counted.left
      const awaiting = snapshots.filter((s) => s.hasTag('awaiting_upload')).length
      return {
        has_image: active.length > 0,
        current_image: active[0]?.name ?? null,
        pending_uploads: awaiting,
        awaiting_upload: awaiting > 0,
        status: first
          ? stateName(first.value)
          : line.getSnapshot().matches('blocked')
            ? 'blocked'
            : active[0]
              ? 'source'
              : 'idle',
        problem: problem ?? first?.context.problem ?? (isLeft(counted) ? problemOf(counted.left) : null),
        folders: isLeft(counted) ? null : counted.right,
        totals,
      }
    },
    processAuto: () => toCurrent({ images_sources: 'prepared' }, { type: 'PROCESS' }, 'that waits to be processed'),
    processFinal: () =>
      toCurrent({ images_sources: 'awaitingUpload' }, { type: 'UPLOAD' }, 'that waits to be uploaded'),
    forceArchive: async (order) => {
      const { who, why } = orderGiven(order)
      return toCurrent(
        'images_sources',
        { type: 'FORCE_ARCHIVE', who, ...(why !== undefined && { why }) },
        'in images_sources',
      )
    },
    async drained(options) {
      const signal = signalGiven(options)
      for (;;) {
        await line.waitFor((s) => s.context.active.length === 0, signal && { signal })
        const { source, images_sources } = await must('folders.count', folders.count())
        const { active, stuck } = context()
        if (source === 0 && images_sources <= stuck.length && active.length === 0) return
        await new Promise((resolve) => setTimeout(resolve, Math.min(poll, 50)))
      }
    },
    close,
  }
}

/** What an image has to say when it is taken, or waits when its pipeline is opened again. */
function firstMessage({ value, context }: SnapshotFrom<typeof imageMachine>, isNew: boolean): ImageMessage | undefined {
  const { name, problem } = context
  const said = { name, problem, awaiting_upload: false }
  const state = stateName(value)
  if (state === 'rejected' || (isNew && context.refused !== undefined))
    return { ...said, type: 'rejected', message: `${name}: ${rejectedText(context)}` }
  if (state !== 'prepared' && !isNew) return undefined
  return { ...said, type: 'prepared', message: `${name}: ${preparedText(context)}` }
}

/** What a list of images shows without running code. */
function attributesOf({ original, outcome, problem }: ImageContext): Record<string, unknown> {
  return { name: original, ...(outcome && { outcome }), ...(problem && { problem: problem.message }) }
}
