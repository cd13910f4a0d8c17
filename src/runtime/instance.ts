// One instance: inputs wait in its mailbox, are decided one after the other in memory, committed in groups, then shown and
// acted on: accept → pump → decide → flush → durable. What it comes from is in loading.ts, what becomes of it when the
// journal refuses in trouble.ts, what operators do to it in holding.ts.
//
// K1: a decided turn is neither visible nor acted on before its append has answered; `durable` is the only way there.
// K8: an input for which the machine throws changes nothing; with nobody waiting for the answer the instance is parked.
// K9: the mailbox is bounded, and how far is decided ahead of the journal. `rest` gives the memory back; who holds the
//     instance goes on holding it, and the next input wakes it.
import type { Encoded } from '../journal/codec.ts'
import { streamOf } from '../journal/records.ts'
import type { DuramenError } from '../ports/errors.ts'
import { Boundary } from './boundary.ts'
import { Caller } from './caller.ts'
import { Commits, type CommitsOwner, type Decided, receiptOf } from './commits.ts'
import type { Counts } from './counts.ts'
import { Decider, type Head, type Verdict } from './decider.ts'
import type { DurableMachine } from './durable.ts'
import { closed, mailboxFull, outcomeUnknown, type Place, unknownInstance } from './failures.ts'
import { Holding } from './holding.ts'
import { InDoubt } from './in-doubt.ts'
import { afresh, type Input, NOTHING, type Receipt } from './inputs.ts'
import type { Identity, InstanceHost } from './instance-host.ts'
import type { Listeners } from './listeners.ts'
import { Loading } from './loading.ts'
import { Mailbox } from './mailbox.ts'
import { SHARE } from './rota.ts'
import type { Runner } from './runner.ts'
import { Snapshots } from './snapshots.ts'
import { Trouble } from './trouble.ts'
import { type ActorSnapshot, ROOT, type Timer } from './turn.ts'
import { shownWithin } from './xstate/state.ts'
import type { ActorTree } from './xstate/tree.ts'

/**
 * `waiting`: the journal refused an append and will be asked again. `resting`: not in memory, but for what holders need.
 * `broken`: the instance can't be rebuilt. `purged`: an operator has purged it; this object is of no use any more.
 */
export type Phase = 'loading' | 'live' | 'waiting' | 'resting' | 'broken' | 'purged' | 'closed'

export class Instance implements Identity, CommitsOwner {
  readonly host: InstanceHost
  readonly machine: DurableMachine
  readonly id: string
  readonly stream: string
  readonly where: Place
  readonly counts: Counts
  readonly runner: Runner
  readonly listeners: Listeners
  phase: Phase = 'loading'
  private readonly boundary: Boundary
  private readonly mailbox = new Mailbox()
  readonly holding = new Holding(this, this.mailbox)
  readonly trouble: Trouble
  readonly loading: Loading
  private readonly commits: Commits
  private decider: Decider
  private pumping = false
  /** It waits for its turn. */
  inRota = false
  /** The next input needs all before it to be certain. */
  private barrier = false
  private readonly snapshots: Snapshots
  /** The root's last state, while the instance is asleep. */
  private rested: ActorSnapshot | undefined
  private restedReplayOnly: string | undefined
  /** It was given something since somebody last looked. */
  used = true

  /** `head`: its last commit, where that is known before it is loaded. */
  constructor(host: InstanceHost, machine: DurableMachine, id: string, head?: Head) {
    this.host = host
    this.machine = machine
    this.id = id
    this.stream = streamOf(machine.id, id)
    this.where = { machine: machine.id, instance: id }
    this.counts = host.tally.of(machine.id)
    this.boundary = new Boundary(this)
    this.runner = this.boundary.runner
    this.listeners = this.boundary.listeners
    this.commits = new Commits(host.journal, this)
    this.decider = new Decider(this, this.runner, this.boundary)
    this.decider.last = head
    this.snapshots = new Snapshots(host.journal, this.stream, machine, host.limits)
    const inDoubt = new InDoubt(this.mailbox)
    this.trouble = new Trouble(this, this.mailbox, inDoubt)
    this.loading = new Loading(this, this.boundary, this.snapshots, this.mailbox, inDoubt)
  }

