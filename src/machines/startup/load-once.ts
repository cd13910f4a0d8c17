// S2 A load runs once in a process, however many ask for it at once, and from whichever copy of this package: two copies of a
// model in memory are what corrupted it.
import { AsyncLocalStorage } from 'node:async_hooks'
import { DuramenError } from '../../ports/errors.ts'
import { assertFunction, badOption } from '../../ports/given.ts'

interface Load {
  readonly id: string
  /** Those that it has asked for, and that may hold it up; empty once it has ended. */
  readonly asked: Set<Load>
  underWay: boolean
  value: Promise<unknown>
}

/** Shared by all copies of the package in a process. */
interface Loads {
  readonly byId: Map<string, Load>
  /** The load inside which the code runs. */
  readonly inside: AsyncLocalStorage<Load>
}

const KEY = Symbol.for('duramen.loadOnce/1')

function loadsOfThisProcess(): Loads {
  const shared = globalThis as { [KEY]?: Loads }
  shared[KEY] ??= { byId: new Map(), inside: new AsyncLocalStorage() }
  return shared[KEY]
}

/**
 * What `load` gives, loaded once in this process: who asks for the same `id` meanwhile waits for the same load, who asks later
 * gets its value, whatever `load` they give. A load that fails rejects all who wait with its error and is forgotten: who asks
 * then begins anew. Also holds when two copies of this package are loaded.
 * Rejects BAD_OPTION for a bad id or load, and when a load waits for itself, also through others.
 */
export async function loadOnce<T>(id: string, load: () => T | Promise<T>): Promise<T> {
  if (typeof id !== 'string' || id === '') throw badOption('id', id, 'is no name', "Give a text like 'model'.")
  assertFunction('load', load, 'Give the function that loads it, like () => readFile(path).')
  const loads = loadsOfThisProcess()
  const asker = loads.inside.getStore()
  const wanted = loads.byId.get(id) ?? begin(loads, id, load)
  // one that has ended may go on to ask, as from a timer it has set: it holds nobody up
  if (asker?.underWay) {
    const way = wayTo(asker, wanted)
    if (way) throw cycle([...way, wanted])
    asker.asked.add(wanted)
  }
  return wanted.value as Promise<T>
}

function begin({ byId, inside }: Loads, id: string, load: () => unknown): Load {
  const begun: Load = { id, asked: new Set(), underWay: true, value: Promise.resolve() }
  byId.set(id, begun)
  begun.value = begun.value
    .then(() => inside.run(begun, load))
    .catch((error) => {
      byId.delete(id)
      throw error
    })
    .finally(() => {
      begun.underWay = false
      begun.asked.clear()
    })
  return begun
}

/** How `from` leads to `to`: `from`, those between, `to`. Undefined where it does not. */
function wayTo(to: Load, from: Load): Load[] | undefined {
  const ways: Load[][] = [[from]]
  const seen = new Set<Load>()
  for (let way = ways.pop(); way; way = ways.pop()) {
    const last = way.at(-1)!
    if (last === to) return way
    if (seen.has(last)) continue
    seen.add(last)
    for (const next of last.asked) ways.push([...way, next])
  }
  return undefined
}

const cycle = (way: readonly Load[]) =>
  new DuramenError('BAD_OPTION', `loadOnce: ${way.map(({ id }) => `'${id}'`).join(' -> ')} waits for itself`, {
    hint: 'Load what they share by a name of its own, which each of them asks for.',
  })
