// A device that never has to be replugged: one operation at a time, refreshed before it wears out, recovered when it fails.
//
// D1 Operations wait in one queue and are performed in its order, one at a time; so LED and capture never overlap. A caller
//    may take one back; one that is under way is aborted, and the device probed.
// D2 After `maxOperationsBeforeRefresh` good operations the connection is made anew, between two operations.
// D3 After `deviceHealthThreshold` without a good operation the device is probed, and recovered where that fails.
// D4 An operation that failed in a way that recovery may mend is performed again with the same key, if it is repeatable and has
//    attempts left; else it leaves the queue.
// D5 Recovery climbs the ladder of rungs, each with its tries and growing pauses; above the last one is `unavailable`, from
//    where it begins anew, ever more slowly, or at once when the device is plugged in or somebody says so. A device that
//    answers its probe after a rung, and fails again, has to climb the next one: only a good operation brings it down. Where
//    nothing is open, the ladder begins with opening. CALLED_OFF operations in a row that were called off while they were
//    performed, with no good one between, are a fault, too: a pipe may be dead whose device still answers its probe. For that
//    alone nothing is replugged: perhaps nobody has laid a finger on it.
// D6 `denied` is left by itself once the device may be opened.
// D7 A device that is gone is waited for; its operations wait with it.
// D9 A capture is two commits: its request, and what came of it. No input and no output of an operation is in them.
//
// No I/O here: the actors come from desk.ts. What the world does is waited for inside them, so that a device that is away for
// a month writes nothing.
import { assign, fromCallback, fromPromise, setup } from 'xstate'
import { type DeviceIdentity, RUNGS, type Rung } from '../../ports/device.ts'
import { backoff, errorOf, outputOf, problemWithHint, unprovided } from '../problems.ts'
import { type Fault, faultOf } from './faults.ts'
import type { Connected, DeviceContext, DeviceEvent, DeviceInput, DeviceProblem, Done, Requested } from './types.ts'

/** Which of the devices of a host it is. */
interface Named {
  readonly name: string
}

const named = ({ context: { name } }: { context: DeviceContext }) => ({ name })

/** Nothing is in the way of the gentlest rung. */
const GROUND = { rung: 0, tries: 0 }
const WELL = { ...GROUND, givenUp: 0, calledOff: 0 }
/** So many operations that were called off in a row are a fault (D5): one is a caller's change of mind. */
const CALLED_OFF = 2
/** From this rung on the connection is made anew; those below need one. */
const REOPEN = RUNGS.indexOf('reopen')

/** It can't be reached over this connection: whether it is there, and may be opened, shows when another one is made. */
const outOfReach = {
  guard: { type: 'means', params: { faults: ['gone', 'denied', 'held'] } },
  target: '#device.connecting',
  actions: 'failed',
} as const

