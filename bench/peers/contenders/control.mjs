// The control: it answers at once and writes a little later, so that a kill must lose what it has acknowledged. If none were
// missed here, the proof would see nothing.
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { byHand, upserts } from '../by-hand.mjs'

const LATER_MS = 50

export default byHand('control: XState by hand, SQLite, acknowledged before it is written', (dir) => {
  const db = new DatabaseSync(join(dir, 'db'))
  const store = upserts(db)
  let waiting = new Map()
  const write = () => {
    db.exec('BEGIN')
    for (const [n, text] of waiting) store.put(n, text)
    db.exec('COMMIT')
    waiting = new Map()
  }
  const timer = setInterval(write, LATER_MS)
  return {
    ...store,
    // lets go of the loop now and then, so that the timer has its turn
    put(n, text) {
      waiting.set(n, text)
      return new Promise(setImmediate)
    },
    close() {
      clearInterval(timer)
      write()
      store.close()
    },
  }
})
