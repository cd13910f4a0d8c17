// The work that every measurement of sends does, also those of peers: a small machine, events of 200 bytes.
import * as xstate from 'xstate'

/** The machine, made by whichever copy of XState is to run it. */
export const orderOf = ({ assign, setup }) =>
  setup({}).createMachine({
    id: 'order',
    context: { count: 0, last: null },
    initial: 'open',
    states: {
      open: {
        on: {
          PUT: {
            target: 'held',
            actions: assign({ count: ({ context }) => context.count + 1, last: ({ event }) => event.id }),
          },
        },
      },
      held: { on: { PUT: { target: 'open', actions: assign({ count: ({ context }) => context.count + 1 }) } } },
    },
  })

export const machine = orderOf(xstate)

const PAYLOAD = 'x'.repeat(150)
export const eventOf = (n) => ({ type: 'PUT', id: `evt-${n}`, payload: PAYLOAD })

/** How many instances share the load, and how many sends are on their way at once. */
export const INSTANCES = 1000
export const FLYING = 256

/** `send(n)` for n from 0 to total, `FLYING` at once. */
export async function concurrent(total, send) {
  let next = 0
  const one = async () => {
    while (next < total) await send(next++)
  }
  await Promise.all(Array.from({ length: FLYING }, one))
}

/** `send(n)` for n from 0 to total, one after the other. */
export async function inSequence(total, send) {
  for (let n = 0; n < total; n++) await send(n)
}

/** Milliseconds that the work took. */
export async function took(work) {
  const start = performance.now()
  await work()
  return performance.now() - start
}

/** How often a second, if the work does it so many times. */
export const rateOf = async (total, work) => (total / (await took(work))) * 1000
