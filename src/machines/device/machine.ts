// A device that never has to be replugged: one operation at a time, refreshed before it wears out, recovered when it fails.
//
// D1 Operations wait in one queue and are performed in its order, one at a time; so LED and capture never overlap. A caller
//    may take one back; one that is under way is aborted, and the device probed.
// D2 After `maxOperationsBeforeRefresh` good operations the connection is made anew, between two operations.
// D3 After `deviceHealthThreshold` without a good operation the device is probed, and recovered where that fails.
// D4 An operation that failed in a way that recovery may mend is performed again with the same key, if it is repeatable and has
//    attempts left; else it leaves the queue.
// D5 Recovery climbs the ladder of rungs, each with its tries and growing pauses; above the last one is `unavailable`, from
//    where it begins anew, ever more slowly, or at once when the device is plugged in or somebody says so.
// D6 `denied` is left by itself once the device may be opened.
// D7 A device that is gone is waited for; its operations wait with it.
// D9 A capture is two commits: its request, and what came of it. No input and no output of an operation is in them.
//
// No I/O here: the actors come from desk.ts. What the world does is waited for inside them, so that a device that is away for
// a month writes nothing.
import { assign, fromCallback, fromPromise, setup } from 'xstate'
import { RUNGS, type Rung } from '../../ports/device.ts'
import { backoff, problemOf, unprovided } from '../problems.ts'
import { type Fault, faultOf } from './faults.ts'
import type { Connected, DeviceContext, DeviceEvent, DeviceInput, DeviceProblem, Done, Requested } from './types.ts'

const outputOf = <T>(event: unknown) => (event as { output: T }).output
const errorOf = (event: unknown) => (event as { error: unknown }).error

/** Which of the devices of a host it is. */
interface Named {
  readonly name: string
}

const named = ({ context: { name } }: { context: DeviceContext }) => ({ name })

/** Nothing is in the way of the gentlest rung. */
const GROUND = { rung: 0, tries: 0 }
const WELL = { ...GROUND, givenUp: 0 }