/** A device that never has to be replugged, without a device: `createDevice` provides its actors. */
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
    refresh: fromPromise<DeviceIdentity, Named>(unprovided('refresh')),
    /** Climbs a rung; resolves once the device has proven that it works, with its identity where the connection is a new one. */
    recover: fromPromise<DeviceIdentity | null, Named & { rung: Rung }>(unprovided('recover')),
    /** Resolves once the device is there. */
    arrive: fromPromise<unknown, Named>(unprovided('arrive')),
    /** Resolves once the device may be opened, or is not there any more. */
    permitted: fromPromise<unknown, Named>(unprovided('permitted')),
  },
  actions: {
    open: assign(({ context, event }) => ({
      ...WELL,
      ...(event.type === 'OPEN' && { settings: event.settings }),
      ...cutOff(context, context.queue),
      queue: [],
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
    calledOff: assign({ calledOff: ({ context }) => context.calledOff + 1 }),
    mayHang: assign(({ context: { name, rung } }) => ({
      calledOff: 0,
      ...(rung > REOPEN && { rung: REOPEN, tries: 0 }),
      problem: {
        code: 'USB_TIMEOUT',
        message: `${name} had not answered when ${CALLED_OFF} operations in a row were called off`,
        hint: 'It is recovered, as it may hang; where it does not, give its operations more time.',
        at: Date.now(),
      },
      faultAt: Date.now(),
    })),
    connected: assign(({ event }) => {
      const connected = outputOf<Connected>(event)
      const identity = connected.state === 'connected' ? connected.identity : null
      return { identity, sinceRefresh: 0, goodAt: Date.now(), access: null }
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
    probed: assign(() => ({ givenUp: 0, goodAt: Date.now() })),
    refreshed: assign(({ context, event }) => ({
      identity: outputOf<DeviceIdentity>(event),
      sinceRefresh: 0,
      refreshes: context.refreshes + 1,
      goodAt: Date.now(),
    })),
    recovered: assign(({ context, event }) => {
      const identity = outputOf<DeviceIdentity | null>(event)
      return {
        rung: Math.min(context.rung + 1, RUNGS.length - 1),
        tries: 0,
        recoveries: context.recoveries + 1,
        goodAt: Date.now(),
        ...(identity && { identity, sinceRefresh: 0 }),
      }
    }),
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
      ...cutOff(context, context.queue.slice(0, 1)),
      queue: context.queue.slice(1),
    })),
    nothingIsOpen: assign(({ context: { rung, tries } }) =>
      rung < REOPEN ? { rung: REOPEN, tries: 0 } : { rung, tries },
    ),
    atTheBottom: assign(GROUND),
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
    takesBackOneTooMany: ({ context, event }) =>
      event.type === 'CANCEL' && event.ids.includes(context.queue[0]!.id) && context.calledOff + 1 >= CALLED_OFF,
    means: ({ event }, { faults }: { faults: readonly Fault[] }) => faults.includes(faultOf(errorOf(event))),
    bringsItsOwnUnplugging: ({ context }) => RUNGS[context.rung] === 'reset' || RUNGS[context.rung] === 'replug',
    isAboveTheLadder: ({ context }) => context.rung >= RUNGS.length,
  },
  delays: {
    untilProbe: ({ context }) => Math.max(0, context.goodAt + context.settings.deviceHealthThreshold - Date.now()),
    rungBackoff: ({ context: { settings, rung, tries } }) =>
      backoff(settings.rungBackoff, rung * settings.rungTries + tries),
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
      entry: 'atTheBottom',
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
          { target: 'recovering', actions: ['failed', 'nothingIsOpen'] },
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
                target: 'idle',
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
            CANCEL: [
              { guard: 'takesBackOneTooMany', target: '#device.recovering', actions: ['withdraw', 'mayHang'] },
              { guard: 'takesBackCurrent', target: 'probing', actions: ['withdraw', 'calledOff'] },
              { actions: 'withdraw' },
            ],
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
            onError: [outOfReach, { target: '#device.recovering', actions: 'failed' }],
          },
        },
        refreshing: {
          invoke: {
            src: 'refresh',
            id: 'refresh',
            input: named,
            onDone: { target: 'idle', actions: 'refreshed' },
            onError: [outOfReach, { target: '#device.recovering', actions: ['failed', 'nothingIsOpen'] }],
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
            onError: [outOfReach, { target: 'pausing', actions: ['failed', 'slip'] }],
          },
          // what a rung takes off the bus, it waits for itself
          on: { DETACHED: { guard: 'bringsItsOwnUnplugging' } },
        },
        pausing: {
          always: { guard: 'isAboveTheLadder', target: '#device.unavailable' },
          after: { rungBackoff: 'climbing' },
          on: { RETRY: 'climbing' },
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
      on: { DETACHED: 'disconnected', ATTACHED: 'connecting', RETRY: 'connecting' },
      exit: assign({ access: null }),
    },
    unavailable: {
      entry: 'giveUp',
      after: { unavailableBackoff: 'connecting' },
      on: { DETACHED: 'disconnected', ATTACHED: 'connecting', RETRY: 'connecting' },
    },
    closed: {
      entry: assign({ queue: [] }),
      on: { REQUEST: {}, CLOSE: {} },
    },
  },
})

const problemIn = (event: unknown): DeviceProblem => ({ ...problemWithHint(errorOf(event)), at: Date.now() })

/** Operations whose caller's process has ended. */
function cutOff({ interrupted, problem }: DeviceContext, lost: readonly Requested[]) {
  if (lost.length === 0) return { interrupted, problem }
  const names = [...new Set(lost.map(({ op }) => op))].join(', ')
  return {
    interrupted: interrupted + lost.length,
    problem: {
      code: 'INTERRUPTED',
      message: `${lost.length === 1 ? names : `${lost.length} operations (${names})`} cut off: the process has ended`,
      hint: 'Ask again for what is still wanted.',
      at: Date.now(),
    },
  }
}

/** D4 */
function afterFailure(queue: readonly Requested[], attempts: number): readonly Requested[] {
  const [first, ...others] = queue as [Requested, ...Requested[]]
  const tries = first.tries + 1
  return first.repeatable && tries < attempts ? [{ ...first, tries }, ...others] : others
}
