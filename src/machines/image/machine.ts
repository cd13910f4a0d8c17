// One image on its way: source → images_sources → uploaded → images_old, or quarantined.
//
// I1 The file leaves images_sources only from `uploaded`, which is entered only by a store's confirmation; `forcing` (I8)
//    and `rejected` (I6) are the only ways round.
// I2 A failed upload goes back to `awaitingUpload`, keeps its outputs, and is tried again by itself or by UPLOAD.
// I3 PAIRING_MISMATCH: nothing is uploaded, the image stays, until someone sends PROCESS or FORCE_ARCHIVE.
// I5 Content that the store has already is archived without an upload.
// I6 What is no image, or makes the processor fail again and again, goes to `quarantined` with its reason.
// I8 FORCE_ARCHIVE is taken in images_sources only.
// I9 Each step is emitted as a message.
//
// No I/O here: the four actors come from an adapter; without one they reject.
import { assign, emit, fromPromise, setup } from 'xstate'
import { backoff, errorOf, problemOf, unprovided } from '../problems.ts'
import { againText, isChanged, isEnvironment, isHopeless, isLost, isMismatch } from './problems.ts'
import type { CodedOutput, ImageContext, ImageEvent, ImageInput, ImageMessage, Outcome, Processed } from './types.ts'

const say = (type: ImageMessage['type'], text: (context: ImageContext) => string, waits = false) =>
  emit(({ context }: { context: ImageContext }) => ({
    type,
    name: context.name,
    message: `${context.name}: ${text(context)}`,
    awaiting_upload: waits,
    problem: context.problem,
  })) as never

const force = { FORCE_ARCHIVE: { target: '#image.images_sources.forcing', actions: 'rememberWho' } } as const

