// The coordinator of a pipeline: takes the next file when a slot is free, and runs one image machine for each.
//
// I4 At most `slots` images are in images_sources; `claimNext` gives them in the folder's stable order. A claim that a
//    crash cut short (the file was moved, its record is missing) is found by `claimNext` among the files that nobody owns.
//
// No I/O here: both actors come from an adapter.
import { assign, emit, enqueueActions, fromPromise, setup, spawnChild, stopChild } from 'xstate'
import type { ClaimedFile } from '../../ports/image.ts'
import { backoff, errorOf, problemOf, unprovided } from '../problems.ts'
import { againText } from './problems.ts'
import type {
  Active,
  CoordinatorContext,
  CoordinatorEvent,
  CoordinatorInput,
  CoordinatorMessage,
  Outcome,
} from './types.ts'

/** XState's events about a child that has ended. */
const childOf = (event: unknown) => (event as { actorId: string }).actorId
const without = (list: readonly Active[], id: string) => list.filter((a) => a.id !== id)

/** Takes the next file when a slot is free (I4), one instance a pipeline; `imagePipeline` gives it what it needs of the world. */
export const coordinatorMachine = setup({
  types: {} as {
    context: CoordinatorContext
    input: CoordinatorInput
    events: CoordinatorEvent
    emitted: CoordinatorMessage
  },
  actors: {
    /**
     * Waits for the next file, moves it to images_sources and looks at it. `known`: names there that are owned. Where the
     * line was `blocked`, null as soon as it can look again and finds nothing to take.
     */
    claimNext: fromPromise<ClaimedFile | null, { known: readonly string[]; blocked: boolean }>(unprovided('claimNext')),
    /** Starts the image's machine, if it is not there yet, and waits for its end. */
    runImage: fromPromise<Outcome, Active>(unprovided('runImage')),
  },
  actions: {
    configure: assign(({ event }) => (event.type === 'CONFIGURE' ? { slots: event.slots, retry: event.retry } : {})),
  },
  guards: {
    hasSlot: ({ context }) => context.active.length < context.slots,
    isImage: ({ context, event }) => context.active.some((a) => a.id === childOf(event)),
  },
  delays: { backoff: ({ context }) => backoff(context.retry, context.tries) },
}).createMachine({
  id: 'imageCoordinator',
  context: ({ input }) => ({
    ...input,
    active: [],
    stuck: [],
    claimed: 0,
    tries: 0,
    problem: null,
    totals: { archived: 0, duplicate: 0, forced: 0, quarantined: 0, gone: 0 },
  }),
  initial: 'watching',
  on: {
    CONFIGURE: { actions: 'configure' },
    RETRY: {
      actions: enqueueActions(({ context, enqueue }) => {
        for (const image of context.stuck) enqueue.spawnChild('runImage', { id: image.id, input: image })
        enqueue.assign({ active: [...context.stuck, ...context.active], stuck: [], problem: null })
      }),
    },
    'xstate.done.actor.*': {
      guard: 'isImage',
      actions: [
        stopChild(({ event }) => childOf(event)),
        assign(({ context, event }) => {
          const { output } = event as unknown as { output: Outcome }
          return {
            active: without(context.active, childOf(event)),
            totals: { ...context.totals, [output]: context.totals[output] + 1 },
          }
        }),
      ],
    },
    'xstate.error.actor.*': {
      guard: 'isImage',
      actions: [
        stopChild(({ event }) => childOf(event)),
        assign(({ context, event }) => {
          const id = childOf(event)
          return {
            active: without(context.active, id),
            stuck: [...context.stuck, ...context.active.filter((a: Active) => a.id === id)],
            problem: problemOf(errorOf(event)),
          }
        }),
      ],
    },
  } as never,
  states: {
    watching: {
      // fewer slots call the claim off
      on: { CONFIGURE: { target: 'full', actions: 'configure' } },
      invoke: {
        src: 'claimNext',
        id: 'claimNext',
        input: ({ context }) => ({ known: ownedNames(context), blocked: context.tries > 0 }),
        onDone: [
          {
            guard: ({ event }) => event.output === null,
            target: 'full',
            actions: [
              assign({ tries: 0, problem: null }),
              emit({ type: 'unblocked' as const, message: 'files can be taken again' }),
            ],
          },
          {
            target: 'full',
            actions: [
              assign(({ context, event }) => ({
                claimed: context.claimed + 1,
                active: [...context.active, { ...event.output!, id: imageId(context) }],
                tries: 0,
                problem: null,
              })),
              spawnChild('runImage', {
                id: ({ context }) => context.active.at(-1)!.id,
                input: ({ context }) => context.active.at(-1)!,
              }),
              emit(({ context }) => {
                const { id, name, original } = context.active.at(-1)!
                const renamed = name === original ? '' : ` as ${name}`
                return {
                  type: 'claimed' as const,
                  id,
                  name,
                  message: `${original}: taken into images_sources${renamed}`,
                }
              }),
            ],
          },
        ],
        onError: {
          target: 'blocked',
          actions: [
            assign(({ context, event }) => ({ tries: context.tries + 1, problem: problemOf(event.error) })),
            emit(({ context }) => ({
              type: 'blocked' as const,
              message: `no file can be taken: ${context.problem!.message}; ${againText(context)}`,
              problem: context.problem!,
            })),
          ],
        },
      },
    },
    full: { always: { guard: 'hasSlot', target: 'watching' } },
    blocked: { after: { backoff: 'watching' } },
  },
})

/** Names in images_sources that belong to an image of the pipeline. */
export const ownedNames = ({ active, stuck }: CoordinatorContext) => [...active, ...stuck].map((a) => a.name)

const imageId = ({ id, claimed }: CoordinatorContext) => `${id}-${String(claimed + 1).padStart(6, '0')}`
