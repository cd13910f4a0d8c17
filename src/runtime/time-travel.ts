// An instance as it was, and what would have become of it: the log is decided again on a scratch tree, and events that
// nobody sent are tried on copies of it.
//
// K1: a trial is seen by nobody but who made it, and nothing that it wants done is done or recorded.
// K3: it is the replay that loads an instance, from its first record.
import { inspect } from 'node:util'
import type { AnyStateMachine, EmittedFrom, EventFromLogic, SnapshotFrom } from 'xstate'
import { decode, type Encoded, encode } from '../journal/codec.ts'
import type { Journal } from '../journal/port.ts'
import type { CommitOutcome, EffectRecord, TimerRecord } from '../journal/records.ts'
import { DuramenError } from '../ports/errors.ts'
import type { TreeState } from './checkpoint.ts'
import type { DurableMachine } from './durable.ts'
import { encodeEvent } from './events.ts'
import { machineThrew, trimmed, unknownInstance } from './failures.ts'
import type { Limits } from './limits.ts'
import { outcomeText } from './outcome.ts'
import { replay } from './replay.ts'
import { beginning } from './retention.ts'
import { calmly, scratchTree } from './scratch.ts'
import { type Effect, ROOT } from './turn.ts'
import type { ActorTree } from './xstate/tree.ts'

/** An instance as it was after a commit, or would have been. It stays as it is, whatever is tried on it. */
export interface PastState<TMachine extends AnyStateMachine = AnyStateMachine> {
  /** The commit that led there; events that were tried count on from it. */
  readonly seq: number
  /** Time of that commit, ms since the epoch. What is tried happens at the same time. */
  readonly at: number
  readonly snapshot: SnapshotFrom<TMachine>
  /**
   * What would have happened, had this event come then. Dry: nothing is recorded, no effect runs, nobody hears of it. May be
   * called many times, each time from this state, and on what it gives.
   *
   * Rejects with BAD_EVENT, NOT_SERIALIZABLE, BINARY_TOO_LARGE or MACHINE_THREW where a real `send` would have.
   */
  send(event: EventFromLogic<TMachine>): Promise<TriedState<TMachine>>
}

/** What would have happened. */
export interface TriedState<TMachine extends AnyStateMachine = AnyStateMachine> extends PastState<TMachine> {
  /** A transition would have taken the event. */
  readonly handled: boolean
  /** Events that the machine would have emitted. */
  readonly emitted: readonly EmittedFrom<TMachine>[]
  /** Work that would have begun. */
  readonly effects: readonly EffectRecord[]
  /** Delayed transitions that would have been set, and keys of those that would have been called off. */
  readonly timers: { readonly set: readonly TimerRecord[]; readonly cancelled: readonly string[] }
}

/** Whose past it is, and by which rules. */
interface Subject {
  readonly journal: Journal
  readonly machine: DurableMachine<any>
  readonly id: string
  readonly limits: Limits
}

/** The instance as it was after commit `seq`. Rejects with BAD_OPTION, TRIMMED, UNKNOWN_INSTANCE, REPLAY_DIVERGED. */
export async function stateAt(subject: Subject, seq: number): Promise<PastState> {
  const { machine, id } = subject
  const where = { machine: machine.id, instance: id }
  if (!Number.isSafeInteger(seq) || seq < 1)
    throw new DuramenError('BAD_OPTION', `seq: ${inspect(seq)} is no number of a commit`, {
      where,
      hint: 'Commits are counted from 1, the start; actor.history() shows them.',
    })
  const { tree, last, at, by } = await decided(subject, seq)
  if (last === seq && tree.alive) return new Past(subject, { tree, seq, at, by, tried: [] })
  const { stream } = tree.owner
  const head = await subject.journal.head(stream)
  if (!head) throw unknownInstance(where)
  if (head.seq < seq)
    throw new DuramenError('BAD_OPTION', `seq: ${stream} has ${head.seq} commits, there is no ${seq}`, {
      where: { ...where, seq: head.seq },
      hint: 'Only what is recorded can be looked at; to see further, send to its last state.',
    })
  const first = await beginning(subject.journal, stream)
  if (first !== undefined && seq < first) throw trimmed(where, first)
  throw new DuramenError('BAD_OPTION', `seq: commit ${seq} of ${stream} was purged`, {
    where: { ...where, seq },
    hint: 'Take a commit that actor.history() shows.',
  })
}

