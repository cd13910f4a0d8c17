// What people ask of a pipeline that is open, answered from its line and the images under way.
import { isLeft } from 'fp-ts/lib/Either.js'
import { answerOf, must } from '../../ports/answer.ts'
import { DuramenError } from '../../ports/errors.ts'
import type { DurableActor } from '../../runtime/actor.ts'
import { problemOf } from '../problems.ts'
import type { coordinatorMachine } from './coordinator.ts'
import type { ImagePipeline, PipelineStatus } from './index.ts'
import { stateName } from './machine.ts'
import { orderGiven, type PipelineGiven, signalGiven } from './options.ts'
import type { ImageActor, Running } from './running.ts'

type Answers = Omit<ImagePipeline, 'events$' | 'close'>

export function answersOf(
  line: DurableActor<typeof coordinatorMachine>,
  running: Running,
  { folders, poll }: PipelineGiven,
): Answers {
  const context = () => line.getSnapshot().context
  /** Those that are under way, oldest first. */
  const images = () => running.of(context().active)

  async function status(): Promise<PipelineStatus> {
    const { active, totals, problem } = context()
    const snapshots = images().map((image) => image.getSnapshot())
    const [first] = snapshots
    const counted = await answerOf('folders.count', folders.count())
    if (isLeft(counted) && counted.left.code === 'CLOSED') throw counted.left
    const awaiting = snapshots.filter((snapshot) => snapshot.hasTag('awaiting_upload')).length
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
  }

  async function toCurrent(
    state: Parameters<ReturnType<ImageActor['getSnapshot']>['matches']>[0],
    event: Parameters<ImageActor['send']>[0],
    what: string,
  ): Promise<void> {
    const image = images().find((one) => one.getSnapshot().matches(state))
    const handled = image && (await image.send(event)).handled
    if (!handled)
      throw new DuramenError('NO_IMAGE', `there is no image ${what}`, {
        where: { machine: running.machine.id },
        hint: 'See status().',
      })
  }

  return {
    status,
    processAuto: () => toCurrent({ images_sources: 'prepared' }, { type: 'PROCESS' }, 'that waits to be processed'),
    processFinal: () =>
      toCurrent({ images_sources: 'awaitingUpload' }, { type: 'UPLOAD' }, 'that waits to be uploaded'),
    async forceArchive(order) {
      const { who, why } = orderGiven(order)
      const event = { type: 'FORCE_ARCHIVE', who, ...(why !== undefined && { why }) } as const
      return toCurrent('images_sources', event, 'in images_sources')
    },
    async drained(options) {
      const signal = signalGiven(options)
      for (;;) {
        await line.waitFor((snapshot) => snapshot.context.active.length === 0, signal && { signal })
        const { source, images_sources } = await must('folders.count', folders.count())
        const { active, stuck } = context()
        if (source === 0 && images_sources <= stuck.length && active.length === 0) return
        await new Promise((resolve) => setTimeout(resolve, Math.min(poll, 50)))
      }
    },
  }
}
