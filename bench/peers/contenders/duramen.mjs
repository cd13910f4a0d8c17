// duramen as it comes: the file journal, every send awaited until it is durable.
import { join } from 'node:path'
import { durable, openHost } from '../../../dist/index.js'
import { fileJournal } from '../../../dist/journal/index.js'
import { eventOf, INSTANCES, machine } from '../../order.mjs'

const order = durable(machine)
const hostIn = async (dir) => openHost({ journal: await fileJournal(join(dir, 'journal')), machines: [order] })
const actorsOf = (host) => Promise.all(Array.from({ length: INSTANCES }, (_, n) => host.actor(order, `o-${n}`)))

export default {
  title: 'duramen, file journal',
  instances: INSTANCES,
  async open(dir) {
    const host = await hostIn(dir)
    const actors = await actorsOf(host)
    return { send: (n, turn) => actors[n].send(eventOf(turn)), close: () => host.close() }
  },
  async kept(dir) {
    const host = await hostIn(dir)
    const counts = (await actorsOf(host)).map((actor) => actor.getSnapshot().context.count)
    await host.close()
    return counts
  },
}
