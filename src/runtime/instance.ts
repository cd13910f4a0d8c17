// One instance: a queue of inputs, decided one after the other in memory, committed in groups, then shown and acted on.
//
// K1: a decided turn is neither visible nor acted on before its append has answered; `settled` is the only way there.
// K2: a conflict drops what is in memory, loads the stream anew and decides the same inputs again.
// K3: `load` is the only way to a state, after a crash as after a refused event.
// K8: an input for which the machine throws changes nothing; with nobody waiting for the answer the instance is parked.
// K11: after an unknown outcome the stream is read again: an own commit that is there counts.
import { inspect } from 'node:util'
import type { AnyEventObject } from 'xstate'
import { decode, type Encoded } from '../journal/codec.ts'
import { type CommitHeader, encodeCommit, streamOf } from '../journal/records.ts'
import type { DuramenError } from '../ports/errors.ts'
import { Commits, type CommitsOwner, type Decided } from './commits.ts'
import type { Deliverer } from './deliver.ts'
import type { DurableMachine } from './durable.ts'
import { encodeError, encodeInternal } from './events.ts'
import {
  actionFailed,
  asDuramenError,
  closed,
  machineThrew,
  mailboxFull,
  ofJournal,
  outcomeUnknown,
  type Place,
  parked,
} from './failures.ts'
import { type Input, type Receipt, turnInput } from './inputs.ts'
import type { InstanceHost } from './instance-host.ts'
import { Listeners } from './listeners.ts'
import { outcomeText } from './outcome.ts'
import { Receipts } from './receipts.ts'
import { replay } from './replay.ts'
import { Runner, type RunnerOwner } from './runner.ts'
import { type ActorSnapshot, type Effect, ROOT, type Timer, type TreeOwner, type Turn, type TurnActor } from './turn.ts'
import { ActorTree } from './xstate.ts'

/** `waiting`: the journal refused an append and will be asked again. `broken`: the instance can't be rebuilt. */
export type Phase = 'loading' | 'live' | 'waiting' | 'broken' | 'closed'

/** How often in a row a conflict or an unknown outcome is decided again. */
const CONFLICTS = 10
/** Between tries while the journal is in trouble, ms. */
const RETRY_AFTER = 1000

export class Instance implements TreeOwner, RunnerOwner, CommitsOwner, Deliverer {
  readonly host: InstanceHost
  readonly machine: DurableMachine
  readonly id: string
  readonly stream: string
  private readonly where: Place
  readonly runner: Runner
  readonly listeners: Listeners
  private readonly commits: Commits
  phase: Phase = 'loading'
  /** Why it takes no more events, when it does not. */
  problem: DuramenError | undefined
  /** The last commit: its header, outcome and position. */
  last: { header: CommitHeader; outcome: string; position: number } | undefined
  private tree: ActorTree
  private receipts: Receipts
  private readonly queue: Input[] = []
  private readonly pendingIds = new Set<string>()
  private unsure: Decided[] = []
  /** Keys of timers that the host has. */
  private readonly armed = new Set<string>()
  /** Actions that were decided and are not durable yet. */
  private ahead = 0
  private seq = 0
  private at = 0
  private conflicts = 0
  private pumping = false
  /** The actors hold what was not committed: load anew before deciding on. */
  private stale = false
  /** The next input needs all before it to be certain. */
  private hold = false

  constructor(host: InstanceHost, machine: DurableMachine, id: string) {
    this.host = host
    this.machine = machine
    this.id = id
    this.stream = streamOf(machine.id, id)
    this.where = { machine: machine.id, instance: id }
    this.runner = new Runner(this)
    this.listeners = new Listeners(host.logger)
    this.commits = new Commits(host.journal, this)
    this.tree = new ActorTree(this, machine.machine)
    this.receipts = new Receipts(host.limits.dedupe)
  }

  // ---- life ----------------------------------------------------------------------------------------------------------

  /** Brings a new instance to life with its first commit. */
  create(payload: Encoded): Promise<Receipt> {
    this.phase = 'live'
    return this.ask({ kind: 'start', payload })
  }

