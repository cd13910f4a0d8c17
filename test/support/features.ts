// One machine with every feature of XState, whose effects are steered from outside: after the spike's.
import { Subject } from 'rxjs'
import {
  type AnyActorRef,
  type AnyEventObject,
  assign,
  cancel,
  emit,
  enqueueActions,
  fromCallback,
  fromEventObservable,
  fromObservable,
  fromPromise,
  fromTransition,
  log,
  raise,
  sendParent,
  sendTo,
  setup,
  spawnChild,
  stopChild,
} from 'xstate'
import { currentEffect } from '../../src/index.ts'
import { type Deferred, deferred } from './deferred.ts'

/** The world outside of one process: what its effects did, and what they wait for. */
export interface Outside {
  /** `name key#attempt`, in order. */
  readonly trace: string[]
  /** Promises under way, by name. */
  readonly jobs: Map<string, Deferred>
  readonly values: Subject<unknown>
  readonly events: Subject<AnyEventObject>
}

export const outside = (): Outside => ({ trace: [], jobs: new Map(), values: new Subject(), events: new Subject() })

const count = () => fromTransition((n: number, event: AnyEventObject) => (event.type === 'INC' ? n + 1 : n), 0)

function nestedMachine(did: (what: string) => void, job: (name: string) => Promise<unknown>) {
  return setup({
    types: {} as { context: { n: unknown; tr: AnyActorRef }; events: AnyEventObject; input: unknown; output: unknown },
    actors: { deep: fromPromise(() => job('deep')), tr: count() },
    actions: { hi: () => did('hi') },
  }).createMachine({
    id: 'nested',
    context: ({ input, spawn }) => ({ n: input ?? 0, tr: spawn('tr', { id: 'tr', systemId: 'counter' }) }),
    initial: 'a',
    entry: 'hi',
    states: {
      a: {
        after: { 50000: 'b' },
        on: { KICK: { actions: [sendTo('tr', { type: 'INC' }), sendParent({ type: 'KICKED' })] } },
      },
      b: {
        invoke: {
          src: 'deep',
          id: 'deep',
          onDone: {
            target: 'c',
            actions: [assign({ n: ({ event }) => event.output }), sendParent({ type: 'DEEP_DONE' })],
          },
          onError: 'c',
        },
      },
      c: { type: 'final' },
    },
    output: ({ context }: { context: { n: unknown } }) => context.n,
  })
}

