// A report at nine each morning in Berlin, and a heartbeat every ten seconds; both go on after a crash where they were.
//
// In a project of yours:   npm install duramen xstate rxjs
//                          node schedule.mjs
// In a clone of duramen:   npm ci && npm run build && node examples/schedule.mjs
//
// Stop it with Ctrl+C, or kill it, and start it again: what was missed meanwhile is said, and made up for as `catchUp` says.
import { durable, openHost } from 'duramen'
import { fileJournal } from 'duramen/journal'
import { schedule } from 'duramen/machines'
import { setup } from 'xstate'

// What is to be done at each time: any machine. A run is an instance of it, as durable as any other.
const reportMachine = setup({
  actions: { print: ({ context }) => console.log(`report for ${context.for}`) },
}).createMachine({
  id: 'report',
  context: ({ input }) => ({ for: input.for }),
  entry: 'print',
  initial: 'done',
  states: { done: { type: 'final' } },
})
const report = durable(reportMachine)

const host = await openHost({ journal: await fileJournal('reports') })

const morning = await schedule(host, report, 'morning', {
  cron: '0 9 * * *',
  timezone: 'Europe/Berlin',
  input: ({ due }) => ({ for: due.toISOString() }),
})
const heartbeat = await schedule(host, report, 'heartbeat', {
  every: '10s',
  catchUp: 'none', // nobody wants yesterday's heartbeats
  input: { for: 'the heartbeat' },
})

process.once('SIGINT', () => host.close())

heartbeat.events$.subscribe(({ message }) => console.log(message))
console.log(`The next morning report is due at ${morning.next().toISOString()}`)
