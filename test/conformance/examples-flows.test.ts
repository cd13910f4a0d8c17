// Machines that XState's examples and pages show, each made anew: what they do is theirs, how they are written ours.
import { assign, emit, fromCallback, fromPromise, sendParent, sendTo, setup } from 'xstate'
import { back, conforms, fail, finish, type Loose } from '../support/conformance.ts'

const types = {} as Loose

conforms(
  'fetch with retry: more patience each time, then up to the user',
  ({ job }) =>
    setup({
      types,
      actors: { load: fromPromise(() => job('load')) },
      delays: { pause: ({ context }) => 1000 * 2 ** context.tries },
      guards: { again: ({ context }) => context.tries < 3 },
    }).createMachine({
      context: { tries: 0 },
      initial: 'idle',
      states: {
        idle: { on: { LOAD: 'loading' } },
        loading: {
          id: 'load',
          tags: 'busy',
          invoke: {
            src: 'load',
            id: 'load',
            onDone: { target: 'loaded', actions: assign({ data: ({ event }) => event.output }) },
            onError: {
              target: 'failed',
              actions: assign({
                tries: ({ context }) => context.tries + 1,
                error: ({ event }) => (event.error as Error).message,
              }),
            },
          },
        },
        failed: {
          initial: 'deciding',
          states: {
            deciding: { always: [{ guard: 'again', target: 'waiting' }, { target: 'given up' }] },
            waiting: { after: { pause: '#load' } },
            'given up': { on: { RETRY: { target: '#load', actions: assign({ tries: 0 }) } } },
          },
        },
        loaded: { type: 'final' },
      },
    } as never),
  {
    steps: [
      'LOAD',
      fail('load', new Error('1')),
      2000,
      fail('load', new Error('2')),
      3999,
      1,
      fail('load', new Error('3')),
      10_000,
      'RETRY',
      finish('load', 'data'),
    ],
    ends: { status: 'done', context: { data: 'data', error: '3', tries: 0 } },
  },
)

conforms(
  'credit check: three bureaus asked at once, and a report made of what they say',
  ({ job, did }) => {
    const bureau = (name: string): any => ({
      initial: 'asking',
      states: {
        asking: {
          invoke: {
            src: 'ask',
            id: `ask ${name}`,
            input: { name },
            onDone: {
              target: 'answered',
              actions: assign({ scores: ({ context, event }: any) => ({ ...context.scores, [name]: event.output }) }),
            },
            onError: { target: 'answered', actions: { type: 'warn', params: { name } } },
          },
        },
        answered: { type: 'final' },
      },
    })
    return setup({
      types,
      actors: {
        ask: fromPromise(({ input }: any) => job(`ask ${input.name}`)),
        verify: fromPromise(() => job('verify')),
      },
      actions: { warn: (_, params: { name: string }) => did(`no answer from ${params.name}`) },
      guards: { enough: ({ context }) => Object.keys(context.scores).length >= 2 },
    }).createMachine({
      context: { scores: {} },
      initial: 'applying',
      states: {
        applying: { on: { SUBMIT: { target: 'verifying', actions: assign({ ssn: ({ event }) => event.ssn }) } } },
        verifying: { invoke: { src: 'verify', id: 'verify', onDone: 'checking', onError: 'applying' } },
        checking: {
          type: 'parallel',
          states: { alpha: bureau('alpha'), beta: bureau('beta'), gamma: bureau('gamma') },
          onDone: [{ guard: 'enough', target: 'rated' }, { target: 'applying' }],
        },
        rated: { type: 'final', output: ({ context }: any) => Math.max(...Object.values<number>(context.scores)) },
      },
      output: ({ event }: any) => ({ rate: event.output }),
    })
  },
  {
    steps: [
      { type: 'SUBMIT', ssn: '1' },
      fail('verify', new Error('no such')),
      { type: 'SUBMIT', ssn: '2' },
      finish('verify'),
      finish('ask beta', 700),
      fail('ask alpha', new Error('down')),
      finish('ask gamma', 650),
    ],
    ends: { status: 'done', output: { rate: 700 } },
    did: ['no answer from alpha'],
  },
)

conforms(
  'parallel upload: a child for each file, progress by onSnapshot, some fail',
  ({ job, back }) => {
    const upload = setup({
      types,
      actors: {
        put: fromPromise(({ input }) => job(`put ${input}`)),
        progress: fromCallback(({ sendBack, input }) => void back.set(`progress ${input}`, sendBack)),
      },
    }).createMachine({
      context: ({ input }: any) => ({ name: input.name, percent: 0 }),
      initial: 'sending',
      states: {
        sending: {
          invoke: [
            { src: 'put', id: 'put', input: ({ context }) => context.name, onDone: 'sent', onError: 'failed' },
            { src: 'progress', id: 'progress', input: ({ context }) => context.name },
          ],
          on: {
            PROGRESS: {
              actions: [
                assign({ percent: ({ event }) => event.percent }),
                sendParent(({ context, event }) => ({ type: 'PROGRESS', name: context.name, percent: event.percent })),
              ],
            },
          },
        },
        failed: { on: { RETRY: 'sending' } },
        sent: { type: 'final' },
      },
      output: ({ context }: any) => context.name,
    })
    return setup({ types, actors: { upload } }).createMachine({
      context: { files: [], sent: [], percent: {} },
      initial: 'collecting',
      on: {
        PROGRESS: {
          actions: assign({ percent: ({ context, event }) => ({ ...context.percent, [event.name]: event.percent }) }),
        },
      },
      states: {
        collecting: {
          on: {
            FILES: {
              target: 'uploading',
              actions: assign({
                files: ({ event, spawn }) =>
                  event.names.map((name: string) => spawn('upload', { id: name, input: { name } })),
              }),
            },
          },
        },
        uploading: {
          always: { guard: ({ context }) => context.sent.length === context.files.length, target: 'all sent' },
          on: {
            'xstate.done.actor.*': {
              actions: assign({ sent: ({ context, event }) => [...context.sent, event.output] }),
            },
            RETRY: { actions: sendTo(({ event }) => event.name, { type: 'RETRY' }) },
          },
        },
        'all sent': { type: 'final', entry: emit({ type: 'ALL_SENT' }) },
      },
    })
  },
  {
    steps: [
      { type: 'FILES', names: ['a.png', 'b.png'] },
      back('progress a.png', { type: 'PROGRESS', percent: 50 }),
      fail('put b.png', new Error('cut')),
      finish('put a.png'),
      { type: 'RETRY', name: 'b.png' },
      back('progress b.png', { type: 'PROGRESS', percent: 90 }),
      finish('put b.png'),
    ],
    ends: { status: 'done', context: { sent: ['a.png', 'b.png'], percent: { 'a.png': 50, 'b.png': 90 } } },
    emitted: [{ type: 'ALL_SENT' }],
  },
)
