import { AssertionError } from 'node:assert'
import { expect, it, test } from 'vitest'
import { setup } from 'xstate'
import { durable } from '../../src/index.ts'
import { after, given, rejected, resolved, sent } from '../../src/testing/index.ts'
import { order } from './order.ts'

const input = { total: 12 }
const asked = (...args: Parameters<typeof given<typeof order.machine>>) => args
const open = asked(order, [], { input })
const paying = asked(order, [{ type: 'PAY' }], { input })

/** XState says so once at the start of an observable, and at each value. */
const seen = 'xstate.snapshot.outside'

/** What a sentence fails with. */
async function failure(sentence: Promise<void>): Promise<Error> {
  const answer = await sentence.then(
    () => undefined,
    (error: Error) => error,
  )
  expect(answer, 'should have failed').toBeInstanceOf(Error)
  return answer!
}

test('the very first transition: its effects in order, with params, nothing of them run', async () => {
  await given(...open).then({
    state: 'open',
    status: 'active',
    context: { total: 12 },
    effects: ['printer', 'weather', { src: 'mail', params: { to: 'the owner' } }],
    timers: ['1d'],
  })
})

test('an event: the effects of the history before do not count', async () => {
  await given(...open)
    .when({ type: 'PAY' })
    .then({
      state: { paying: 'first' },
      effects: [{ src: 'charge', input: { total: 12 } }],
      timers: ['1s'],
      emitted: [],
      handled: true,
    })
})

test('a promise gives its output, by the name of its actor or the id of its invoke', async () => {
  for (const name of ['charge', 'the charge'])
    await given(...paying)
      .when(resolved(name, { paid: 12 }))
      .then({ state: 'paid', status: 'done', output: { paid: 12 }, context: { receipt: { paid: 12 } } })
})

test('a promise fails', async () => {
  await given(...paying)
    .when(rejected('charge', new Error('no money')))
    .then({ state: 'open', effects: [{ src: 'mail', params: { to: 'the customer' } }] })
})

test('time: what falls due on the way happens in order, also what is set on the way', async () => {
  await given(...open)
    .when(after('1d'))
    .then({ state: 'expired', timers: [] })
  await given(...paying)
    .when(after(1999))
    .then({ state: { paying: 'second' }, timers: [1] })
  await given(...paying)
    .when(after('2s'))
    .then({ state: { paying: 'third' }, timers: [] })
  await given(order, [after('23h')], { input }).then({ timers: ['1h'] })
})

test('a callback is sent an event, and sends one', async () => {
  await given(...open)
    .when({ type: 'PRINT' })
    .then({ effects: [{ src: 'printer', event: { type: 'PAGE', n: 1 } }] })
  await given(...open)
    .when(sent('printer', { type: 'NOTE', text: 'no paper' }))
    .then({ context: { notes: [seen, 'no paper'] }, emitted: [{ type: 'noted', text: 'no paper' }] })
})

test('an observable gives a value', async () => {
  await given(...open)
    .when(sent('weather', 'rain'), sent('outside', 'sun'))
    .then({ context: { notes: [seen, seen, seen] } })
})

test('an event that no transition takes', async () => {
  await given(...paying)
    .when({ type: 'PAY' })
    .then({ handled: false, state: 'paying', effects: [] })
})

test('a machine that writes into its context is found out; it would not without freezing', async () => {
  const spoil = { type: 'SPOIL' } as const
  await given(...open)
    .when(spoil)
    .thenRefused('MACHINE_THREW')
  await given(order, [], { input, freeze: false })
    .when(spoil)
    .then({ context: { notes: [seen, 'spoiled'] } })
})

test('what the history is refused with is said, by then and by thenRefused', async () => {
  const spoiled = given(order, [{ type: 'SPOIL' }], { input })
  expect(await failure(spoiled.then({ state: 'open' }))).toMatchObject({ code: 'MACHINE_THREW' })
  expect(await failure(spoiled.when(after(1)).thenRefused('MACHINE_THREW'))).toMatchObject({ code: 'MACHINE_THREW' })
})

