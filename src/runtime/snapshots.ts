// The snapshots of one instance: when one is due, the last one in memory, and the same as a cache in the journal.
//
// K3: a snapshot is a cache: one that another machine has made, or that can't be read, counts as none, and the instance is
//     decided from its first record.
import type { Journal } from '../journal/port.ts'
import { decodeCommit } from '../journal/records.ts'
import { type Checkpoint, headOf } from './decider.ts'
import { definitionOf } from './definitions.ts'
import type { DurableMachine } from './durable.ts'
import type { Limits } from './limits.ts'

/** Changes when what the text holds changes. */
const FORMAT = 2
/** An instance that leaves memory takes one if more commits than this would have to be replayed. */
const WORTH = 16
/** Characters of a snapshot that count as one, so that a large state is copied less often. */
const PAGE = 16_384

export class Snapshots {
  private last: Checkpoint | undefined
  private next: number
  private since = 0
  /** As how many the last one counts. */
  private pages = 1
  /** The record that the last one was taken after. */
  private at = 0
  private readonly journal: Journal
  private readonly stream: string
  private readonly limits: Limits
  private readonly machine: DurableMachine

  constructor(journal: Journal, stream: string, machine: DurableMachine, limits: Limits) {
    this.journal = journal
    this.stream = stream
    this.limits = limits
    this.machine = machine
    this.next = limits.snapshotEvery
  }

  /** What a snapshot begins with that this machine can go on from. */
  private get key(): string {
    const { hash: definition } = definitionOf(this.machine)
    return `${JSON.stringify({ format: FORMAT, version: this.machine.version, definition })}\n`
  }

  /** Of which commit the one in memory is. */
  get seq(): number | undefined {
    return this.last?.seq
  }

  /** A commit of that many characters was made. */
  grew(characters: number): void {
    this.since += characters
  }

  due(seq: number): boolean {
    return seq >= this.next || this.since >= this.limits.snapshotSize
  }

  /** Loading the instance again would take long without one. */
  worth(seq: number): boolean {
    return seq - this.at >= Math.min(WORTH, this.limits.snapshotEvery) * this.pages
  }

  /** The instance tried to take one; undefined: it has no such form now. */
  took(seq: number, taken: Checkpoint | undefined): void {
    this.follow(seq, taken)
    this.since = 0
    if (!taken) return
    this.last = taken
    this.at = seq
    const text = this.key + taken.text
    void this.journal.saveSnapshot({ stream: this.stream, seq, text })() // a cache: without it, loading takes longer
  }

  private follow(seq: number, taken: Checkpoint | undefined): void {
    this.pages = Math.max(1, Math.ceil((taken?.text.length ?? 0) / PAGE))
    this.next = seq + this.limits.snapshotEvery * this.pages
  }

  /** The newest one, from memory or from the journal. */
  async newest(): Promise<Checkpoint | undefined> {
    if (this.last) return this.last
    const kept = await this.journal.snapshot(this.stream).catch(() => undefined)
    const { key } = this
    if (!kept?.text.startsWith(key)) return undefined
    const text = kept.text.slice(key.length)
    // a journal that was put back from a backup has another history under the same numbers
    for await (const record of this.journal.read(this.stream, { from: kept.seq, to: kept.seq })) {
      const { at, host } = decodeCommit(record)
      const checkpoint = { seq: kept.seq, text, said: headOf(text) }
      const { head } = checkpoint.said
      if (head.header.at !== at || head.header.host !== host) return undefined
      this.at = kept.seq
      this.follow(kept.seq, checkpoint)
      return checkpoint
    }
    return undefined
  }

  /** The instance leaves memory, or its last one is of no use. */
  forget(): void {
    this.last = undefined
  }
}
