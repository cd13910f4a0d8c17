// Small machines that many tests share.
import { type AnyEventObject, assign, type MachineContext, setup } from 'xstate'
import { currentEffect, durable } from '../../src/index.ts'

/** Counts INC; BOOM throws in its guard, HALF in its second assign, LATE only does nothing. */
export function counter(options: { version?: number; attributes?: (snapshot: any) => Record<string, unknown> } = {}) {
  return durable(
    setup({
      types: {} as { context: { n: number; seen: unknown[] }; events: AnyEventObject },
      guards: {
        boom: () => {
          throw new Error('guard boom')
        },
      },
    }).createMachine({
      id: 'counter',
      context: { n: 0, seen: [] },
      on: {
        INC: { actions: assign({ n: ({ context }) => context.n + 1 }) },
        SEE: { actions: assign({ seen: ({ context, event }) => [...context.seen, event.v] }) },
        BOOM: { guard: 'boom', actions: assign({ n: 1000 }) },
        HALF: {
          actions: [
            assign({ n: 1000 }),
            assign(() => {
              throw new Error('assign boom')
            }),
          ],
        },
      },
    }),
    options,
  )
}

/** Remembers what it was sent, in order. */
export function mailbox(id = 'mailbox') {
  return durable(
    setup({ types: {} as { context: { got: unknown[] }; events: { type: 'MSG'; v: unknown } } }).createMachine({
      id,
      context: { got: [] },
      on: { MSG: { actions: assign({ got: ({ context, event }) => [...context.got, event.v] }) } },
    }),
  )
}

/** One action, `act`, run at GO; it may return a promise and use `currentEffect()`. */
export function acting(
  act: (event: AnyEventObject, self: { send(event: AnyEventObject): void }) => unknown,
  id = 'acting',
) {
  return durable(
    setup({
      types: {} as { context: MachineContext & { n: number }; events: AnyEventObject },
      actions: { act: ({ event, self }): any => act(event, self) },
    }).createMachine({
      id,
      context: { n: 0 },
      on: { GO: { actions: 'act' }, INC: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
    }),
  )
}

/** The key and the attempt of the effect that is running. */
export function thisEffect(): string {
  const { key, attempt } = currentEffect()
  return `${key}#${attempt}`
}
