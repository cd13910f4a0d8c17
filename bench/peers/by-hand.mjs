// XState made durable by hand, as one does without a library: after every event the actor's whole snapshot is stored, and
// only then does the event count as done.
import * as xstate from 'xstate'
import { eventOf, INSTANCES, orderOf } from '../order.mjs'

const machine = orderOf(xstate)

/** A contender on `storeIn(dir)`: `put(n, text)` keeps a snapshot, `all()` gives back pairs of n and text. */
export const byHand = (title, storeIn) => ({
  title,
  instances: INSTANCES,
  async open(dir) {
    const store = storeIn(dir)
    const actors = Array.from({ length: INSTANCES }, () => xstate.createActor(machine).start())
    return {
      async send(n, turn) {
        actors[n].send(eventOf(turn))
        await store.put(n, JSON.stringify(actors[n].getPersistedSnapshot()))
      },
      close: async () => store.close(),
    }
  },
  async kept(dir) {
    const store = storeIn(dir)
    const counts = Array(INSTANCES).fill(0)
    for (const [n, text] of store.all()) {
      const actor = xstate.createActor(machine, { snapshot: JSON.parse(text) }).start()
      counts[n] = actor.getSnapshot().context.count
    }
    store.close()
    return counts
  },
})

/** A store in a table of SQLite, for drivers that are called like better-sqlite3; every upsert is a transaction. */
export function upserts(db) {
  db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
  db.exec('CREATE TABLE IF NOT EXISTS snapshots (id INTEGER PRIMARY KEY, state TEXT)')
  const upsert = db.prepare('INSERT INTO snapshots VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET state = excluded.state')
  const select = db.prepare('SELECT id, state FROM snapshots')
  return {
    put: (n, text) => void upsert.run(n, text),
    all: () => select.all().map(({ id, state }) => [id, state]),
    close: () => db.close(),
  }
}