  /** A timer of this instance is due. */
  due(key: string): void {
    this.boundary.fire(key)
  }

  /** The host's entry is the one that will fire the timer. */
  waits(key: string, entry: number): boolean {
    return this.boundary.waits(key, entry)
  }

  get tree(): ActorTree {
    return this.decider.tree
  }

  /** The last commit that is durable. */
  get last(): Head | undefined {
    return this.decider.last
  }

  snapshot(): ActorSnapshot {
    return this.rested ?? this.tree.shown
  }

  /** What the actor at this address shows, if it is there. */
  shown(address: string): ActorSnapshot | undefined {
    return this.rested ? shownWithin(this.rested, ROOT, address) : this.tree.shownAt(address)
  }

  // ---- life ----------------------------------------------------------------------------------------------------------

  /** Brings a new instance to life with its first commit. */
  create(payload: Encoded): Promise<Receipt> {
    this.phase = 'live'
    return this.ask({ kind: 'start', payload })
  }

  /** It was rebuilt: these are its actors from now on. One that was purged shows what it was last. */
  loaded(decider: Decider): void {
    if (decider.tree.alive) this.rested = undefined
    else if (this.last && this.tree.alive) this.rested ??= this.tree.shown
    this.decider = decider
  }

  /** All that is left of it is a purge. */
  get gone(): boolean {
    return this.last?.header.op === 'purge' && !this.mailbox.has(['start'])
  }

  /** Inputs that wait to be decided. */
  get queued(): number {
    return this.mailbox.size
  }

  /** Nothing is queued, under way or waiting to be recorded; or nothing of that will change. */
  get quiet(): boolean {
    const { holding } = this
    if (holding.stuck && !holding.waits) return true
    return this.commits.certain && (holding.held ? !holding.waits : this.mailbox.size === 0)
  }

  /** Why it is parked, broken or gone, where it is. */
  get problem(): DuramenError | undefined {
    return this.holding.problem
  }

  /** What is open of it, as far as it is durable; nothing while it is not in memory as a whole. */
  get open(): { timers: Timer[]; effects: Runner['open'] } | undefined {
    const whole = this.phase === 'live' || this.phase === 'waiting'
    return whole ? { timers: this.boundary.waiting, effects: this.runner.open } : undefined
  }

  /** The commit of its newest snapshot, where that is in memory. */
  get snapshotSeq(): number | undefined {
    return this.snapshots.seq
  }

  /** Why it has no snapshots, where it can't have any. */
  get replayOnly(): string | undefined {
    return this.phase === 'resting' ? this.restedReplayOnly : this.tree.replayOnly
  }

  /** At its end, or not for now. */
  get active(): boolean {
    return this.snapshot().status === 'active'
  }

  /** Decided to be at its end. */
  get decidedToEnd(): boolean {
    return this.tree.alive && this.tree.decided.status !== 'active'
  }

  /** When its first delayed transition is due here. */
  get nextDue(): number | undefined {
    const { tree, host, machine } = this
    if ((machine.options.timers ?? 'absolute') === 'absolute') return tree.due
    let first: number | undefined
    for (const timer of tree.timers.values()) first = Math.min(host.dueOf(machine, timer), first ?? Number.MAX_VALUE)
    return first
  }

  /** Nothing is lost when the instance leaves memory: all is durable, nothing runs, nobody waits. */
  get canRest(): boolean {
    const { decider, mailbox } = this
    const settled = !decider.stale && this.commits.certain && mailbox.size === 0 && !this.barrier
    if (this.phase !== 'live' || !settled || this.holding.troubled || !decider.last || !this.runner.empty) return false
    const { due } = this.tree
    const now = this.host.clock.now()
    return due === undefined || due > now || this.nextDue! > now // else its timer is about to fire
  }

