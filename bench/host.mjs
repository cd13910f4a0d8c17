// Durable sends through a host with the file journal, against XState with a hand-written SQLite upsert per event
// (WAL, synchronous FULL): the least that someone would write who wants the same promise. Side by side, in turns.
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'libsql'
import { assign, createActor, setup } from 'xstate'
import { durable, openHost } from '../dist/index.js'
import { fileJournal } from '../dist/journal/index.js'
import { best, scratch } from './side-by-side.mjs'

const machine = setup({}).createMachine({
  id: 'order',
  context: { count: 0, last: null },
  initial: 'open',
  states: {
    open: {
      on: {
        PUT: {
          target: 'held',
          actions: assign({ count: ({ context }) => context.count + 1, last: ({ event }) => event.id }),
        },
      },
    },
    held: { on: { PUT: { target: 'open', actions: assign({ count: ({ context }) => context.count + 1 }) } } },
  },
})
const eventOf = (n) => ({ type: 'PUT', id: `evt-${n}`, payload: 'x'.repeat(100) })
const INSTANCES = 1000
const FLYING = 256

const concurrent = async (total, send) => {
  let next = 0
  const one = async () => {
    while (next < total) await send(next++)
  }
  await Promise.all(Array.from({ length: FLYING }, one))
}

async function withHost(instances, run) {
  const dir = mkdtempSync(join(scratch(), 'host-'))
  const order = durable(machine)
  const host = await openHost({ journal: await fileJournal(dir), machines: [order] })
  const actors = await Promise.all(Array.from({ length: instances }, (_, n) => host.actor(order, `o-${n}`)))
  const rate = await run(actors)
  await host.close()
  rmSync(dir, { recursive: true })
  return rate
}

async function withSqlite(instances, run) {
  const dir = mkdtempSync(join(scratch(), 'sqlite-'))
  const db = new Database(join(dir, 'db'))
  db.exec(
    'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE snapshots (id TEXT PRIMARY KEY, state TEXT)',
  )
  const upsert = db.prepare('INSERT INTO snapshots VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET state = excluded.state')
  const actors = Array.from({ length: instances }, () => createActor(machine).start())
  const rate = await run(actors, (n, event) => {
    const actor = actors[n]
    actor.send(event)
    upsert.run(`o-${n}`, JSON.stringify(actor.getPersistedSnapshot()))
  })
  db.close()
  rmSync(dir, { recursive: true })
  return rate
}

const timed = async (total, work) => {
  const start = performance.now()
  await work()
  return total / ((performance.now() - start) / 1000)
}

const hostConcurrent = (total) =>
  withHost(INSTANCES, (actors) => timed(total, () => concurrent(total, (n) => actors[n % INSTANCES].send(eventOf(n)))))
const sqliteConcurrent = (total) =>
  withSqlite(INSTANCES, (_, send) =>
    timed(total, () => concurrent(total, async (n) => send(n % INSTANCES, eventOf(n)))),
  )
const hostSequence = (total) =>
  withHost(1, ([actor]) =>
    timed(total, async () => {
      for (let n = 0; n < total; n++) await actor.send(eventOf(n))
    }),
  )
const sqliteSequence = (total) =>
  withSqlite(1, (_, send) =>
    timed(total, async () => {
      for (let n = 0; n < total; n++) await send(0, eventOf(n))
    }),
  )

/** Ratios of rates, the median of some rounds in turns. */
export async function benchHost() {
  const together = await best(
    5,
    () => hostConcurrent(60_000),
    () => sqliteConcurrent(4_000),
  )
  const sequence = await best(
    5,
    () => hostSequence(3_000),
    () => sqliteSequence(3_000),
  )
  return [
    {
      name: 'durable sends, 256 in flight, against SQLite upsert',
      value: together.ratio,
      goal: 7,
      rates: together.rates,
    },
    { name: 'durable sends in sequence, against SQLite upsert', value: sequence.ratio, goal: 1, rates: sequence.rates },
  ]
}