  /** Rebuilds the instance from its records and takes up what a crash has interrupted. */
  async recover(): Promise<void> {
    await this.load()
    this.phase = 'live'
    for (const timer of this.tree.timers.values()) this.arm(timer)
    this.pump()
    this.takeUp()
  }

  /** What was begun before begins again. Recorded first, so that work which kills the process has not a first attempt for ever. */
  private takeUp(): void {
    const attempts = this.runner.interrupted()
    if (Object.keys(attempts).length === 0) return
    const begin = () => this.runner.resume()
    this.ask({ kind: 'mark', payload: NOTHING, attempts, keep: true }).then(begin, () => {}) // refused: broken or closed
  }

  /** Lets a parked instance go on. */
  resume(): void {
    if (this.phase !== 'live') return
    this.problem = undefined
    this.pump()
    if (this.phase === 'live') this.takeUp()
  }

  /** Nothing is queued, under way or waiting to be recorded. */
  get quiet(): boolean {
    return (this.queue.length === 0 && this.commits.certain) || this.problem !== undefined
  }

  /** At its end, with nothing left to do: the instance can leave memory. */
  get finishedForGood(): boolean {
    const { runner } = this
    return (
      this.last !== undefined &&
      !this.stale &&
      this.tree.decided.status !== 'active' &&
      this.phase === 'live' &&
      !this.problem &&
      this.quiet &&
      runner.idle &&
      !runner.done.size &&
      !runner.unfinished.size
    )
  }

  /** K10: the host closes; what runs is told to stop, and nobody waits any more for a parked instance. */
  abort(): void {
    this.runner.abort()
    if (this.problem) for (const input of this.queue.splice(0)) input.caller?.reject(closed(this.where))
  }

  close(): void {
    this.phase = 'closed'
    const error = closed(this.where)
    for (const input of this.queue.splice(0)) input.caller?.reject(error)
    this.listeners.complete()
  }

  snapshot(): ActorSnapshot {
    return this.tree.shown
  }

  // ---- inputs --------------------------------------------------------------------------------------------------------

  /** An input with somebody who waits for the receipt. */
  ask(input: Omit<Input, 'caller'>): Promise<Receipt> {
    return new Promise((resolve, reject) => this.accept({ ...input, caller: { resolve, reject } }))
  }

  accept(input: Input): void {
    const gone = this.phase === 'closed' || this.phase === 'broken'
    const refusal = gone || (input.caller && !input.keep) ? this.refusal() : undefined
    if (refusal) return input.caller?.reject(refusal)
    this.queue.push(input)
    this.pump()
  }

  private refusal(): DuramenError | undefined {
    if (this.phase === 'closed' || !this.host.accepting) return closed(this.where)
    if (this.phase === 'broken') return this.problem
    if (this.problem) return parked(this.where, this.problem)
    return this.queue.length >= this.host.limits.mailbox ? mailboxFull(this.where, this.queue.length) : undefined
  }

  /** Records what has finished, if no other commit has done so meanwhile; also while the instance is parked. */
  mark(): void {
    if (!this.runner.done.size || this.phase !== 'live' || this.stale || this.hold) return
    const input: Input = { kind: 'mark', payload: NOTHING, keep: true }
    if (!this.problem) return this.accept(input)
    this.decide(input)
    this.host.flushSoon(this)
  }

  private arm(timer: Timer): void {
    if (this.armed.has(timer.key)) return
    this.armed.add(timer.key)
    this.host.arm(this, timer)
  }

  fire(key: string): void {
    this.armed.delete(key)
    if (this.tree.timers.has(key) || this.phase === 'loading')
      this.accept({ kind: 'timer', key, payload: NOTHING, keep: true })
  }

  // ---- deciding ------------------------------------------------------------------------------------------------------

  private pump(): void {
    if (this.pumping || this.phase !== 'live' || this.problem) return
    this.pumping = true
    while (this.queue.length && !this.stale && !this.hold && this.commits.waiting < this.host.limits.pipeline)
      this.decide(this.queue.shift()!)
    this.pumping = false
    if (this.commits.waiting) this.host.flushSoon(this)
    if (this.commits.certain && this.stale && !this.problem) void this.reload()
  }

