// An event is a step of a run that waits for it: the least that openworkflow makes durable. It stops a run after 1,000
// steps, so there are as many runs as sends on their way, and all take part also when sends come one after the other.
import { join } from 'node:path'
import { OpenWorkflow } from 'openworkflow'
import { BackendSqlite } from 'openworkflow/sqlite'
import { eventOf, FLYING } from '../../order.mjs'

const MOST_STEPS = 990
const backendIn = (dir) => BackendSqlite.connect(join(dir, 'db'))

/** Everything of a listing that comes in pages. */
async function* pages(list) {
  let after
  do {
    const { data, pagination } = await list({ limit: 100, ...(after && { after }) })
    yield* data
    after = pagination.next
  } while (after)
}

export default {
  title: 'openworkflow, SQLite (a step an event)',
  instances: FLYING,
  async open(dir) {
    const backend = backendIn(dir)
    const ow = new OpenWorkflow({ backend })
    /** What hands the next event to each run; there as soon as the run waits for one. */
    const hands = []
    const arrivals = []
    const arrived = Array.from({ length: FLYING }, (_, n) => new Promise((resolve) => (arrivals[n] = resolve)))
    const order = ow.defineWorkflow({ name: 'order' }, async ({ input: { n }, step }) => {
      for (let turn = 1; turn <= MOST_STEPS; turn++) {
        const { event, done } = await new Promise((resolve) => {
          hands[n] = resolve
          arrivals[n]()
        })
        if (event === undefined) break
        await step.run({ name: `${turn}` }, () => event).then(done.resolve, done.reject)
      }
    })
    const worker = ow.newWorker({ concurrency: FLYING })
    for (let n = 0; n < FLYING; n++) await order.run({ n })
    await worker.start()
    await Promise.all(arrived)
    const hand = (n, event) =>
      new Promise((resolve, reject) => {
        const to = hands[n]
        if (to === undefined) return reject(new Error(`run ${n} has had its ${MOST_STEPS} steps`))
        hands[n] = undefined
        to({ event, done: { resolve, reject } })
      })
    return {
      send: async (n, turn) => {
        // the run asks for its next event one turn of the loop after its step has ended
        while (hands[n] === undefined) await new Promise(setImmediate)
        return hand(n, eventOf(turn))
      },
      async close() {
        await backend.stop()
      },
    }
  },
  async kept(dir) {
    const backend = backendIn(dir)
    const counts = Array(FLYING).fill(0)
    for await (const run of pages((page) => backend.listWorkflowRuns(page))) {
      const steps = new Set()
      for await (const { stepName, status } of pages((page) =>
        backend.listStepAttempts({ workflowRunId: run.id, ...page }),
      ))
        if (status === 'completed') steps.add(stepName)
      while (steps.has(`${counts[run.input.n] + 1}`)) counts[run.input.n]++
    }
    await backend.stop()
    return counts
  },
}