test('a machine that cannot take a result is refused with what parked it', async () => {
  const rude = durable(
    setup({}).createMachine({ id: 'rude', after: { 10: { guard: () => JSON.parse('no JSON'), actions: [] } } }),
  )
  await given(rude).when(after(10)).thenRefused('MACHINE_THREW')
})

test('what was expected and what came, of all that differs, is in the message', async () => {
  const error = await failure(
    given(...paying)
      .when(resolved('charge', { paid: 11 }))
      .then({ state: 'expired', context: { total: 12, receipt: { paid: 12 } }, effects: ['mail'], timers: [] }),
  )
  expect(error).toBeInstanceOf(AssertionError)
  expect(error.message).toBe(
    [
      "order: given PAY; when resolved 'charge'; then",
      "  state: expected 'expired', came 'paid'",
      '  context: expected { total: 12, receipt: { paid: 12 } }, came { total: 12, receipt: { paid: 11 } }',
      "  effects: expected [ 'mail' ], came []",
    ].join('\n'),
  )
  expect(error).toMatchObject({ expected: { state: 'expired' }, actual: { state: 'paid' } })
})

it.each([
  ['state', { state: 'paying' }],
  ['status', { status: 'done' }],
  ['context', { context: { total: 13 } }],
  ['output', { output: { paid: 1 } }],
  ['effects', { effects: ['charge'] }],
  ['effects', { effects: [] }],
  ['effects', { effects: ['printer', 'weather', { src: 'mail', params: { to: 'nobody' } }] }],
  ['emitted', { emitted: [{ type: 'noted', text: '' }] }],
  ['timers', { timers: [] }],
  ['timers', { timers: ['2d'] }],
  ['handled', { handled: true }],
] as const)('%s: %j is refused where it is not so', async (aspect, wrong) => {
  expect((await failure(given(...open).then(wrong as never))).message).toContain(`  ${aspect}: expected`)
})

test('thenRefused fails where it was taken, or refused with another code', async () => {
  const taken = await failure(
    given(...open)
      .when({ type: 'PAY' })
      .thenRefused('BAD_EVENT'),
  )
  expect(taken.message).toBe(
    "order: given its start; when PAY; then refused with BAD_EVENT, but it came to { paying: 'first' }",
  )
  const other = await failure(
    given(...open)
      .when({ type: 'SPOIL' })
      .thenRefused('BAD_EVENT'),
  )
  expect(other.message).toContain('MACHINE_THREW')
})

test('a result for what does not run, or of a kind that it cannot give, is said', async () => {
  const nobody = await failure(
    given(...open)
      .when(resolved('charge'))
      .then({ state: 'paid' }),
  )
  expect(nobody.message).toBe("resolved 'charge': it is not running; what runs: 'printer', 'weather'")
  const wrong = await failure(
    given(...paying)
      .when(sent('charge', 1))
      .then({ state: 'paid' }),
  )
  expect(wrong.message).toContain("sent 'charge': a promise can't do that")
  const left = given(order, [{ type: 'PAY' }, resolved('charge', { paid: 1 })], { input })
  expect((await failure(left.when(resolved('charge')).then({ state: 'paid' }))).message).toContain('what runs: nothing')
})

test('a sentence that compares nothing, or what there is not, or was not ended, is refused', async () => {
  expect((await failure(given(...open).then({}))).message).toContain('one or more of state, status')
  expect((await failure(given(...open).then({ stat: 'open' } as never))).message).toContain('not stat')
  const unended = (async () => given(...open) as never)()
  expect((await failure(unended)).message).toContain('say what is expected')
})

test('a missing input is the machine at fault, not a hang', async () => {
  expect(await failure(given(order).then({ state: 'open' }))).toMatchObject({ code: 'MACHINE_THREW' })
})