  /** Gives back the memory, but for what those who hold the instance need. */
  rest(): void {
    const { last } = this
    const { seq } = last!.header
    if (this.snapshots.worth(seq)) this.snapshots.took(seq, this.decider.checkpoint())
    this.rested = this.tree.shown
    this.restedReplayOnly = this.tree.replayOnly
    this.phase = 'resting'
    this.boundary.disarm()
    this.snapshots.forget()
    this.decider = new Decider(this, this.runner, this.boundary)
    this.decider.last = last
  }

  /** The journal could not be read when it was to wake: it sleeps on. */
  sleepOn(error: DuramenError): void {
    this.phase = 'resting'
    this.mailbox.refuseCallers(error)
  }

  /** K10: the host takes no more events, nor from callbacks and observables. */
  hush(): void {
    this.runner.hush()
  }

  /** K10: the host closes; what runs is told to stop, and nobody waits any more for a parked instance. */
  abort(): void {
    this.runner.abort()
    if (this.holding.held) this.mailbox.refuse(closed(this.where))
  }

  close(): void {
    this.phase = 'closed'
    this.commits.giveUp(outcomeUnknown(this.where, closed(this.where)))
    this.mailbox.refuse(closed(this.where))
    this.listeners.complete()
    this.runner.close()
  }

  // ---- inputs --------------------------------------------------------------------------------------------------------

  /** An input with somebody who waits for the receipt. */
  ask(input: Omit<Input, 'caller'>): Promise<Receipt> {
    return new Promise((resolve, reject) => {
      const asked: { -readonly [K in keyof Input]: Input[K] } = input // a copy for each event would be dear
      asked.caller = new Caller(this.counts, resolve, reject)
      this.request(asked)
    })
  }

  /** An input with somebody who waits, traced where somebody traces. */
  request(input: Input): void {
    this.accept(this.host.telemetry?.asked(this.where, input) ?? input)
  }

  accept(input: Input): void {
    const gone = this.phase === 'closed' || this.phase === 'broken' || this.phase === 'purged'
    const refusal = gone || (input.caller && !input.keep) ? this.refusal(input) : undefined
    if (refusal) return input.caller?.reject(refusal)
    this.used = true
    if (input.kind === 'operator') this.mailbox.addFirst(input)
    else this.mailbox.add(input)
    if (this.phase === 'resting') this.host.wake(this)
    else this.pump()
  }

  /** Why callbacks and observables are not heard any more (K9). */
  get flooded(): DuramenError | undefined {
    return this.mailbox.size < this.host.limits.mailbox ? undefined : mailboxFull(this.where, this.mailbox.size)
  }

  /** The receipt of the event with this id, where it is remembered. */
  receiptOf(id: string): Receipt | undefined {
    return this.decider.receiptOf(id)
  }

  private refusal({ kind }: Input): DuramenError | undefined {
    if (this.phase === 'closed' || !this.host.accepting) return closed(this.where)
    if (this.phase === 'broken' || this.phase === 'purged') return this.holding.stuck
    if (kind === 'operator') return undefined
    if (this.holding.held) return this.holding.refusal
    return this.mailbox.size >= this.host.limits.mailbox ? mailboxFull(this.where, this.mailbox.size) : undefined
  }

  /** Records what has finished, if no other commit has done so meanwhile; also while the instance is parked. */
  mark(): void {
    if (!this.runner.unsaid) return
    if (this.holding.stuck && (this.phase !== 'live' || this.decider.stale)) return // the journal does not take it
    this.accept({ kind: 'mark', payload: NOTHING, keep: true })
  }

  // ---- deciding and committing ---------------------------------------------------------------------------------------

