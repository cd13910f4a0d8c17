import { join } from 'node:path'
import Database from 'libsql'
import { byHand, upserts } from '../by-hand.mjs'

export default byHand('XState by hand, SQLite upsert an event (libsql, WAL, synchronous FULL)', (dir) =>
  upserts(new Database(join(dir, 'db'))),
)