  private decide(input: Input): void {
    const known = this.receipts.find(input)
    if (known) return input.caller?.resolve({ ...known, duplicate: true })
    if (input.kind === 'start' && this.seq > 0) return input.caller?.resolve(this.unhandled(true)) // another host was first
    const dedupe = input.id ?? (input.from && `${input.from[0]}\n${input.from[1]}`)
    if (dedupe !== undefined && this.pendingIds.has(dedupe)) return this.later(input)

    const seq = this.seq + 1
    const at = Math.max(this.host.clock.now(), this.at)
    const meaning = turnInput(input.kind, input, input.payload.value)
    const turn = meaning && this.tree.run(seq, at, meaning)
    if (turn?.ignored) {
      // nobody is there for it: certain only when all before it is
      if (!this.commits.certain) return this.later(input)
      return input.caller?.resolve(this.unhandled(false))
    }
    let fault = turn?.fault
    let outcome = ''
    try {
      if (!fault) outcome = outcomeText(this.machine, { stream: this.stream, seq, at }, this.tree.decided, turn)
    } catch (error) {
      fault = { error, path: 'attributes' }
    }
    if (fault) return this.threw(input, fault)

    const header = this.header(input, turn, seq, at)
    this.seq = seq
    this.at = at
    if (dedupe !== undefined) this.pendingIds.add(dedupe)
    this.commits.add({ input, turn, header, text: encodeCommit(header, outcome, input.payload) })
  }

  private header(input: Input, turn: Turn | undefined, seq: number, at: number): CommitHeader {
    const { runner } = this
    if (turn) this.ahead += actionsOf(turn)
    const header: { -readonly [K in keyof CommitHeader]: CommitHeader[K] } = {
      stream: this.stream,
      seq,
      at,
      kind: input.kind,
      version: this.machine.version,
      host: this.host.name,
    }
    if (input.id !== undefined) header.id = input.id
    if (input.from) header.from = input.from
    if (input.target !== undefined && input.target !== ROOT) header.target = input.target
    if (input.key !== undefined) header.key = input.key
    if (input.attempts) header.attempts = input.attempts
    if (runner.done.size) {
      header.finished = [...runner.done]
      runner.done.clear()
    }
    const unfinished = runner.unfinished.size + this.ahead
    if (unfinished) header.unfinished = unfinished
    return header
  }

  private unhandled(duplicate: boolean): Receipt {
    return { seq: this.seq, position: this.last?.position ?? 0, duplicate, handled: false }
  }

  /** Decided again once all before it is certain. */
  private later(input: Input): void {
    this.queue.unshift(afresh(input))
    this.hold = true
  }

  private threw(input: Input, { error, path }: NonNullable<Turn['fault']>): void {
    this.stale = true
    if (!this.commits.certain) return this.later(input)
    const event = (input.payload.value as AnyEventObject | undefined)?.type ?? input.key ?? input.kind
    const refused = machineThrew(this.where, event, path, error)
    if (input.caller) input.caller.reject(refused)
    else this.park(refused, input)
  }

  private park(error: DuramenError, input?: Input): void {
    if (input) this.queue.unshift(input)
    if (this.problem) return
    this.problem = error
    this.host.logger.error(`${this.stream} is parked: ${error.message}`, error)
    const refusal = parked(this.where, error)
    for (const queued of this.queue.splice(0)) {
      if (queued.keep || !queued.caller) this.queue.push(queued)
      else queued.caller.reject(refusal)
    }
    this.host.finished(this)
  }

  // ---- committing ----------------------------------------------------------------------------------------------------

  flush(): void {
    this.commits.flush()
  }

  durable({ input, turn, header, text }: Decided, position: number): void {
    this.conflicts = 0
    this.took(header, text, position)
    if (turn) this.tree.show(turn)
    input.caller?.resolve({ seq: header.seq, position, duplicate: false, handled: turn?.handled ?? true })
    if (header.attempts) this.runner.beginAttempts(header.attempts)
    if (!turn) return
    this.ahead -= actionsOf(turn)
    for (const timer of turn.set) this.arm(timer)
    for (const { actor, snapshot } of turn.changed) this.listeners.changed(actor.sessionId, snapshot)
    for (const effect of turn.effects) this.act(effect)
    for (const key of turn.ended) this.runner.forget(key)
  }

