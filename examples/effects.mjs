// Effects that fail, wait and end outside: a payment that is tried again, and an approval that somebody gives later.
// Run it with: node examples/effects.mjs
import { currentEffect, durable, openHost } from 'duramen'
import { memoryJournal } from 'duramen/journal'
import { assign, fromPromise, setup } from 'xstate'

let calls = 0
let token

const machine = setup({
  actors: {
    charge: fromPromise(async () => {
      const { key, attempt } = currentEffect()
      console.log(`charge ${key}, attempt ${attempt}`)
      if (++calls < 3) throw new Error('the bank does not answer')
      return 'paid'
    }),
    approve: fromPromise(() =>
      currentEffect().handOver((given) => {
        token = given // in real life: into a mail, with a link
        console.log('approval asked for')
      }),
    ),
  },
}).createMachine({
  id: 'order',
  context: { by: undefined },
  initial: 'charging',
  states: {
    charging: { invoke: { id: 'charge', src: 'charge', onDone: 'approving', onError: 'refused' } },
    approving: {
      invoke: {
        id: 'approve',
        src: 'approve',
        onDone: { target: 'done', actions: assign({ by: ({ event }) => event.output.by }) },
      },
    },
    refused: { type: 'final' },
    done: { type: 'final' },
  },
})

const order = durable(machine, {
  retry: { charge: { attempts: 5, backoff: { first: '50ms' }, timeout: '5s', concurrency: { limit: 10 } } },
})
const host = await openHost({ journal: memoryJournal(), machines: [order] })
const actor = await host.actor(order, 'o-17')

await actor.waitFor((snapshot) => snapshot.matches('approving'), { timeout: '10s' })
while (!token) await new Promise((resolve) => setTimeout(resolve, 10))
await host.complete(token, { by: 'ann' })
const again = await host.complete(token, { by: 'ann' })
console.log(`approved by ${actor.getSnapshot().context.by}; a second time it is a duplicate: ${again.duplicate}`)
await host.close()