async function decided({ journal, machine, id, limits }: Subject, seq: number) {
  const tree = scratchTree(machine, id, limits.maxRelays)
  let last = 0
  let at = 0
  let by: string | undefined
  await replay(tree, machine, calmly(journal.read(tree.owner.stream, { to: seq })), (commit) => {
    last = commit.seq
    at = commit.at
    by = commit.host
  })
  return { tree, last, at, by }
}

/** How far a tree has come: `tried` was decided on it after what is on record. */
interface Progress {
  readonly tree: ActorTree
  readonly seq: number
  readonly at: number
  /** The host whose chance is drawn on. */
  readonly by: string | undefined
  readonly tried: readonly Encoded[]
}

class Past implements PastState {
  readonly seq: number
  readonly at: number
  readonly snapshot: SnapshotFrom<AnyStateMachine>
  readonly #subject: Subject
  readonly #progress: Progress

  constructor(subject: Subject, progress: Progress) {
    this.seq = progress.seq
    this.at = progress.at
    this.snapshot = progress.tree.shown as SnapshotFrom<AnyStateMachine>
    this.#subject = subject
    this.#progress = progress
  }

  async send(event: EventFromLogic<AnyStateMachine>): Promise<TriedState> {
    const { machine, id, limits } = this.#subject
    const payload = encodeEvent(machine, id, event, limits.maxBinary)
    const tree = await this.#copy()
    const { by } = this.#progress
    const place = { seq: this.seq + 1, at: this.at, host: by }
    const turn = attempt(tree, place, payload)
    const { fault, ignored, handled, effects } = turn
    if (fault) throw machineThrew({ machine: machine.id, instance: id }, event.type, fault.path, fault.error)
    const tried = [...this.#progress.tried, payload]
    const progress = ignored ? this.#progress : { tree, seq: place.seq, at: place.at, by, tried }
    const outcome: CommitOutcome = ignored ? {} : JSON.parse(outcomeText(machine, place, tree, turn))
    return Object.assign(new Past(this.#subject, progress), {
      handled: handled && !ignored,
      emitted: effects.flatMap(emittedBy),
      effects: outcome.effects?.started ?? [],
      timers: { set: outcome.timers?.set ?? [], cancelled: outcome.timers?.gone ?? [] },
    })
  }

  /** Actors in the same state, for a trial of their own. */
  async #copy(): Promise<ActorTree> {
    const { machine, id, limits } = this.#subject
    const { tree, seq, at, by, tried } = this.#progress
    try {
      const state = tree.state()
      if (state) {
        const copy = scratchTree(machine, id, limits.maxRelays)
        const text = encode(state, { name: 'state', identity: true, maxBinary: Number.POSITIVE_INFINITY })
        copy.origin = tree.origin
        copy.chance = tree.chance
        copy.restore(decode(text) as TreeState, seq, at)
        return copy
      }
    } catch {} // what its context holds can't be kept
    const again = await decided(this.#subject, seq - tried.length)
    for (const [index, payload] of tried.entries())
      attempt(again.tree, { seq: seq - tried.length + index + 1, at, host: by }, payload)
    return again.tree
  }
}

interface Place {
  readonly seq: number
  readonly at: number
  readonly host: string | undefined
}

function attempt(tree: ActorTree, { seq, at, host }: Place, payload: Encoded) {
  const turn = tree.run(seq, at, host, { kind: 'event', target: ROOT, event: decode(payload) as { type: string } })
  tree.show(turn)
  return turn
}

const emittedBy = (effect: Effect) => (effect.kind === 'emit' && effect.path === ROOT ? [effect.event] : [])
