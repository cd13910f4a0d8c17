// A machine with every kind of effect, for the tests of duramen/testing and of the types.
import { throwError } from 'rxjs'
import { assign, emit, fromCallback, fromObservable, fromPromise, sendTo, setup } from 'xstate'
import { durable } from '../../src/index.ts'

export interface Receipt {
  readonly paid: number
}

export const orderMachine = setup({
  types: {} as {
    context: { total: number; notes: string[]; receipt: Receipt | null }
    events: { type: 'PAY'; tip?: number } | { type: 'NOTE'; text: string } | { type: 'SPOIL' } | { type: 'PRINT' }
    input: { total: number }
    output: { paid: number }
    emitted: { type: 'noted'; text: string }
    tags: 'waiting'
  },
  actors: {
    charge: fromPromise<Receipt, { total: number }>(() => Promise.reject(new Error('a test charged somebody'))),
    printer: fromCallback<{ type: 'PAGE'; n: number }>(() => {
      throw new Error('a test printed something')
    }),
    weather: fromObservable<string, void>(() => throwError(() => new Error('a test looked outside'))),
  },
  actions: {
    mail: (_, params: { to: string }) => {
      throw new Error(`a test wrote to ${params.to}`)
    },
    note: assign({ notes: ({ context, event }) => [...context.notes, event.type] }),
  },
}).createMachine({
  id: 'order',
  context: ({ input }) => ({ total: input.total, notes: [], receipt: null }),
  initial: 'open',
  entry: { type: 'mail', params: { to: 'the owner' } },
  invoke: [
    { src: 'printer', id: 'printer' },
    { src: 'weather', id: 'outside', onSnapshot: { actions: 'note' } },
  ],
  on: {
    NOTE: {
      actions: [
        assign({ notes: ({ context, event }) => [...context.notes, event.text] }),
        emit(({ event }) => ({ type: 'noted', text: event.text })),
      ],
    },
    SPOIL: {
      actions: assign(({ context }) => {
        context.notes.push('spoiled')
        return {}
      }),
    },
    PRINT: { actions: sendTo('printer', { type: 'PAGE', n: 1 }) },
  },
  states: {
    open: { tags: 'waiting', on: { PAY: 'paying' }, after: { 86400000: 'expired' } },
    paying: {
      initial: 'first',
      invoke: {
        src: 'charge',
        id: 'the charge',
        input: ({ context }) => ({ total: context.total }),
        onDone: { target: 'paid', actions: assign({ receipt: ({ event }) => event.output }) },
        onError: { target: 'open', actions: { type: 'mail', params: { to: 'the customer' } } },
      },
      states: { first: { after: { 1000: 'second' } }, second: { after: { 1000: 'third' } }, third: {} },
    },
    paid: { type: 'final' },
    expired: { type: 'final' },
  },
  output: ({ context }) => ({ paid: context.receipt?.paid ?? 0 }),
})

export const order = durable(orderMachine)