export function featuresMachine({ trace, jobs, values, events }: Outside) {
  const did = (what: string) => void trace.push(`${what} ${currentEffect().key}#${currentEffect().attempt}`)
  const job = (name: string) => {
    did(name)
    const d = deferred()
    jobs.set(name, d)
    return d.promise
  }
  return setup({
    types: {} as { context: Record<string, any>; events: AnyEventObject },
    actors: {
      nested: nestedMachine(did, job),
      cb: fromCallback<AnyEventObject>(({ sendBack, receive }) => {
        did('cb')
        receive((event) => {
          trace.push(`heard ${event.type}`)
          if (event.type === 'PING') sendBack({ type: 'PONG', v: event.v })
        })
        return () => trace.push('cb disposed')
      }),
      obs: fromObservable(() => {
        did('obs')
        return values
      }),
      evobs: fromEventObservable(() => {
        did('evobs')
        return events
      }),
      pr: fromPromise(({ signal }) => {
        signal.addEventListener('abort', () => trace.push('pr aborted'))
        return job('pr')
      }),
      inline: fromPromise(() => job('inline')),
      tr: count(),
    },
    actions: {
      act: () => did('act'),
      selfsend: ({ self }) => {
        did('selfsend')
        self.send({ type: 'FROM_EFFECT' })
      },
      incLast: ({ context }) => {
        did('incLast')
        context.list.at(-1)?.send({ type: 'INC' })
      },
    },
    guards: {
      boom: () => {
        throw new Error('guard boom')
      },
    },
  }).createMachine({
    id: 'big',
    context: ({ spawn, self }) => ({
      count: 0,
      log: [],
      kid: spawn('nested', { id: 'kid', input: 1 }),
      me: self,
      list: [],
    }),
    initial: 'idle',
    entry: ['act', log('hello'), raise({ type: 'RAISED' }, { delay: 200_000, id: 'r1' })],
    invoke: [
      { src: 'obs', id: 'obs', onSnapshot: { actions: assign({ seen: ({ event }) => event.snapshot.context }) } },
      { src: 'evobs', id: 'evobs' },
    ],
    on: {
      KICK: { actions: sendTo('kid', { type: 'KICK' }) },
      KICKED: { actions: assign({ log: ({ context }) => [...context.log, 'kicked'] }) },
      DEEP_DONE: { actions: assign({ log: ({ context }) => [...context.log, 'deep'] }) },
      'xstate.done.actor.kid': { actions: assign({ kidOut: ({ event }) => event.output }) },
      COUNTER: { actions: sendTo(({ system }) => system.get('counter'), { type: 'INC' }) },
      INC: {
        actions: [
          assign({ count: ({ context }) => context.count + 1, when: () => Date.now(), dice: () => Math.random() }),
          { type: 'act' },
          emit(({ context }) => ({ type: 'counted', n: context.count })),
        ],
      },
      SELF: { actions: 'selfsend' },
      FROM_EFFECT: { actions: assign({ fe: ({ context }) => (context.fe ?? 0) + 1 }) },
      RAISED: { actions: assign({ raised: true }) },
      CANCEL: { actions: cancel('r1') },
      BOOM: { guard: 'boom', actions: 'act' },
      HALF: {
        actions: [
          assign({ count: 99 }),
          sendTo('kid', { type: 'KICK' }),
          spawnChild('tr', { id: 'never' }),
          'act',
          assign(() => {
            throw new Error('assign boom')
          }),
        ],
      },
      ENQ: {
        actions: enqueueActions(({ enqueue, context }) => {
          enqueue.assign({ enq: context.count })
          enqueue('act')
          enqueue.raise({ type: 'INC' })
          enqueue.spawnChild('tr', { id: 'enqtr' })
          enqueue.sendTo('enqtr', { type: 'INC' })
        }),
      },
      ANON: { actions: assign({ list: ({ context, spawn }) => [...context.list, spawn('tr')] }) },
      ANONINC: { actions: 'incLast' },
      STOPANON: {
        guard: ({ context }) => context.list.length > 0,
        actions: [
          stopChild(({ context }) => context.list[0]),
          assign({ list: ({ context }) => context.list.slice(1) }),
        ],
      },
      DELAYED: { actions: sendTo('kid', { type: 'KICK' }, { delay: 30_000, id: 'd1' }) },
    },
    states: {
      idle: { on: { GO: 'work', CB: 'cb', PAR: 'par', INLINE: 'inl' }, tags: ['resting'] },
      work: {
        invoke: {
          src: 'pr',
          id: 'pr',
          onDone: { target: 'idle', actions: assign({ got: ({ event }) => event.output }) },
          onError: { target: 'idle', actions: assign({ err: ({ event }) => event.error }) },
        },
        on: { ABORT: 'idle' },
      },
      cb: {
        invoke: { src: 'cb', id: 'cb' },
        on: {
          PINGIT: { actions: sendTo('cb', ({ event }) => ({ type: 'PING', v: event.v })) },
          PONG: { actions: assign({ pong: ({ event }) => event.v }) },
          OFF: 'idle',
        },
      },
      inl: {
        invoke: {
          src: 'inline',
          id: 'inline',
          onDone: { target: 'idle', actions: assign({ inl: ({ event }) => event.output }) },
        },
      },
      par: {
        type: 'parallel',
        states: {
          l: { initial: 'l1', states: { l1: { on: { L: 'l2' } }, l2: {}, h: { type: 'history', history: 'deep' } } },
          r: { initial: 'r1', states: { r1: { after: { 1000000: 'r2' } }, r2: {} } },
        },
        on: { BACK: 'hidle' },
      },
      hidle: { on: { HIST: '#big.par.l.h' } },
    },
  })
}
