import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { byHand, upserts } from '../by-hand.mjs'

export default byHand('XState by hand, SQLite upsert an event (node:sqlite, WAL, synchronous FULL)', (dir) =>
  upserts(new DatabaseSync(join(dir, 'db'))),
)