  answered(): void {
    if (this.commits.certain) this.hold = false
    this.pump()
    this.host.finished(this)
  }

  /** Remembers a commit that is durable. */
  private took(header: CommitHeader, text: string, position: number): void {
    const start = text.indexOf('\n') + 1
    const outcome = text.slice(start, text.indexOf('\n', start))
    this.last = { header, outcome, position }
    if (header.id !== undefined) this.pendingIds.delete(header.id)
    if (header.from) this.pendingIds.delete(`${header.from[0]}\n${header.from[1]}`)
    if (header.id !== undefined || header.from)
      this.receipts.add(header, {
        seq: header.seq,
        position,
        duplicate: false,
        handled: !outcome.includes('"handled":false'),
      })
  }

  private act(effect: Effect): void {
    switch (effect.kind) {
      case 'action':
        return this.runner.runAction(effect)
      case 'start':
        return this.runner.start(effect)
      case 'stop':
        return this.runner.stop(effect.key)
      case 'tell':
        return this.runner.tell(effect.key, effect.event)
      case 'emit':
        return this.listeners.emit(effect.path, effect.event)
      case 'log':
        return this.log(effect.args)
    }
  }

  failed(all: Decided[], error: DuramenError): void {
    this.pendingIds.clear()
    this.stale = true
    this.ahead = 0
    for (const { header } of all) for (const key of header.finished ?? []) this.runner.done.add(key)
    const again = (error.code === 'CONFLICT' || error.code === 'OUTCOME_UNKNOWN') && ++this.conflicts <= CONFLICTS
    const back = all.filter(({ input }) => again || input.keep)
    if (!again) for (const { input } of all) if (!input.keep) input.caller?.reject(ofJournal(this.where, error))
    if (again) this.unsure = all.map((d) => ({ ...d, input: afresh(d.input) }))
    this.queue.unshift(...(again ? this.unsure : back).map((d) => d.input))
    if (again || back.length === 0) return
    if (!error.retryable) return this.park(error)
    this.pause(error)
  }

  /** The journal is in trouble that may pass: go on in a while. */
  private pause(error: DuramenError): void {
    this.host.logger.warn(`${this.stream}: ${error.message}; trying again in ${RETRY_AFTER} ms`, error)
    this.phase = 'waiting'
    this.host.clock.after(RETRY_AFTER, () => {
      if (this.phase !== 'waiting') return
      this.phase = 'live'
      this.pump()
    })
  }

  // ---- loading -------------------------------------------------------------------------------------------------------

  private async reload(): Promise<void> {
    this.phase = 'loading'
    try {
      await this.load()
    } catch (error) {
      const problem = asDuramenError(error, this.where)
      this.cannotKnow(problem)
      if (this.ended) return
      return problem.retryable ? this.pause(problem) : this.broke(problem)
    }
    if (this.ended) return
    this.phase = 'live'
    for (const timer of this.tree.timers.values()) this.arm(timer)
    this.runner.endOrphans()
    this.runner.resume()
    this.pump()
    this.host.finished(this)
  }

  /** Closed while it was loading. */
  private get ended(): boolean {
    return this.phase === 'closed'
  }

  /** The instance can't be rebuilt: it takes nothing any more, the others go on. */
  broke(error: DuramenError): void {
    this.phase = 'broken'
    this.problem = error
    this.host.logger.error(`${this.stream} can't be loaded: ${error.message}`, error)
    for (const input of this.queue.splice(0)) input.caller?.reject(error)
    this.listeners.complete()
  }

