// Durable sends through a host, beside the least that one would do without it: with the file journal beside XState with a
// hand-written SQLite upsert per event (WAL, synchronous FULL), with the memory journal beside plain `actor.send`; one hot
// instance beside a thousand; and for how long the event loop stands still under full load.
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import Database from 'libsql'
import { createActor } from 'xstate'
import { durable, openHost } from '../dist/index.js'
import { fileJournal, memoryJournal } from '../dist/journal/index.js'
import { concurrent, eventOf, INSTANCES, inSequence, machine, rateOf } from './order.mjs'
import { best, inFolder, median } from './side-by-side.mjs'

const order = durable(machine)

async function onJournal(journal, instances, run) {
  const host = await openHost({ journal, machines: [order] })
  const actors = await Promise.all(Array.from({ length: instances }, (_, n) => host.actor(order, `o-${n}`)))
  const figure = await run((n) => actors[n % instances].send(eventOf(n)))
  await host.close()
  return figure
}

const onFile = (instances, run) => inFolder(async (dir) => onJournal(await fileJournal(dir), instances, run))
const inMemory = (instances, run) => onJournal(memoryJournal(), instances, run)

const onSqlite = (instances, run) =>
  inFolder(async (dir) => {
    const db = new Database(join(dir, 'db'))
    db.exec(
      'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE snapshots (id TEXT PRIMARY KEY, state TEXT)',
    )
    const upsert = db.prepare(
      'INSERT INTO snapshots VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET state = excluded.state',
    )
    const actors = Array.from({ length: instances }, () => createActor(machine).start())
    const figure = await run(async (n) => {
      const actor = actors[n % instances]
      actor.send(eventOf(n))
      upsert.run(`o-${n % instances}`, JSON.stringify(actor.getPersistedSnapshot()))
    })
    db.close()
    return figure
  })

/** Plain XState: nothing is awaited, as there is nothing to wait for. */
async function plain(instances, total) {
  const actors = Array.from({ length: instances }, () => createActor(machine).start())
  return rateOf(total, () => {
    for (let n = 0; n < total; n++) actors[n % instances].send(eventOf(n))
  })
}

const together = (total) => (send) => rateOf(total, () => concurrent(total, send))
const alone = (total) => (send) => rateOf(total, () => inSequence(total, send))

/** The 99th percentile of how much later than asked for a timer comes, in ms, while sends are coming in. */
const stall = (total) => async (send) => {
  await concurrent(total / 4, send)
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  await concurrent(total, send)
  delay.disable()
  return delay.percentile(99) / 1e6 - 1
}

const row = (name, goal, { ratio, rates }) => ({ name, value: ratio, goal, rates })

/** Ratios of rates, the median of some rounds in turns. */
export async function benchHost() {
  const rows = [
    row(
      'durable sends, 256 in flight over 1,000 instances: of SQLite upserts',
      7,
      await best(
        5,
        () => onFile(INSTANCES, together(60_000)),
        () => onSqlite(INSTANCES, together(4_000)),
      ),
    ),
    row(
      'durable sends in sequence: of SQLite upserts',
      1,
      await best(
        5,
        () => onFile(1, alone(3_000)),
        () => onSqlite(1, alone(3_000)),
      ),
    ),
    row(
      'one hot instance, 256 in flight: of 1,000 instances',
      0.7,
      await best(
        5,
        () => onFile(1, together(60_000)),
        () => onFile(INSTANCES, together(60_000)),
      ),
    ),
    row(
      'memory journal, 256 in flight over 1,000 instances: of plain actor.send',
      0.35,
      await best(
        7,
        () => inMemory(INSTANCES, together(100_000)),
        () => plain(INSTANCES, 100_000),
      ),
    ),
    row(
      'memory journal, 256 in flight on one instance: of plain actor.send',
      0.35,
      await best(
        7,
        () => inMemory(1, together(100_000)),
        () => plain(1, 100_000),
      ),
    ),
  ]
  const stalls = []
  for (let round = 0; round < 5; round++) stalls.push(await onFile(INSTANCES, stall(100_000)))
  rows.push({
    name: 'event loop stalls under that load, 99th percentile, ms',
    value: median(stalls),
    goal: 20,
    lowerIsBetter: true,
  })
  return rows
}
