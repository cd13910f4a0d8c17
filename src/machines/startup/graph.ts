// S1 The graph of the tasks: what can't be one is named, and what may run follows from it alone.
//
// No recursion: a chain may be as long as it likes.
import { DuramenError } from '../../ports/errors.ts'
import { shown } from '../../ports/given.ts'
import type { DoneOnce, Task } from './types.ts'

/** What a task is, as far as the graph goes. */
export interface Node {
  readonly id: string
  readonly needs: readonly string[]
}

/** Throws BAD_OPTION for an id that is there twice, a need that is not, and for a cycle. */
export function assertGraph(nodes: readonly Node[]): void {
  const byId = new Map<string, Node>()
  for (const node of nodes) {
    if (byId.has(node.id)) throw bad(`two tasks have the id ${shown(node.id)}`, 'Give each its own.')
    byId.set(node.id, node)
  }
  for (const { id, needs } of nodes)
    for (const need of needs)
      if (!byId.has(need))
        throw bad(`${shown(id)} needs ${shown(need)}, and there is no such task`, 'Add that task, or mend the name.')
  const cycle = cycleIn(nodes, byId)
  if (cycle) throw bad(`tasks need each other: ${cycle.join(' -> ')}`, 'Take one of these needs away.')
}

const bad = (message: string, hint: string) => new DuramenError('BAD_OPTION', `startup: ${message}`, { hint })

/** The first cycle, each id before one that it needs, the first again at the end. */
function cycleIn(nodes: readonly Node[], byId: ReadonlyMap<string, Node>): string[] | undefined {
  const clear = new Set<string>()
  for (const start of nodes) {
    /** How we came here, and how many needs of each have been looked at. */
    const way: { node: Node; looked: number }[] = [{ node: start, looked: 0 }]
    const onWay = new Set([start.id])
    for (let here = clear.has(start.id) ? undefined : way[0]; here; here = way.at(-1)) {
      const need = here.node.needs[here.looked++]
      if (need === undefined) {
        way.pop()
        onWay.delete(here.node.id)
        clear.add(here.node.id)
      } else if (onWay.has(need)) {
        const ids = way.map(({ node }) => node.id)
        return [...ids.slice(ids.indexOf(need)), need]
      } else if (!clear.has(need)) {
        way.push({ node: byId.get(need)!, looked: 0 })
        onWay.add(need)
      }
    }
  }
  return undefined
}

/** Whether a task needs another one, also through others. */
export function needs(byId: ReadonlyMap<string, Node>, id: string, other: string): boolean {
  const seen = new Set<string>()
  const open = [...byId.get(id)!.needs]
  for (let need = open.pop(); need !== undefined; need = open.pop()) {
    if (need === other) return true
    if (seen.has(need)) continue
    seen.add(need)
    open.push(...byId.get(need)!.needs)
  }
  return false
}

/** What may happen now. Places of tasks. */
export interface Next {
  readonly tasks: readonly Task[]
  readonly order: readonly number[]
  /** They begin. */
  readonly started: readonly number[]
  /** They have been done before. */
  readonly skipped: readonly number[]
  /** What they need has failed. */
  readonly blocked: readonly number[]
}

/** Whether what needs it may begin. */
export const isDone = ({ state }: Task) => state === 'done' || state === 'skipped'
const isLost = ({ state }: Task) => state === 'failed' || state === 'blocked'

/** What follows of the states that the tasks are in. `done`: those that run once and have been done; `now`: ms. */
export function next(before: readonly Task[], order: readonly number[], done: readonly DoneOnce[], now: number): Next {
  const [started, skipped, blocked]: [number[], number[], number[]] = [[], [], []]
  const candidates = [...before.keys()].filter((n) => before[n]!.state === 'waiting')
  if (candidates.length === 0) return { tasks: before, order, started, skipped, blocked }
  const tasks = [...before]
  const at = new Map(tasks.map(({ id }, n) => [id, n]))
  let dependents: number[][] | undefined
  /** Those that need it; mostly nobody asks. */
  const needing = (n: number): number[] => {
    dependents ??= dependentsOf(tasks, at)
    return dependents[n]!
  }
  const versions = new Map(done.map(({ task, version }) => [task, version]))

  const lost = [...tasks.keys()].filter((n) => isLost(tasks[n]!))
  for (const n of lost)
    for (const dependent of needing(n)) {
      const task = tasks[dependent]!
      if (task.state !== 'waiting') continue
      const { id, state } = tasks[n]!
      const problem = {
        code: 'BLOCKED',
        message: `it needs ${id}, which ${state === 'failed' ? 'has failed' : 'does not run'}`,
      }
      tasks[dependent] = { ...task, state: 'blocked', endedAt: now, problem }
      blocked.push(dependent)
      lost.push(dependent)
    }

  let heavy = tasks.some((task) => task.heavy && task.state === 'running')
  for (const n of candidates) {
    const task = tasks[n]!
    if (task.state !== 'waiting' || !task.needs.every((need) => isDone(tasks[at.get(need)!]!))) continue
    if (task.once && (versions.get(task.id) ?? 0) >= task.version) {
      tasks[n] = { ...task, state: 'skipped', endedAt: now }
      skipped.push(n)
      for (const dependent of needing(n)) candidates.push(dependent)
    } else if (!task.heavy || !heavy) {
      heavy ||= task.heavy
      tasks[n] = { ...task, state: 'running', attempt: task.attempt + 1, startedAt: task.startedAt ?? now }
      started.push(n)
    }
  }
  return { tasks, order: [...order, ...skipped], started, skipped, blocked }
}

function dependentsOf(tasks: readonly Task[], at: ReadonlyMap<string, number>): number[][] {
  const dependents = tasks.map((): number[] => [])
  for (const [n, { needs }] of tasks.entries()) for (const need of needs) dependents[at.get(need)!]!.push(n)
  return dependents
}

/** S3: everything critical is up. */
export const isUp = (tasks: readonly Task[]) => tasks.every((task) => !task.critical || isDone(task))

/** S3: something that is not critical is missing. */
export const isDegraded = (tasks: readonly Task[]) => tasks.some(isLost)

/** K9: so many of them are named. */
const NAMED = 20

/** The ids of tasks, for people. */
export function namesOf(tasks: readonly Task[]): string {
  const names = tasks.slice(0, NAMED).map(({ id }) => id)
  return names.join(', ') + (tasks.length > NAMED ? `, … (${tasks.length})` : '')
}

export const namesOfLost = (tasks: readonly Task[]) => namesOf(tasks.filter(isLost))

/** S7: what is to be stopped next: of what is done, the last. */
export const lastDone = (tasks: readonly Task[], order: readonly number[]): number | undefined =>
  order.findLast((n) => tasks[n]!.state === 'done' && tasks[n]!.stops)