  private async load(): Promise<void> {
    const before = this.last?.header.seq
    const unsure = new Map(this.unsure.map((d) => [d.header.seq, d]))
    const through: [Decided, position: number][] = []
    const { last } = this
    this.receipts = new Receipts(this.host.limits.dedupe)
    this.runner.reset()
    this.seq = 0
    try {
      this.tree = await replay(this, this.machine, this.host.journal.read(this.stream), (commit, turn, record) => {
        this.runner.replayed(commit, turn)
        this.took(commit, record.text, record.position)
        this.seq = commit.seq
        this.at = commit.at
        const own = unsure.get(commit.seq)
        if (own?.text === record.text) through.push([own, record.position])
      })
    } catch (error) {
      this.last = last // how far the replay came is nobody's business
      throw error
    }
    this.unsure = []
    this.stale = false
    for (const [own, position] of through) this.cameThrough(own, position)
    if (before !== undefined && this.seq > before) this.listeners.changed(ROOT, this.snapshot())
  }

  /** K11: an append of unknown outcome turns out to have happened. */
  private cameThrough({ input, header, turn }: Decided, position: number): void {
    const at = this.queue.indexOf(input)
    if (at >= 0) this.queue.splice(at, 1)
    input.caller?.resolve({ seq: header.seq, position, duplicate: false, handled: turn?.handled ?? true })
    // actions and invoked work are taken up by `resume`; these are for now or never
    for (const e of turn?.effects ?? []) if (e.kind === 'tell' || e.kind === 'emit' || e.kind === 'log') this.act(e)
  }

  /** K11: the stream can't be read, so nobody can say whether these happened. */
  private cannotKnow(cause: DuramenError): void {
    for (const { input } of this.unsure) {
      if (input.keep || !input.caller) continue
      this.queue.splice(this.queue.indexOf(input), 1)
      input.caller.reject(outcomeUnknown(this.where, cause))
    }
    this.unsure = this.unsure.filter(({ input }) => input.keep)
  }

  // ---- what the actors and the effects call ---------------------------------------------------------------------------

  get maxRelays(): number {
    return this.host.limits.maxRelays
  }

  current(address: string): TurnActor | undefined {
    return this.tree.actors.get(address)
  }

  /** An event from an effect, a child's reference or a resource: one more journaled input. */
  input(target: string, event: AnyEventObject, fromWork: boolean): void {
    if (event.type.startsWith('xstate.promise.')) this.runner.settled(target)
    // what was told to stop because the host closes is not the machine's business; a result that still came is
    if (this.runner.aborted && fromWork && event.type !== 'xstate.promise.resolve') return
    const payload = encodeInternal(event, this.where, this.host.limits.maxBinary)
    this.accept({ kind: 'event', target, keep: true, payload })
  }

  workFailed(key: string, error: unknown): void {
    this.accept({ kind: 'fail', target: key, keep: true, payload: encodeError(error) })
  }

  actionFailed(effect: Extract<Effect, { kind: 'action' }>, error: unknown): void {
    const key = this.runner.fullKey(effect.key)
    this.park(actionFailed(this.where, effect.src, key, effect.path, error))
  }

  finished(): void {
    this.host.finished(this)
  }

  stopFailed(key: string, error: unknown): void {
    this.host.logger.error(`${key}: its clean-up threw`, error as object)
  }

  oldestAction = (): string | undefined => this.runner.unfinished.keys().next().value

  deliver(...delivery: Parameters<Deliverer['deliver']>): Promise<Receipt> {
    return this.host.deliver(...delivery)
  }

  emit(address: string, event: AnyEventObject): void {
    this.listeners.emit(address, event)
  }

  log(args: unknown[]): void {
    this.host.logger.info(`${this.stream}: ${args.map((a) => (typeof a === 'string' ? a : inspect(a))).join(' ')}`)
  }

  observe(address: string, observer: Parameters<Listeners['observe']>[1]) {
    return this.listeners.observe(address, observer)
  }

  listen(address: string, type: string, handler: (event: AnyEventObject) => void) {
    return this.listeners.listen(address, type, handler)
  }
}

/** The same input with an event of its own: a machine may have written into the one before. */
const afresh = (input: Input): Input => ({ ...input, payload: { ...input.payload, value: decode(input.payload) } })

const actionsOf = ({ effects }: Turn) => effects.reduce((n, e) => (e.kind === 'action' ? n + 1 : n), 0)

const NOTHING: Encoded = { format: 'json', text: '', value: undefined }
