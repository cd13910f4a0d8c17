// A process that has begun all that takes time, closes its host, and has nothing left that could keep it: it must end by
// itself. Prints what is still there right after `close`.
import { fromCallback, fromPromise, setup } from 'xstate'
import { currentEffect, durable, openHost } from '../../dist/index.js'
import { fileJournal } from '../../dist/journal/index.js'
import { schedule } from '../../dist/machines/index.js'
import { quietLogger } from '../../dist/testing/index.js'

const forEver = () => new Promise(() => {})
const failing = async () => {
  throw new Error('again in an hour')
}
const one = (id, logic, retry, machine = {}) =>
  durable(
    setup({ actors: { work: logic } }).createMachine({
      id,
      initial: 'busy',
      states: {
        busy: {
          invoke: { src: 'work', id: 'work', onError: 'failed' },
          after: { 3600000: 'late' },
          on: { LEAVE: 'left' },
        },
        late: {},
        left: {},
        failed: {},
      },
      ...machine,
    }),
    { timers: 'resume', ...(retry && { retry: { work: retry } }) },
  )

const machines = {
  deaf: one('deaf', fromPromise(forEver), { timeout: '1h', heartbeat: '1h' }),
  left: one('left', fromPromise(forEver), { concurrency: { limit: 1 } }),
  rated: one('rated', fromPromise(forEver), { rate: { limit: 1, per: '1h' } }),
  backoff: one('backoff', fromPromise(failing), { attempts: 9, backoff: { first: '1h' } }),
  beating: one(
    'beating',
    fromPromise(() => {
      currentEffect().heartbeat({ at: 1 })
      return forEver()
    }),
    { heartbeat: '1h' },
  ),
  handed: one(
    'handed',
    fromPromise(() => currentEffect().handOver(() => {})),
  ),
  callback: one(
    'callback',
    fromCallback(() => {
      const tick = setInterval(() => {}, 1000)
      return () => clearInterval(tick)
    }),
    { timeout: '1h' },
  ),
}

const host = await openHost({
  journal: await fileJournal(process.argv[2]),
  machines: Object.values(machines),
  logger: quietLogger,
  closeTimeout: 50,
})
const actors = {}
for (const [name, machine] of Object.entries(machines)) actors[name] = await host.actor(machine, 'x')
await host.actor(machines.left, 'y') // waits for the slot
await host.actor(machines.rated, 'y') // waits for its hour
await actors.left.send({ type: 'LEAVE' })
await schedule(host, machines.handed, 'hourly', { every: '1h' })
actors.deaf.waitFor(() => false, { timeout: '1h' }).catch(() => {})
actors.deaf.ask({ type: 'ASK' }, { reply: 'ANSWER', timeout: '1h' }).catch(() => {})
host.records$().subscribe({ complete: () => console.log('records$ has completed') })
await new Promise((resolve) => setTimeout(resolve, 50))
await host.close()
await host.close()
console.log(`closed; timers: ${process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length}`)
process.on('exit', () => console.log('ended by itself'))