/** The machine of one image, to be drawn or tested; `imagePipeline` gives it what it needs of the world. */
export const imageMachine = setup({
  types: {} as {
    context: ImageContext
    input: ImageInput
    events: ImageEvent
    emitted: ImageMessage
  },
  actors: {
    /** Processes the file, unless the store has its content; resolves once the outputs are durable. */
    process: fromPromise<Processed, { name: string; sha256: string }>(unprovided('process')),
    /** Resolves once the store has confirmed all outputs by reading them back (I1). */
    upload: fromPromise<
      unknown,
      { key: string; name: string; outputs: readonly CodedOutput[]; info: ImageContext['info'] }
    >(unprovided('upload')),
    /** images_sources → images_old; null when the file is nowhere. */
    archive: fromPromise<string | null, { name: string; sha256: string }>(unprovided('archive')),
    /** images_sources → quarantined; null when the file is nowhere. */
    quarantine: fromPromise<string | null, { name: string; sha256: string; changed: boolean; reason: string }>(
      unprovided('quarantine'),
    ),
  },
  actions: {
    rememberWho: assign({
      forced: ({ event }) => (event.type === 'FORCE_ARCHIVE' ? { who: event.who, why: event.why ?? null } : null),
    }),
    failed: assign({
      problem: ({ event }) => problemOf(errorOf(event)),
      tries: ({ context }) => context.tries + 1,
    }),
    processorFailed: assign({ failures: ({ context }) => context.failures + 1 }),
    succeeded: assign({ problem: null, tries: 0 }),
    loseOutputs: assign({ outputs: [], problem: null, tries: 0 }),
  },
  guards: {
    refused: ({ context }) => context.refused !== undefined,
    goesByItself: ({ context }) => context.mode === 'auto' && context.problem === null,
    /** What failed is tried again by itself, in both modes; a mismatch is not, it needs someone. */
    triesAgain: ({ context }) => context.problem !== null && !isMismatch(context.problem),
  },
  delays: { backoff: ({ context }) => backoff(context.retry, context.tries) },
}).createMachine({
  id: 'image',
  context: ({ input }) => ({
    ...input,
    outputs: [],
    info: {},
    tries: 0,
    failures: 0,
    problem: input.refused === undefined ? null : { code: 'NOT_AN_IMAGE', message: input.refused },
    outcome: null,
    finalName: null,
    forced: null,
  }),
  initial: 'source',
  states: {
    source: {
      always: [{ guard: 'refused', target: 'images_sources.rejected' }, { target: 'images_sources' }],
    },
    images_sources: {
      initial: 'prepared',
      states: {
        prepared: {
          entry: say('prepared', preparedText),
          always: { guard: 'goesByItself', target: 'processing' },
          after: { backoff: { guard: 'triesAgain', target: 'processing' } },
          on: { PROCESS: 'processing', ...force },
        },
        processing: {
          invoke: {
            src: 'process',
            id: 'process',
            input: ({ context: { name, sha256 } }) => ({ name, sha256 }),
            onDone: [
              {
                guard: ({ event }) => event.output.duplicate,
                target: '#image.uploaded',
                actions: [
                  'succeeded',
                  assign({ outcome: 'duplicate' }),
                  say('recognised', () => 'the store has its content already; not uploaded again'),
                ],
              },
              {
                target: 'awaitingUpload',
                actions: [
                  'succeeded',
                  assign(({ event: { output } }) =>
                    output.duplicate ? {} : { outputs: output.outputs, info: output.info },
                  ),
                  say(
                    'processed',
                    (c) => `processed, ${c.outputs.length} output${c.outputs.length === 1 ? '' : 's'}; awaiting upload`,
                    true,
                  ),
                ],
              },
            ],
            onError: [
              {
                guard: ({ event }) => isMismatch(event.error),
                target: 'prepared',
                actions: ['failed', say('processing_failed', stays)],
              },
              { guard: ({ event }) => isHopeless(event.error), target: 'rejected', actions: 'failed' },
              {
                guard: ({ event }) => isEnvironment(event.error),
                target: 'prepared',
                actions: ['failed', say('processing_failed', stays)],
              },
              {
                guard: ({ context }) => context.failures + 1 >= context.processAttempts,
                target: 'rejected',
                actions: ['failed', 'processorFailed'],
              },
              {
                target: 'prepared',
                actions: ['failed', 'processorFailed', say('processing_failed', stays)],
              },
            ],
          },
          on: force,
        },
        awaitingUpload: {
          tags: 'awaiting_upload',
          always: { guard: 'goesByItself', target: 'uploading' },
          after: { backoff: { guard: 'triesAgain', target: 'uploading' } },
          on: { UPLOAD: 'uploading', ...force },
        },
        uploading: {
          tags: 'awaiting_upload',
          invoke: {
            src: 'upload',
            id: 'upload',
            input: ({ context }) => ({
              key: context.sha256,
              name: context.original,
              outputs: context.outputs,
              info: context.info,
            }),
            onDone: {
              target: '#image.uploaded',
              actions: ['succeeded', say('uploaded', () => 'uploaded and read back')],
            },
            onError: [
              {
                guard: ({ event }) => isLost(event.error),
                target: 'processing',
                actions: ['loseOutputs', say('processing_failed', () => 'its outputs are gone; processed again')],
              },
              { target: 'awaitingUpload', actions: ['failed', say('upload_failed', stays, true)] },
            ],
          },
          on: force,
        },
        rejected: {
          initial: 'moving',
          entry: say('rejected', rejectedText),
          states: {
            moving: {
              invoke: {
                src: 'quarantine',
                id: 'quarantine',
                input: ({ context: { name, sha256, problem } }) => ({
                  name,
                  sha256,
                  changed: problem?.code === 'FILE_CHANGED',
                  reason: problem?.message ?? 'refused',
                }),
                onDone: {
                  target: '#image.quarantined',
                  actions: assign(({ event }) => ({
                    finalName: event.output,
                    outcome: ended(event.output, 'quarantined'),
                  })),
                },
                onError: [
                  { guard: ({ event }) => isChanged(event.error), target: 'waiting', actions: 'failed' },
                  { target: 'waiting', actions: [moveFailed(), sayMoveFailed()] },
                ],
              },
            },
            waiting: { after: { backoff: 'moving' }, on: force },
          },
        },
        forcing: {
          initial: 'moving',
          states: {
            moving: {
              invoke: {
                src: 'archive',
                id: 'force',
                input: ({ context: { name, sha256 } }) => ({ name, sha256 }),
                onDone: {
                  target: '#image.images_old',
                  actions: assign(({ event }) => ({ finalName: event.output, outcome: ended(event.output, 'forced') })),
                },
                onError: [
                  {
                    guard: ({ event }) => isChanged(event.error),
                    target: '#image.images_sources.rejected',
                    actions: 'failed',
                  },
                  { target: 'waiting', actions: [moveFailed(), sayMoveFailed()] },
                ],
              },
            },
            waiting: { after: { backoff: 'moving' } },
          },
        },
      },
    },
    uploaded: {
      initial: 'moving',
      states: {
        moving: {
          invoke: {
            src: 'archive',
            id: 'archive',
            input: ({ context: { name, sha256 } }) => ({ name, sha256 }),
            onDone: {
              target: '#image.images_old',
              actions: assign(({ context, event }) => ({
                finalName: event.output,
                outcome: ended(event.output, context.outcome ?? 'archived'),
              })),
            },
            onError: [
              {
                guard: ({ event }) => isChanged(event.error),
                target: '#image.images_sources.rejected',
                actions: 'failed',
              },
              { target: 'waiting', actions: ['failed', say('move_failed', stays)] },
            ],
          },
        },
        waiting: { after: { backoff: 'moving' } },
      },
    },
    images_old: {
      type: 'final',
      entry: emit(({ context }) => last(context)),
    },
    quarantined: {
      type: 'final',
      entry: emit(({ context }) => last(context)),
    },
  },
  output: ({ context: { outcome, finalName } }) => ({ outcome, finalName }),
})

