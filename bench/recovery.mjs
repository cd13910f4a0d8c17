// An instance comes back: from its records, beside plain XState that parses and sends the same events; and from a snapshot.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { createActor } from 'xstate'
import { durable, openHost } from '../dist/index.js'
import { fileJournal } from '../dist/journal/index.js'
import { concurrent, eventOf, machine, took } from './order.mjs'
import { best, inFolder, median } from './side-by-side.mjs'

const EVENTS = 10_000
const ROUNDS = 9
const order = durable(machine)

async function onHost(dir, run) {
  const host = await openHost({ journal: await fileJournal(dir), machines: [order] })
  const figure = await run(host)
  await host.close()
  return figure
}

/** Milliseconds until an instance that no host has in memory is there again. */
const reopened = (dir) =>
  onHost(dir, async (host) => {
    let actor
    const figure = await took(async () => {
      actor = await host.actor(order, 'o-1', { create: false })
    })
    const { count } = actor.getSnapshot().context
    if (count !== EVENTS) throw new Error(`${count} of ${EVENTS} events came back`)
    return figure
  })

const texts = Array.from({ length: EVENTS }, (_, n) => JSON.stringify(eventOf(n)))
const parsedAndSent = () =>
  took(() => {
    const actor = createActor(machine).start()
    for (const text of texts) actor.send(JSON.parse(text))
  })

/** Ratios and milliseconds, the median of rounds. */
export const benchRecovery = () =>
  inFolder(async (dir) => {
    await onHost(dir, async (host) => {
      const actor = await host.actor(order, 'o-1')
      await concurrent(EVENTS, (n) => actor.send(eventOf(n)))
    })
    const fromSnapshot = []
    for (let round = 0; round < ROUNDS; round++) fromSnapshot.push(await reopened(dir))
    const replay = await best(
      ROUNDS,
      () => {
        rmSync(join(dir, 'snapshots'), { force: true })
        return reopened(dir)
      },
      parsedAndSent,
    )
    return [
      {
        name: `replay of ${EVENTS.toLocaleString('en')} events: of plain JSON.parse and actor.send (times)`,
        value: replay.ratio,
        goal: 2,
        lowerIsBetter: true,
        rates: replay.rates,
        unit: 'ms',
      },
      { name: 'the same instance from its snapshot, ms', value: median(fromSnapshot), goal: 5, lowerIsBetter: true },
    ]
  })
