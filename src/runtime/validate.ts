// What can be known to fail before an instance runs is refused when the machine is made durable, by name and with what to
// do; XState itself would ignore most of it silently.
import { type AnyActorLogic, type AnyStateMachine, StateMachine, type StateNode } from 'xstate'
import { DuramenError } from '../ports/errors.ts'
import { kindOf, logicOf, NOT_KNOWN } from './xstate/logic.ts'

type Node = StateNode<any, any>
type Named = { type?: string; src?: unknown; id?: unknown; delay?: unknown; resolve?: unknown } & ((
  ...args: never[]
) => unknown)

/** Every reason why a machine can't run durable, as sentences; children that are machines included. */
function problemsOf(machine: AnyStateMachine, path = machine.id, seen = new Set<unknown>()): string[] {
  if (seen.has(machine)) return []
  seen.add(machine)
  const found: string[] = []
  const { actions, guards, actors, delays } = machine.implementations
  const say = (where: string, problem: string) => found.push(`${where}: ${problem}`)

  for (const name of Object.keys(actions))
    if (name.startsWith('xstate.')) say(path, `the action name '${name}' is reserved; rename it`)

  const checkAction = (action: unknown, where: string, depth = 0): void => {
    if (typeof action !== 'function') {
      const name = typeof action === 'string' ? action : (action as { type: string }).type
      const implementation = (actions as Record<string, unknown>)[name]
      if (!implementation) say(where, `action '${name}' has no implementation; give it in setup() or provide()`)
      else if (depth < 10) checkAction(implementation, where, depth + 1)
      return
    }
    const { type, src, id, delay } = action as Named
    if (type === 'xstate.spawnChild') {
      if (typeof src !== 'string') say(where, 'spawnChild of inline logic; name it in setup({ actors })')
      else if (!(actors as Record<string, unknown>)[src])
        say(where, `actor '${src}' is missing; give it in setup() or provide()`)
      if (id === undefined) say(where, 'spawnChild without an id; all of them would share one name; give it one')
    }
    if (typeof delay === 'string' && (delays as Record<string, unknown>)[delay] === undefined)
      say(where, `delay '${delay}' is missing; give it in setup() or provide()`)
  }
  const checkGuard = (guard: unknown, where: string, depth = 0): void => {
    if (!guard || depth > 10) return
    if (typeof guard === 'function') {
      for (const inner of (guard as { guards?: unknown[] }).guards ?? []) checkGuard(inner, where, depth + 1)
      return
    }
    const name = typeof guard === 'string' ? guard : (guard as { type: string }).type
    const implementation = (guards as Record<string, unknown>)[name]
    if (implementation) checkGuard(implementation, where, depth + 1)
    else say(where, `guard '${name}' has no implementation; give it in setup() or provide()`)
  }
  const checkLogic = (logic: unknown, where: string, name: string): void => {
    if (isMachine(logic)) found.push(...problemsOf(logic, where, seen))
    else if (kindOf(logic as AnyActorLogic) === 'custom') say(where, `${name}: ${NOT_KNOWN}`)
  }

  if (!(machine instanceof StateMachine)) say(path, OTHER_COPY)

  for (const node of nodesOf(machine.root as unknown as Node)) {
    const where = `${path}: ${node.id}`
    for (const action of [...node.entry, ...node.exit]) checkAction(action, where)
    for (const action of node.initial?.actions ?? []) checkAction(action, where)
    for (const list of [...node.transitions.values(), node.always ?? []])
      for (const transition of list) {
        for (const action of transition.actions) checkAction(action, where)
        checkGuard(transition.guard, where)
      }
    for (const { delay } of node.after)
      if (typeof delay === 'string' && (delays as Record<string, unknown>)[delay] === undefined && Number.isNaN(+delay))
        say(where, `delay '${delay}' is missing; give it in setup() or provide()`)
    for (const invoke of node.invoke) {
      const logic = typeof invoke.src === 'string' ? logicOf(machine, invoke.src) : invoke.src
      if (!logic) say(where, `invoked actor '${String(invoke.src)}' is missing; give it in setup() or provide()`)
      else if (typeof invoke.src !== 'string' || invoke.src.startsWith('xstate.invoke.'))
        checkLogic(logic, `${path}/${invoke.id}`, 'an invoked actor')
    }
  }
  for (const [name, logic] of Object.entries(actors)) checkLogic(logic, `${path}/${name}`, `actor '${name}'`)
  return found
}

const OTHER_COPY =
  'made by another copy of XState than the one that duramen uses; install one of them only: see `npm ls xstate`. ' +
  'A package that is linked (npm link, npm install of a folder) brings its own: install what `npm pack` makes of it'

const isMachine = (logic: unknown): logic is AnyStateMachine => kindOf(logic as AnyActorLogic) === 'machine'

/** A state and all below it. */
export function nodesOf(node: Node): Node[] {
  return [node, ...Object.values(node.states as Record<string, Node>).flatMap(nodesOf)]
}

/** Throws BAD_MACHINE with every reason. */
export function assertCanRun(machine: AnyStateMachine, id: string): void {
  const problems = problemsOf(machine)
  if (problems.length) throw cantRun(id, problems)
}

export const cantRun = (id: string, problems: readonly string[]) =>
  new DuramenError('BAD_MACHINE', `machine '${id}' can't be made durable:\n- ${problems.join('\n- ')}`, {
    where: { machine: id },
    hint: 'Mend what is named; each line says where and how.',
  })
