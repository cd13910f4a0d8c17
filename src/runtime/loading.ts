// An instance rebuilt from the journal: when it is wanted in memory, and anew when what is in memory does not hold.
//
// K2 K3: the newest snapshot and the records after it are all that counts; what was in memory before is dropped as a whole.
// K6 K8: a timer that was due and could not be taken waits once, however often it is tried.
// K5: what has gone on outside meanwhile goes on, and is not started again.
// K11: own commits of unknown outcome that are there count.
import { textOf } from '../ports/thrown.ts'
import type { Boundary } from './boundary.ts'
import { type Decided, receiptOf } from './commits.ts'
import { Decider } from './decider.ts'
import { asDuramenError, outcomeUnknown } from './failures.ts'
import type { InDoubt } from './in-doubt.ts'
import type { Instance } from './instance.ts'
import type { Mailbox } from './mailbox.ts'
import type { Snapshots } from './snapshots.ts'

export class Loading {
  private readonly instance: Instance
  private readonly boundary: Boundary
  private readonly snapshots: Snapshots
  private readonly mailbox: Mailbox
  private readonly inDoubt: InDoubt
  /** Own commits that turned out to have happened, and were not acted on yet. */
  private readonly cameThrough: Decided[] = []

  constructor(instance: Instance, boundary: Boundary, snapshots: Snapshots, mailbox: Mailbox, inDoubt: InDoubt) {
    this.instance = instance
    this.boundary = boundary
    this.snapshots = snapshots
    this.mailbox = mailbox
    this.inDoubt = inDoubt
  }

  /** Brings the instance into memory, and takes up what a crash has interrupted. Rejects with what the journal answers. */
  async recover(): Promise<void> {
    const { instance } = this
    instance.phase = 'loading'
    await this.load()
    if (!this.begun()) return
    instance.pump()
    this.boundary.takeUp()
  }

  /** Loads it anew, once nothing of it is under way any more; what runs outside goes on. */
  async reload(): Promise<void> {
    const { instance, boundary } = this
    instance.phase = 'loading'
    try {
      await this.load()
    } catch (error) {
      const problem = asDuramenError(error, instance.where)
      this.inDoubt.refuse(outcomeUnknown(instance.where, problem))
      if (this.closed) return
      return problem.retryable ? instance.trouble.pause(problem) : instance.trouble.broke(problem)
    }
    if (!this.begun()) return
    instance.runner.reloaded()
    for (const own of this.cameThrough.splice(0)) {
      if (own.header.op) instance.operated(own)
      if (own.turn) boundary.actNow(own.turn)
    }
    instance.pump()
    instance.host.finished(instance)
  }

  /** It lives from now on, with its timers; unless it was closed meanwhile, or is gone. */
  private begun(): boolean {
    const { instance } = this
    if (this.closed) return false
    if (instance.gone) {
      instance.purged()
      return false
    }
    instance.phase = 'live'
    for (const timer of instance.tree.timers.values()) if (!this.fired(timer.key)) this.boundary.arm(timer)
    return true
  }

  /** It was due before, and waits to be decided again. */
  private fired(key: string): boolean {
    return this.mailbox.size > 0 && this.mailbox.waiting(key).some(({ kind }) => kind === 'timer')
  }

  private get closed(): boolean {
    return this.instance.phase === 'closed'
  }

  private async load(): Promise<void> {
    const { instance } = this
    const { runner, host, last: before } = instance
    const happened = new Map<Decided, number>()
    const { decider, from } = await this.begin()
    await decider.load(host.journal.read(instance.stream, { from }), (commit, turn, record) => {
      runner.replayed(commit, turn)
      const own = this.inDoubt.find(record)
      if (own) happened.set(own, record.position)
    })
    instance.loaded(decider)
    this.inDoubt.settle(happened.keys())
    instance.holding.settle()
    for (const [own, position] of happened) {
      host.tail.reached(position)
      own.input.caller?.resolve(receiptOf(own, position))
      this.cameThrough.push(own)
    }
    if (before && decider.tree.alive && decider.last!.header.seq > before.header.seq)
      instance.listeners.caughtUp((address) => decider.tree.shownAt(address))
  }

  /** A decider at the newest snapshot, or at nothing; and the record that comes next. */
  private async begin(): Promise<{ decider: Decider; from: number }> {
    const { instance } = this
    const snapshot = await this.snapshots.newest()
    const decider = this.afresh()
    try {
      if (!snapshot) return { decider, from: 1 }
      decider.restore(snapshot)
      return { decider, from: snapshot.seq + 1 }
    } catch (error) {
      instance.host.logger.debug(`${instance.stream}: its snapshot is of no use: ${textOf(error)}`, error as object)
      this.snapshots.forget()
      return { decider: this.afresh(), from: 1 }
    }
  }

  private afresh(): Decider {
    const { instance, boundary } = this
    instance.runner.reset()
    return new Decider(instance, instance.runner, boundary)
  }
}
