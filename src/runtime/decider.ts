// The state of an instance in memory, and deciding on it, ahead of the journal. Once it holds what will not be committed
// it is thrown away as a whole, and another is loaded from the records (docs/decisions/0001).
//
// K3: `load` is the only way to a state, after a crash as after a refused event.
// K4: an event whose id is known has its first receipt for an answer; one whose id is under way waits for it.
// K8: an input for which the machine throws makes no commit.
import type { AnyEventObject } from 'xstate'
import { decode, type Encoded, encode } from '../journal/codec.ts'
import type { StoredRecord } from '../journal/port.ts'
import { type Commit, type CommitHeader, type CommitOutcome, encodeCommit } from '../journal/records.ts'
import { type DuramenError, isDuramenError } from '../ports/errors.ts'
import type { TreeState } from './checkpoint.ts'
import type { Decided } from './commits.ts'
import type { FactsState } from './effect-facts.ts'
import { NO_ITEMS, ownSet } from './empty.ts'
import { asDuramenError, machineThrew } from './failures.ts'
import { holdOf } from './hold.ts'
import { type Input, type Receipt, turnInput } from './inputs.ts'
import type { Identity } from './instance-host.ts'
import { keep } from './kept.ts'
import type { Operation } from './operators.ts'
import { outcomeText } from './outcome.ts'
import { Receipts, type ReceiptsState, senderName } from './receipts.ts'
import { replay } from './replay.ts'
import type { Runner } from './runner.ts'
import { ROOT, type TreeOwner, type Turn } from './turn.ts'
import { ActorTree } from './xstate/tree.ts'

/** What is known of an instance's last commit. */
export interface Head {
  readonly header: CommitHeader
  readonly outcome: string
  readonly position: number
}

/** All that a decider and its runner know after a commit. */
export interface Checkpoint {
  readonly seq: number
  readonly text: string
  /** The first line of the text, where somebody has read it. */
  readonly said?: CheckpointHead
}

/** The first line of its text; the actors' state is the second. */
interface CheckpointHead {
  readonly head: Head
  readonly receipts: ReceiptsState
  readonly effects: FactsState
  /** Of a fork. */
  readonly origin?: string
}

/** What a checkpoint says of its last commit, its receipts and its effects. */
export const headOf = (text: string): CheckpointHead => JSON.parse(text.slice(0, text.indexOf('\n')))

/** The payload of a purge. */
export interface Purge extends Operation {
  readonly senders: ReceiptsState['senders']
}

/** A commit to be made; or the answer to an input that makes none; or nothing, until all before it is certain. */
export type Verdict = Decided | Receipt | DuramenError | undefined

export class Decider {
  readonly tree: ActorTree
  /** The last commit that is durable. */
  last: Head | undefined
  /** It holds what will not be committed. */
  stale = false
  private readonly instance: Identity
  private readonly runner: Runner
  private readonly receipts: Receipts
  /** Events that were decided and are not durable yet. */
  private underWay: Set<string> = NO_ITEMS
  /** Actions that were decided and are not durable yet. */
  private ahead = 0
  private seq = 0
  private at = 0

  constructor(instance: Identity, runner: Runner, owner: TreeOwner) {
    this.instance = instance
    this.runner = runner
    this.tree = new ActorTree(owner, instance.machine.machine)
    this.receipts = new Receipts(instance.host.limits.dedupe)
  }

  /** Rebuilds the state from the records, and tells of each. */
  load(
    records: AsyncIterable<StoredRecord>,
    taken: (commit: Commit, turn: Turn | undefined, record: StoredRecord) => void,
  ): Promise<void> {
    const each = (commit: Commit, turn: Turn | undefined, record: StoredRecord) => {
      if (turn?.kept) this.receipts.restore(turn.kept.receipts)
      if (commit.op === 'purge') this.receipts.restore({ ids: [], senders: (commit.payload() as Purge).senders })
      this.took(commit, commit.outcomeText, record.position)
      this.seq = commit.seq
      this.at = commit.at
      taken(commit, turn, record)
    }
    return replay(this.tree, this.instance.machine, records, each, undefined, this.seq)
  }

  /**
   * The state as it is, for `restore`. Undefined while something is not durable, while actions are unfinished (they exist
   * only by replaying their record), and where a context holds what can't be kept.
   */
  checkpoint(): Checkpoint | undefined {
    const { last, runner } = this
    const effects = runner.state
    if (this.stale || last?.header.seq !== this.seq || !effects) return undefined
    if (last.header.op === 'purge') return undefined // these are the actors of before
    try {
      const state = this.tree.state()
      if (!state) return undefined
      const { format, text } = encode(state, { name: 'state', identity: true, maxBinary: Number.POSITIVE_INFINITY })
      const { origin } = this.tree
      const head: CheckpointHead = {
        head: last,
        receipts: this.receipts.state,
        effects,
        ...(origin !== this.instance.stream && { origin }),
      }
      return { seq: this.seq, text: `${JSON.stringify(head)}\n${format}\n${text}` }
    } catch {
      return undefined // such an instance is replayed from its start
    }
  }

  /** Begins from a checkpoint instead of the first record. Throws when the machine has changed. */
  restore({ text, said = headOf(text) }: Checkpoint): void {
    const { head, receipts, effects, origin } = said
    const first = text.indexOf('\n')
    const second = text.indexOf('\n', first + 1)
    const format = text.slice(first + 1, second) as 'json' | 'devalue'
    const state = decode({ format, text: text.slice(second + 1) }) as TreeState
    const { seq, at } = head.header
    if (origin !== undefined) this.tree.origin = origin
    this.runner.restore(this.tree.restore(state, seq, at), effects)
    this.receipts.restore(receipts)
    this.last = head
    this.seq = seq
    this.at = at
  }

