// Tests of a machine of one's own, with duramen/testing. Any test runner will do; this is Node's.
//
// In a project of yours:   npm install duramen xstate rxjs
//                          node --test testing.mjs
// In a clone of duramen:   npm ci && npm run build && node --test examples/testing.mjs
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { currentEffect, durable, openHost } from 'duramen'
import { memoryJournal } from 'duramen/journal'
import {
  after,
  everyCrashPoint,
  faultyJournal,
  given,
  nth,
  quietLogger,
  rejected,
  resolved,
  virtualClock,
} from 'duramen/testing'
import { assign, fromPromise, setup } from 'xstate'

// ---- the machine that is tested --------------------------------------------------------------------------------------

/** `bank.charge(key, total)` takes the money; the same key twice takes it once. */
const orderOf = (bank) =>
  durable(
    setup({
      actors: { charge: fromPromise(({ input }) => bank.charge(currentEffect().key, input.total)) },
      actions: {
        mail: (_, { about }) => {
          throw new Error(`no test should send mail about ${about}`)
        },
      },
    }).createMachine({
      id: 'order',
      context: ({ input }) => ({ total: input.total, receipt: null }),
      initial: 'open',
      states: {
        open: { on: { PAY: 'paying' }, after: { 86400000: 'expired' } },
        paying: {
          invoke: {
            src: 'charge',
            id: 'charge',
            input: ({ context }) => ({ total: context.total }),
            onDone: { target: 'paid', actions: assign({ receipt: ({ event }) => event.output }) },
            onError: { target: 'open', actions: { type: 'mail', params: { about: 'the card' } } },
          },
        },
        paid: { type: 'final', output: ({ context }) => context.receipt },
        expired: { type: 'final' },
      },
      output: ({ event }) => event.output,
    }),
  )

// ---- given, when, then: the rules of the machine, nothing of its effects runs -----------------------------------------

const order = orderOf({ charge: () => assert.fail('no test should take money') })
const options = { input: { total: 12 } }

test('PAY charges the total', () =>
  given(order, [], options)
    .when({ type: 'PAY' })
    .then({ state: 'paying', effects: [{ src: 'charge', input: { total: 12 } }], timers: [] }))

test('a receipt ends the order', () =>
  given(order, [{ type: 'PAY' }], options)
    .when(resolved('charge', 'r-1'))
    .then({ state: 'paid', status: 'done', output: 'r-1' }))

test('a card that is refused opens it again, and the customer is told', () =>
  given(order, [{ type: 'PAY' }], options)
    .when(rejected('charge', new Error('no money')))
    .then({ state: 'open', effects: [{ src: 'mail', params: { about: 'the card' } }], timers: ['1d'] }))

test('an open order expires after a day', () =>
  given(order, [after('23h')], options)
    .when(after('1h'))
    .then({ state: 'expired' }))

// ---- every crash point: the effects run, the process dies at each place in turn ----------------------------------------

test('whatever happens, money is taken once', async () => {
  const world = () => {
    const charged = new Map()
    return { charged, order: orderOf({ charge: async (key, total) => charged.set(key, total) && 'r-1' }) }
  }
  const crashes = await everyCrashPoint(
    async ({ journal, clock, outside }) => {
      const host = await openHost({ journal, clock, machines: [outside.order], logger: quietLogger })
      const actor = await host.actor(outside.order, 'o-1', options)
      await actor.send({ type: 'PAY' }, { id: 'pay' }) // an id: a client repeats what was not acknowledged to him
      await actor.waitFor((state) => state.matches('paid'))
      await host.close()
    },
    ({ outside, point }) => assert.deepEqual([...outside.charged.values()], [12], `${point.when} ${point.write}`),
    { outside: world },
  )
  assert.ok(crashes >= 6)
})

// ---- a host with a clock and a journal that the test steers --------------------------------------------------------------

test('a full disk refuses the event and changes nothing', async () => {
  const clock = virtualClock()
  const full = { when: 'before', code: 'NO_SPACE', retryable: true }
  const journal = faultyJournal(memoryJournal(), nth(3, full)) // 1: the statechart, 2: the start, 3: PAY
  const host = await openHost({ journal, clock, machines: [order], logger: quietLogger })
  const actor = await host.actor(order, 'o-1', options)
  await assert.rejects(actor.send({ type: 'PAY' }), { code: 'NO_SPACE' })
  assert.equal(actor.getSnapshot().value, 'open')
  await clock.advance('1d')
  assert.equal(actor.getSnapshot().value, 'expired')
  await host.close()
})