export const deviceMachine = setup({
  types: {} as { context: DeviceContext; input: DeviceInput; events: DeviceEvent },
  actors: {
    /** Tells when the device comes and goes, and when its permissions are lost. */
    watch: fromCallback<DeviceEvent, Named>(() => {}),
    /** Makes a connection, with all settings; a driver's error but for a device that is not there, or may not be opened. */
    connect: fromPromise<Connected, Named>(unprovided('connect')),
    /** One attempt at an operation. */
    perform: fromPromise<Done, Named & { request: Requested }>(unprovided('perform')),
    probe: fromPromise<unknown, Named>(unprovided('probe')),
    /** Closes the connection and makes it anew, with all settings. */
    refresh: fromPromise<unknown, Named>(unprovided('refresh')),
    /** Climbs a rung; resolves once the device has proven that it works. */
    recover: fromPromise<unknown, Named & { rung: Rung }>(unprovided('recover')),
    /** Resolves once the device is there. */
    arrive: fromPromise<unknown, Named>(unprovided('arrive')),
    /** Resolves once the device may be opened, or is not there any more. */
    permitted: fromPromise<unknown, Named>(unprovided('permitted')),
  },
  actions: {
    open: assign(({ context, event }) => ({
      ...WELL,
      ...(event.type === 'OPEN' && { settings: event.settings }),
      queue: [],
      interrupted: context.interrupted + context.queue.length,
      goodAt: Date.now(),
      access: null,
    })),
    enqueue: assign({
      queue: ({ context, event }) => {
        if (event.type !== 'REQUEST') return context.queue
        const { id, op, repeatable } = event
        return [...context.queue, { id, op, repeatable, tries: 0 }]
      },
    }),
    withdraw: assign({
      queue: ({ context, event }) =>
        event.type === 'CANCEL' ? context.queue.filter(({ id }) => !event.ids.includes(id)) : context.queue,
    }),
    connected: assign(({ event }) => {
      const connected = outputOf<Connected>(event)
      const identity = connected.state === 'connected' ? connected.identity : null
      return { ...GROUND, identity, sinceRefresh: 0, goodAt: Date.now(), access: null }
    }),
    lostAccess: assign({
      access: ({ event }) => {
        if (event.type === 'ACCESS_LOST') return event.access
        const connected = outputOf<Connected>(event)
        return connected.state === 'denied' ? connected.access : null
      },
    }),
    performed: assign(({ context, event }) => ({
      ...WELL,
      queue: context.queue.slice(1),
      sinceRefresh: context.sinceRefresh + 1,
      total: context.total + 1,
      last: outputOf<Done>(event),
      goodAt: Date.now(),
    })),
    probed: assign(() => ({ ...WELL, goodAt: Date.now() })),
    refreshed: assign(({ context }) => ({
      sinceRefresh: 0,
      refreshes: context.refreshes + 1,
      goodAt: Date.now(),
    })),
    recovered: assign(({ context }) => ({
      ...GROUND,
      recoveries: context.recoveries + 1,
      goodAt: Date.now(),
      ...(RUNGS.indexOf('reopen') <= context.rung && { sinceRefresh: 0 }),
    })),
    failed: assign(({ event }) => ({ problem: problemIn(event), faultAt: Date.now() })),
    unplugged: assign(({ context }) => ({
      problem: {
        code: 'USB_GONE',
        message: `${context.name} was unplugged while it worked`,
        hint: 'Plug it in again; what waits is performed then.',
        at: Date.now(),
      },
      faultAt: Date.now(),
    })),
    /** D4: the operation that failed has another attempt, or leaves. */
    attempted: assign({ queue: ({ context: { queue, settings } }) => afterFailure(queue, settings.attempts) }),
    answered: assign({ queue: ({ context }) => context.queue.slice(1) }),
    wasInterrupted: assign(({ context }) => ({
      queue: context.queue.slice(1),
      interrupted: context.interrupted + 1,
    })),
    slip: assign(({ context }) =>
      context.tries + 1 < context.settings.rungTries
        ? { tries: context.tries + 1 }
        : { rung: context.rung + 1, tries: 0 },
    ),
    giveUp: assign(({ context }) => ({ ...GROUND, givenUp: context.givenUp + 1 })),
  },
  guards: {
    isOpen: ({ event }) => outputOf<Connected>(event).state === 'connected',
    isDenied: ({ event }) => outputOf<Connected>(event).state === 'denied',
    wearsOut: ({ context }) => context.sinceRefresh >= context.settings.maxOperationsBeforeRefresh,
    hasWork: ({ context }) => context.queue.length > 0,
    takesBackCurrent: ({ context, event }) => event.type === 'CANCEL' && event.ids.includes(context.queue[0]!.id),
    means: ({ event }, { faults }: { faults: readonly Fault[] }) => faults.includes(faultOf(errorOf(event))),
    isAboveTheLadder: ({ context }) => context.rung >= RUNGS.length,
  },
  delays: {
    untilProbe: ({ context }) => Math.max(0, context.goodAt + context.settings.deviceHealthThreshold - Date.now()),
    rungBackoff: ({ context }) => backoff(context.settings.rungBackoff, context.tries),
    unavailableBackoff: ({ context }) => backoff(context.settings.unavailableBackoff, context.givenUp),
  },
}).createMachine({
  id: 'device',
  context: ({ input }) => ({
    ...input,
    ...WELL,
    identity: null,
    queue: [],
    sinceRefresh: 0,
    total: 0,
    refreshes: 0,
    recoveries: 0,
    interrupted: 0,
    goodAt: Date.now(),
    faultAt: null,
    last: null,
    problem: null,
    access: null,
  }),
  initial: 'closed',
  on: {
    OPEN: { target: '.connecting', actions: 'open' },
    REQUEST: { actions: 'enqueue' },
    CANCEL: { actions: 'withdraw' },
    CLOSE: '.closed',
  },
  invoke: { src: 'watch', id: 'watch', input: named },
  states: {
    disconnected: {
      invoke: {
        src: 'arrive',
        id: 'arrive',
        input: named,
        onDone: 'connecting',
        onError: { target: 'unavailable', actions: 'failed' },
      },
      on: { ATTACHED: 'connecting', RETRY: 'connecting' },
    },
    connecting: {
      invoke: {
        src: 'connect',
        id: 'connect',
        input: named,
        onDone: [
          { guard: 'isOpen', target: 'online', actions: 'connected' },
          { guard: 'isDenied', target: 'denied', actions: 'lostAccess' },
          { target: 'disconnected' },
        ],
        onError: [
          {
            guard: { type: 'means', params: { faults: ['held', 'answer'] } },
            target: 'unavailable',
            actions: 'failed',
          },
          { target: 'recovering', actions: 'failed' },
        ],
      },
      on: { DETACHED: 'disconnected' },
    },
    online: {
      initial: 'idle',
      on: { DETACHED: 'disconnected', ACCESS_LOST: { target: 'denied', actions: 'lostAccess' } },
      states: {
        idle: {
          always: [
            { guard: 'wearsOut', target: 'refreshing' },
            { guard: 'hasWork', target: 'operating' },
          ],
          after: { untilProbe: 'probing' },
        },
        operating: {
          invoke: {
            src: 'perform',
            id: 'perform',
            input: ({ context: { name, queue } }) => ({ name, request: queue[0]! }),
            onDone: { target: 'idle', actions: 'performed' },
            onError: [
              { guard: { type: 'means', params: { faults: ['answer'] } }, target: 'probing', actions: 'answered' },
              {
                guard: { type: 'means', params: { faults: ['interrupted'] } },
                target: '#device.connecting',
                actions: 'wasInterrupted',
              },
              {
                guard: { type: 'means', params: { faults: ['fault'] } },
                target: '#device.recovering',
                actions: ['failed', 'attempted'],
              },
              { target: '#device.connecting', actions: ['failed', 'attempted'] },
            ],
          },
          on: {
            CANCEL: [{ guard: 'takesBackCurrent', target: 'probing', actions: 'withdraw' }, { actions: 'withdraw' }],
            DETACHED: { target: '#device.disconnected', actions: ['unplugged', 'attempted'] },
            ACCESS_LOST: {},
          },
        },
        probing: {
          invoke: {
            src: 'probe',
            id: 'probe',
            input: named,
            onDone: { target: 'idle', actions: 'probed' },
            onError: [
              {
                guard: { type: 'means', params: { faults: ['gone', 'denied', 'held'] } },
                target: '#device.connecting',
                actions: 'failed',
              },
              { target: '#device.recovering', actions: 'failed' },
            ],
          },
        },
        refreshing: {
          invoke: {
            src: 'refresh',
            id: 'refresh',
            input: named,
            onDone: { target: 'idle', actions: 'refreshed' },
            onError: [
              {
                guard: { type: 'means', params: { faults: ['gone', 'denied', 'held'] } },
                target: '#device.connecting',
                actions: 'failed',
              },
              { target: '#device.recovering', actions: 'failed' },
            ],
          },
        },
      },
    },
    recovering: {
      initial: 'climbing',
      states: {
        climbing: {
          invoke: {
            src: 'recover',
            id: 'recover',
            input: ({ context: { name, rung } }) => ({ name, rung: RUNGS[rung]! }),
            onDone: { target: '#device.online', actions: 'recovered' },
            onError: [
              {
                guard: { type: 'means', params: { faults: ['gone', 'denied', 'held'] } },
                target: '#device.connecting',
                actions: 'failed',
              },
              { target: 'pausing', actions: ['failed', 'slip'] },
            ],
          },
        },
        pausing: {
          always: { guard: 'isAboveTheLadder', target: '#device.unavailable' },
          after: { rungBackoff: 'climbing' },
        },
      },
      on: { DETACHED: 'disconnected' },
    },
    denied: {
      invoke: {
        src: 'permitted',
        id: 'permitted',
        input: named,
        onDone: 'connecting',
        onError: { target: 'unavailable', actions: 'failed' },
      },
      on: { DETACHED: 'disconnected', RETRY: 'connecting' },
      exit: assign({ access: null }),
    },
    unavailable: {
      entry: 'giveUp',
      after: { unavailableBackoff: 'connecting' },
      on: { ATTACHED: 'connecting', RETRY: 'connecting' },
    },
    closed: {
      entry: assign({ queue: [] }),
      on: { REQUEST: {}, CLOSE: {} },
    },
  },
})

function problemIn(event: unknown): DeviceProblem {
  const error = errorOf(event)
  const { hint } = error as { hint?: unknown }
  return { ...problemOf(error), hint: typeof hint === 'string' ? hint : null, at: Date.now() }
}

/** D4 */
function afterFailure(queue: readonly Requested[], attempts: number): readonly Requested[] {
  const [first, ...others] = queue as [Requested, ...Requested[]]
  const tries = first.tries + 1
  return first.repeatable && tries < attempts ? [{ ...first, tries }, ...others] : others
}