  /** Decides a share of what waits. */
  pump(): void {
    if (this.pumping || this.phase !== 'live') return
    const { mailbox, commits, decider } = this
    this.pumping = true
    try {
      let share = SHARE
      while (mailbox.size && !decider.stale && !this.barrier && commits.waiting < this.host.limits.pipeline) {
        if (share-- === 0) {
          this.host.rota.pumpSoon(this)
          break
        }
        const input = this.holding.held ? this.holding.next() : mailbox.next()
        if (!input) break
        if (input.kind === 'operator') this.decideOperation(input)
        else this.decide(input)
      }
    } finally {
      this.pumping = false
    }
    if (commits.waiting) this.host.rota.flushSoon(this)
    if (commits.certain && decider.stale && (!this.holding.stuck || this.holding.waits)) void this.loading.reload()
    else if (!this.host.accepting && this.quiet) this.host.finished(this) // the last input may have made no commit
  }

  private decide(input: Input): void {
    const verdict = this.decider.decide(input, this.commits.certain)
    if (!verdict) {
      this.mailbox.putBack(afresh(input))
      this.barrier = true
    } else if ('header' in verdict) this.commits.add(verdict)
    else if ('seq' in verdict) input.caller?.resolve(verdict)
    else if (input.caller) input.caller.reject(verdict)
    else if (!this.boundary.buried(input, verdict)) this.holding.park(verdict, input)
  }

  /** On nothing but what is certain, and nothing on it until it is. */
  private decideOperation(input: Input): void {
    if (!this.commits.certain) {
      this.mailbox.putBack(input)
      this.barrier = true
      return
    }
    const ruling = this.holding.rule(input)
    if (ruling === 'nothing') input.caller?.resolve(this.decider.unhandled(false))
    else if ('code' in ruling) input.caller?.reject(ruling)
    else {
      const ruled = { ...input, ruling }
      const verdict = this.decider.decide(ruled, true) as Exclude<Verdict, undefined>
      if (!('header' in verdict)) input.caller?.reject(verdict as DuramenError)
      else {
        this.commits.add(verdict)
        this.barrier = true
      }
    }
  }

  /** What an operator wanted is durable. */
  operated(decided: Decided): void {
    if (decided.header.op === 'purge') this.purged()
    else this.holding.operated(decided)
  }

  /** An operator has purged it, here or by another host. */
  purged(): void {
    this.phase = 'purged'
    this.holding.stuck = unknownInstance(this.where, 'was purged')
    this.boundary.disarm()
    this.runner.abort()
    this.mailbox.refuse(this.holding.stuck)
    this.host.purged(this) // before anybody is told: who asks for its id then is given a new one
    this.listeners.complete()
  }

  flush(): void {
    this.commits.flush()
  }

  appended(): void {
    this.trouble.over()
    this.counts.appends++
    this.host.tally.appended()
  }

  durable(decided: Decided, position: number): void {
    const { input, turn, header } = decided
    this.decider.committed(decided, position)
    this.host.tail.reached(position)
    this.snapshots.grew(decided.text.length)
    input.caller?.resolve(receiptOf(decided, position))
    if (header.attempts) this.runner.recorded(header.attempts)
    this.counts.committed(input)
    if (header.op) this.operated(decided)
    if (!turn) return
    if (input.trace) this.host.telemetry?.caused(turn.effects, input.trace)
    this.boundary.act(turn)
  }

  upset(error: unknown): void {
    this.host.logger.error(`${this.stream}: not all that a commit wants done could be begun`, error as object)
  }

  answered(): void {
    if (this.commits.certain) {
      this.barrier = false
      this.keepSnapshot()
    }
    if (this.mailbox.size) this.host.rota.pumpSoon(this)
    else this.pump()
    this.host.finished(this)
  }

  /** So that loading does not cost the replay of all that was before. */
  private keepSnapshot(): void {
    const seq = this.last?.header.seq ?? 0
    if (this.snapshots.due(seq)) this.snapshots.took(seq, this.decider.checkpoint())
  }

  failed(all: Decided[], error: DuramenError): void {
    this.decider.stale = true
    this.trouble.failed(all, error)
  }
}
