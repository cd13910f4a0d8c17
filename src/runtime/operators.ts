// What operators do to an instance: each is an input like any other, decided when all before it is certain, and a commit
// with who and why. What it means follows from its record and the state before it alone, so that a replay does the same.
//
// K3: `meaningOf` is asked when it is decided and when it is replayed.
// K8: what is parked goes on only by one of these, and they are the only ones that reach what is held.
import type { CommitHeader, OperatorKind, Problem } from '../journal/records.ts'
import { DuramenError } from '../ports/errors.ts'
import { badOption } from '../ports/given.ts'
import { encodeFor } from './events.ts'
import { type Place, stillActive, unknownEffect } from './failures.ts'
import { type Hold, holdOf, PAUSED, plainProblem } from './hold.ts'
import type { Input, Ruling } from './inputs.ts'
import type { Runner } from './runner.ts'
import type { TurnInput } from './turn.ts'
import type { ActorTree } from './xstate/tree.ts'

/** Who does something to an instance, and why; both are kept in its history. */
export interface By {
  /** Name of a person or a program; not empty. */
  readonly who: string
  /** The reason, for those who read the history later; not empty. */
  readonly why: string
}

/** The payload of an operator's record. */
export interface Operation extends By {
  readonly op: OperatorKind
  /** The effect or timer that is seen to. */
  readonly key?: string
  /** What a skipped promise resolves with. */
  readonly output?: unknown
  /** What a cancelled promise, callback or observable fails with. */
  readonly error?: unknown
  /** What parked the instance, where the kernel did. */
  readonly problem?: Problem
  /** Of a fork: whose records these were, and up to where. */
  readonly of?: string
  readonly seq?: number
}

/** An operator's input. Throws BAD_OPTION where who or why is missing, and what `encode` throws. */
export function operatorInput(where: Place, operation: Operation, maxBinary: number): Omit<Input, 'caller'> {
  const { op, key } = operation
  for (const name of ['who', 'why'] as const) assertText(where, op, name, operation[name])
  if (key !== undefined || op === 'retry' || op === 'skip' || op === 'cancel') assertText(where, op, 'key', key)
  const short = key === undefined ? undefined : shortKey(where, key)
  const payload = encodeFor({ ...operation, ...(short !== undefined && { key: short }) }, where, {
    name: op,
    maxBinary,
  })
  return { kind: 'operator', op, payload, ...(short !== undefined && { key: short }) }
}

function assertText(where: Place, op: OperatorKind, name: string, value: unknown): void {
  if (typeof value === 'string' && value.trim() !== '') return
  const hint =
    "It is kept in the instance's history: host.pause(machine, id, { who: 'ann', why: 'the reader is being replaced' })."
  throw badOption(`${op}: ${name}`, value, 'is no text', hint, where)
}

/** Effects are known outside by their full key, inside without the stream. */
function shortKey({ machine, instance }: Place, key: string): string {
  const stream = `${machine}/${instance}`
  if (key.startsWith(`${stream}/`)) return key.slice(stream.length + 1)
  return key.startsWith(`${stream}@`) ? key.slice(stream.length) : key
}

/** What an operation means to the actors; nothing where it changes none of them. */
export function meaningOf(op: OperatorKind, { key, output, error }: Operation, tree: ActorTree): TurnInput | undefined {
  if (op === 'stop') return { kind: 'stop' }
  if (key === undefined) return undefined
  if (op === 'skip') {
    if (tree.timers.has(key)) return { kind: 'drop', key }
    if (tree.workAt(key) === 'promise')
      return { kind: 'event', target: key, event: { type: 'xstate.promise.resolve', data: output } as never }
  }
  return op === 'cancel' && tree.workAt(key) ? { kind: 'fail', target: key, error } : undefined
}

/** What an operation is ruled on. */
interface Desk {
  readonly where: Place
  readonly header: CommitHeader | undefined
  readonly tree: ActorTree
  readonly runner: Runner
  /** Why it is parked, where that is not in the journal. */
  readonly stuck: DuramenError | undefined
  /** An input with this key, or for the actor at this address, waits to be decided. */
  waits(key: string): boolean
}

/** What becomes of an operation: a commit; nothing, where all is as it should be already; or why it is refused. */
export function rule(operation: Operation, desk: Desk): Ruling | 'nothing' | DuramenError {
  const { op, key } = operation
  const { tree, runner } = desk
  const recorded = holdOf(desk.header)
  const hold = recorded ?? (desk.stuck && parkedFor(plainProblem(desk.stuck)))
  const active = tree.decided.status === 'active'
  switch (op) {
    case 'pause':
      return hold || !active ? 'nothing' : { hold: PAUSED }
    case 'park':
      if (operation.problem)
        // the kernel's own, which is in memory only so far, and may park what has ended, too
        return recorded?.held === 'parked' ? 'nothing' : { hold: parkedFor(operation.problem) }
      if (hold?.held === 'parked' || !active) return 'nothing'
      return { hold: parkedFor(plainProblem(parkedBy(desk.where, operation))) }
    case 'resume':
      return hold ? { hold: undefined, attempts: runner.revivals } : 'nothing'
    case 'stop':
      return active ? { hold: undefined, finished: runner.failed } : 'nothing'
    case 'purge':
      return hold || !active ? { hold: undefined } : stillActive(desk.where)
    case 'trim':
      return desk.header?.op === 'trim' ? 'nothing' : { hold }
    case 'fork':
      return { hold: PAUSED }
    default:
      return ruleOnEffect(op, key!, hold, desk)
  }
}

function ruleOnEffect(op: 'retry' | 'skip' | 'cancel', key: string, hold: Hold | undefined, desk: Desk) {
  const { tree, runner } = desk
  const waits = desk.waits(key)
  const kept = { hold }
  if (op === 'retry') {
    if (runner.stands(key) || (waits && tree.workAt(key) === 'promise'))
      return { ...kept, attempts: { [key]: runner.attemptOf(key) + 1 } }
  } else if (runner.unfinished.has(key)) return { ...kept, finished: [key] }
  else if (op === 'cancel' ? tree.workAt(key) : waits || tree.timers.has(key) || tree.workAt(key) === 'promise')
    return kept
  return unknownEffect(desk.where, op, key)
}

const parkedFor = (problem: Problem): Hold => ({ held: 'parked', problem })

const parkedBy = (where: Place, { who, why }: By) =>
  new DuramenError('PARKED', `${who} has parked it: ${why}`, {
    where,
    hint: 'Call host.resume(machine, id, { who, why }) when it may go on.',
  })
