// A machine that is idle most of the time, with timers, children, effects and deliveries; its effects are steered from outside.
import {
  type AnyActorRef,
  type AnyEventObject,
  assign,
  cancel,
  emit,
  fromCallback,
  fromPromise,
  fromTransition,
  raise,
  sendTo,
  setup,
  spawnChild,
} from 'xstate'
import { type DurableMachine, deliver, durable } from '../../src/index.ts'
import { type Deferred, deferred } from './deferred.ts'

/** What runs in the world outside of one process. */
export interface Chores {
  readonly jobs: Deferred[]
  readonly callbacks: ((event: AnyEventObject) => void)[]
  /** Ends one of the promises under way. */
  finish(nth: number, ok: boolean): void
  finishAll(): void
  /** One of the callbacks says something; it may have been told to stop. */
  say(nth: number, event: AnyEventObject): void
}

export function chores(): Chores {
  const jobs: Deferred[] = []
  const callbacks: ((event: AnyEventObject) => void)[] = []
  return {
    jobs,
    callbacks,
    finish(nth, ok) {
      const [job] = jobs.splice(nth % Math.max(1, jobs.length), 1)
      if (ok) job?.resolve(nth)
      else job?.reject(new RangeError(`job ${nth}`))
    },
    finishAll() {
      for (const job of jobs.splice(0)) job.resolve('all')
    },
    say: (nth, event) => callbacks[nth % Math.max(1, callbacks.length)]?.(event),
  }
}

type Context = {
  n: number
  v: unknown
  ticks: number
  fired: number
  told: unknown[]
  said: number
  kid: AnyActorRef | undefined
}

const kid = setup({
  types: {} as { context: { n: number; late: number }; events: AnyEventObject },
}).createMachine({
  id: 'kid',
  context: { n: 0, late: 0 },
  initial: 'a',
  states: {
    a: { on: { TIMER: 'b' } },
    b: { after: { 7000: { target: 'a', actions: assign({ late: ({ context }) => context.late + 1 }) } } },
  },
  on: { INC: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
})

const next: Record<string, string> = { a: 'b', b: 'c', c: 'd', d: 'a' }

/** The machine, registered as `restful`. */
export function restful(world: Chores): DurableMachine<any> {
  const job = () => {
    const d = deferred()
    world.jobs.push(d)
    return d.promise
  }
  const machine: DurableMachine<any> = durable(
    setup({
      types: {} as { context: Context; events: AnyEventObject },
      actors: {
        kid,
        pr: fromPromise(job),
        cb: fromCallback(({ sendBack }) => {
          world.callbacks.push(sendBack)
          return () => {}
        }),
        tr: fromTransition((n: number) => n + 1, 0),
      },
      actions: {
        act: () => job() as any,
        tell: ({ event, self }) =>
          void deliver(machine, next[(self as any).id] ?? 'a', { type: 'TOLD', v: event.v } as never),
      },
    }).createMachine({
      id: 'restful',
      context: ({ spawn }: any) => ({
        n: 0,
        v: 0,
        ticks: 0,
        fired: 0,
        told: [],
        said: 0,
        kid: spawn('kid', { id: 'kid' }),
      }),
      initial: 'idle',
      on: {
        INC: {
          actions: [
            assign({ n: ({ context }: any) => context.n + 1, v: ({ event }: any) => event.v }),
            emit({ type: 'inc' } as never),
          ],
        },
        KID: { actions: sendTo('kid', { type: 'INC' }) },
        KIDTIMER: { actions: sendTo('kid', { type: 'TIMER' }) },
        SET: { actions: raise({ type: 'TICK' }, { delay: 10_000, id: 't' }) },
        UNSET: { actions: cancel('t') },
        SETUNSET: { actions: [raise({ type: 'TICK' }, { delay: 5000, id: 'u' }), cancel('u')] },
        TICK: { actions: assign({ ticks: ({ context }) => context.ticks + 1 }) },
        TELL: { actions: 'tell' },
        TOLD: { actions: assign({ told: ({ context, event }: any) => [...context.told, event.v].slice(-20) }) },
        ACT: { actions: 'act' },
        SPAWN: { actions: spawnChild('tr', { id: 'tr' }) },
        ZERO: { actions: [raise({ type: 'TICK' }, { delay: 0 }), raise({ type: 'TICK' }, { delay: 0 })] },
        SAID: { actions: assign({ said: ({ context }) => context.said + 1 }) },
        BOOM: {
          actions: assign(() => {
            throw new Error('boom')
          }),
        },
      },
      states: {
        idle: {
          on: {
            WAIT: 'wait',
            LONG: 'long',
            GO: 'work',
            CB: 'cb',
            END: { target: 'end', guard: ({ context }: any) => context.n > 12 },
          },
        },
        wait: { after: { 5000: { target: 'idle', actions: assign({ fired: ({ context }) => context.fired + 1 }) } } },
        long: {
          after: { 10800000: { target: 'idle', actions: assign({ fired: ({ context }) => context.fired + 1 }) } },
        },
        work: {
          invoke: { src: 'pr', id: 'pr', onDone: 'idle', onError: 'wait' },
          on: { ABORT: 'idle' },
        },
        cb: { invoke: { src: 'cb', id: 'cb' }, on: { OFF: 'idle' }, after: { 60000: 'idle' } },
        end: { type: 'final' },
      },
    } as never) as any,
  ) as any
  return machine
}
