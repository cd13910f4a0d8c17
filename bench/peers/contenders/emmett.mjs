// An append of one event to a stream, without deciding anything: no state machine runs here. The store is given its one
// connection to keep, which is the faster way to use it, and appends one at a time, as each begins a transaction on it. Now
// and then it rejects one with SQLITE_BUSY, its own SELECT not being done with yet: such an append is tried again.
import { join } from 'node:path'
import { getSQLiteEventStore } from '@event-driven-io/emmett-sqlite'
import { eventOf, INSTANCES } from '../../order.mjs'

const storeIn = (dir) => getSQLiteEventStore({ fileName: join(dir, 'db'), connectionOptions: { singleton: true } })

export default {
  title: 'emmett, SQLite (an append an event, one at a time)',
  instances: INSTANCES,
  async open(dir) {
    const store = storeIn(dir)
    const append = (stream, event) =>
      store.appendToStream(stream, [event]).catch((error) => {
        if (error.code !== 'SQLITE_BUSY') throw error
        return append(stream, event)
      })
    let last = Promise.resolve()
    const turns = Array(INSTANCES).fill(0)
    return {
      send(n, turn) {
        const { type, ...data } = eventOf(turn)
        const event = { type, data: { ...data, turn: ++turns[n] } }
        last = last.then(() => append(`order-${n}`, event))
        return last
      },
      async close() {},
    }
  },
  async kept(dir) {
    const store = storeIn(dir)
    const counts = []
    for (let n = 0; n < INSTANCES; n++) {
      const { events } = await store.readStream(`order-${n}`)
      const turns = new Set(events.map(({ data }) => data.turn))
      let count = 0
      while (turns.has(count + 1)) count++
      counts.push(count)
    }
    return counts
  },
}
