// Many instances of one small machine.
import { assign, setup } from 'xstate'
import { durable } from '../../src/index.ts'

/** Counts INC, and has a timer that is far away. */
export const counter = durable(
  setup({ types: {} as { context: { n: number }; events: { type: 'INC' } } }).createMachine({
    id: 'counter',
    context: { n: 0 },
    initial: 'idle',
    states: { idle: { after: { 86400000: 'late' } }, late: {} },
    on: { INC: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
  }),
)

/** Calls `fn` for all numbers from one to before another, a hundred at a time. */
export async function each(from: number, to: number, fn: (i: number) => Promise<unknown>): Promise<void> {
  let next = from
  const one = async () => {
    while (next < to) await fn(next++)
  }
  await Promise.all(Array.from({ length: 100 }, one))
}