  /** Decides an input on all that was decided before it. `certain`: all of that is durable. */
  decide(input: Input, certain: boolean): Verdict {
    const known = this.receipts.find(input)
    if (known) return { ...known, duplicate: true }
    if (input.kind === 'start' && this.tree.alive) return this.unhandled(true) // another host was first
    const name = nameOf(input)
    if (name !== undefined && this.underWay.has(name)) return undefined
    // who waits for a mark waits for all that was said before it
    if (input.kind === 'mark' && !this.runner.unsaid)
      return certain || !input.caller ? this.unhandled(false) : undefined

    const { machine, host } = this.instance
    const seq = this.seq + 1
    const at = Math.max(host.clock.now(), this.at)
    const meaning = turnInput(input.kind, input, input.payload.value, this.tree)
    const turn = meaning && this.tree.run(seq, at, host.name, meaning)
    if (turn?.ignored) return certain ? this.unhandled(false) : undefined // nobody is there for it
    let fault = turn?.fault
    let outcome = ''
    try {
      if (!fault) outcome = outcomeText(machine, { seq, at, host: host.name }, this.tree, turn)
    } catch (error) {
      fault = { error, path: 'attributes' }
    }
    if (fault) {
      this.stale = true
      return certain ? this.refusal(input, fault) : undefined
    }

    const payload = this.payloadOf(input)
    if (isDuramenError(payload)) return payload
    const header = this.header(input, turn, seq, at)
    this.seq = seq
    this.at = at
    if (name !== undefined) this.underWay = ownSet(this.underWay).add(name)
    return { input, turn, header, outcome, text: encodeCommit(header, outcome, payload) }
  }

  /** A purge keeps what deliveries have arrived (K4): they must not arrive again. A checkpoint keeps all. */
  private payloadOf({ op, payload }: Input): Encoded | DuramenError {
    if (op !== 'purge' && op !== 'trim') return payload
    const operation = payload.value as Operation
    const { tree, runner, receipts, instance } = this
    const { state } = receipts
    if (op === 'purge') return encode({ ...operation, senders: state.senders } satisfies Purge, { name: 'purge' })
    try {
      return keep(operation, instance.where, { tree, runner, receipts: state })
    } catch (error) {
      return asDuramenError(error, instance.where)
    }
  }

  /** What was decided is durable: it is remembered, and shown (K1). */
  committed({ header, outcome, turn }: Decided, position: number): void {
    this.took(header, outcome, position)
    if (!turn) return
    this.tree.show(turn)
    this.ahead -= actionsOf(turn)
  }

  private took(header: CommitHeader, outcome: string, position: number): void {
    this.last = { header, outcome, position }
    const name = nameOf(header)
    if (name === undefined) return
    this.underWay.delete(name)
    const handled = !outcome.includes('"handled":false') || (JSON.parse(outcome) as CommitOutcome).handled !== false
    this.receipts.add(header, { seq: header.seq, position, duplicate: false, handled })
  }

  private header(input: Input, turn: Turn | undefined, seq: number, at: number): CommitHeader {
    const { runner } = this
    const { stream, machine, host } = this.instance
    if (turn) this.ahead += actionsOf(turn)
    const header: { -readonly [K in keyof CommitHeader]: CommitHeader[K] } = {
      stream,
      seq,
      at,
      kind: input.op === 'trim' ? 'checkpoint' : input.kind,
      version: machine.version,
      host: host.name,
    }
    if (input.id !== undefined) header.id = input.id
    if (input.from) header.from = input.from
    if (input.target !== undefined && input.target !== ROOT) header.target = input.target
    if (input.key !== undefined) header.key = input.key
    if (input.op !== undefined) header.op = input.op
    runner.drain(header, this.tree.actors)
    this.hold(header, input)
    const unfinished = runner.unfinished.size + this.ahead - (input.ruling?.finished?.length ?? 0)
    if (unfinished) header.unfinished = unfinished
    return header
  }

  /** On every commit for as long as it lasts; nothing but marks and operators' records is made meanwhile. */
  private hold(header: { -readonly [K in keyof CommitHeader]: CommitHeader[K] }, { ruling }: Input): void {
    const last = this.last?.header
    if (!ruling && last?.held === undefined) return
    const hold = ruling ? ruling.hold : holdOf(last)
    if (hold) Object.assign(header, hold)
    if (ruling?.finished?.length) header.finished = [...ruling.finished, ...(header.finished ?? [])]
    if (ruling?.attempts && Object.keys(ruling.attempts).length)
      header.attempts = { ...header.attempts, ...ruling.attempts }
  }

  /** The receipt of the event with this id, where it is remembered. */
  receiptOf(id: string): Receipt | undefined {
    return this.receipts.find({ id })
  }

  /** The answer to what changes nothing. */
  unhandled(duplicate: boolean): Receipt {
    return { seq: this.seq, position: this.last?.position ?? 0, duplicate, handled: false }
  }

  private refusal(input: Input, { error, path }: NonNullable<Turn['fault']>): DuramenError {
    const event = (input.payload.value as AnyEventObject | undefined)?.type ?? input.key ?? input.kind
    return machineThrew(this.instance.where, event, path, error)
  }
}

/** Under which an event is known: its id, or its sender's count. */
const nameOf = ({ id, from }: Pick<CommitHeader, 'id' | 'from'> | Input): string | undefined =>
  id ?? (from && `${senderName(from)}\n${from[1]}`)

function actionsOf({ effects }: Turn): number {
  let count = 0
  for (const { kind } of effects) if (kind === 'action') count++
  return count
}