/** I2: the words that users look for, why, and until when. */
function stays(context: ImageContext): string {
  return `stays in images_sources for safety: ${reasonAndNext(context)}`
}

/** What an image says in `prepared`. */
export function preparedText(context: ImageContext): string {
  return context.problem ? `stays in images_sources: ${reasonAndNext(context)}` : 'prepared'
}

/** What an image says in `rejected`. */
export function rejectedText(context: ImageContext): string {
  return `can't be taken: ${reason(context)}`
}

function reasonAndNext(context: ImageContext): string {
  const next = isMismatch(context.problem) ? 'waits to be processed again, or archived by force' : againText(context)
  return `${reason(context)}; ${next}`
}

/** Why, without the file's name in front, which every message has already. */
function reason({ name, problem }: ImageContext): string {
  const text = problem?.message ?? 'refused'
  return text.startsWith(`${name}: `) ? text.slice(name.length + 2) : text
}

/** A move failed; the reason why the image is moved at all stays what it was. */
function moveFailed() {
  return assign<ImageContext, any, any, any, any>({ tries: ({ context }) => context.tries + 1 })
}

/** I9: why the move failed; the context's problem stays the reason of the move. */
function sayMoveFailed() {
  return emit(({ context, event }: any) => {
    const problem = problemOf(errorOf(event))
    const { name } = context
    return {
      type: 'move_failed',
      name,
      message: `${name}: ${stays({ ...context, problem })}`,
      awaiting_upload: false,
      problem,
    }
  }) as never
}

const ended = (finalName: string | null, outcome: Outcome): Outcome => (finalName === null ? 'gone' : outcome)

function last(context: ImageContext): ImageMessage {
  const { name, original, finalName, outcome, forced, problem } = context
  const texts: Record<Outcome, string> = {
    archived: `archived as ${finalName}`,
    duplicate: `a duplicate, archived as ${finalName}`,
    forced: `archived without upload by ${forced?.who}${forced?.why ? ` (${forced.why})` : ''}`,
    quarantined: `quarantined as ${finalName}: ${reason(context)}`,
    gone: 'vanished from images_sources',
  }
  const type = outcome ?? 'archived'
  return { type, name, message: `${original}: ${texts[type]}`, awaiting_upload: false, problem }
}

/**
 * The name of a state as people know it, of an instance or as a list shows it: `{ images_sources: { rejected: 'moving' } }` is
 * `rejected`, `{ uploaded: 'moving' }` is `uploaded`.
 */
export function stateName(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value)
  const [[top, inner]] = Object.entries(value) as [[string, unknown]]
  return top === 'images_sources' ? stateName(inner) : top
}
