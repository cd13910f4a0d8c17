// Asks an instance, looks back at what it was, tries what would have happened, and verifies a next version before it is
// put to use.
//
// In a project of yours:   npm install duramen xstate rxjs
//                          node time-travel.mjs
// In a clone of duramen:   npm ci && npm run build && node examples/time-travel.mjs
import { durable, openHost } from 'duramen'
import { memoryJournal } from 'duramen/journal'
import { assign, emit, fromPromise, setup } from 'xstate'

const cart = (discount) =>
  setup({ actors: { ship: fromPromise(async () => 'sent') } }).createMachine({
    id: 'cart',
    context: { total: 0 },
    initial: 'open',
    states: {
      open: {
        on: {
          ADD: { actions: assign({ total: ({ context, event }) => context.total + event.price }) },
          QUOTE: { actions: emit(({ context }) => ({ type: 'QUOTED', total: context.total * (1 - discount) })) },
          PAY: [
            { guard: ({ context }) => context.total * (1 - discount) >= 100, target: 'gift' },
            { target: 'shipping' },
          ],
        },
      },
      gift: { invoke: { src: 'ship', id: 'ship', onDone: 'done' } },
      shipping: { invoke: { src: 'ship', id: 'ship', onDone: 'done' } },
      done: { type: 'final' },
    },
  })

const cart1 = durable(cart(0), { version: 1 })
const host = await openHost({ journal: memoryJournal(), machines: [cart1] })

// every commit of every instance, as it becomes durable
host.records$().subscribe(({ instance, seq, value }) => console.log(`  ${instance} ${seq}: ${value}`))

const actor = await host.actor(cart1, 'c-1')
await actor.send({ type: 'ADD', price: 70 })
await actor.send({ type: 'ADD', price: 40 })

// an event, and the emitted event that answers it; asked again with the same id, the answer is the same
const quote = await actor.ask({ type: 'QUOTE' }, { reply: 'QUOTED', id: 'quote-1' })
console.log(`quoted: ${quote.total}`)

await actor.send({ type: 'PAY' })
await actor.waitFor((state) => state.status === 'done', { timeout: '5s' })

// as it was after its second commit, and what would have happened
const past = await actor.snapshotAt(2)
const tried = await past.send({ type: 'PAY' })
console.log(`total was ${past.snapshot.context.total}; PAY would have led to ${tried.snapshot.value}`)
console.log(`and started: ${tried.effects.map(({ kind, src }) => `${kind} ${src}`).join(', ')}`)

// what the next version would make of what is stored, before anybody runs it
const cart2 = durable(cart(0.1), { version: 2 })
const report = await host.verify({ against: [cart2] })
for (const { id, status, first } of report.findings)
  console.log(`${id} ${status}: commit ${first.seq} led to ${first.expected.value}, now to ${first.got.value}`)

await host.close()
