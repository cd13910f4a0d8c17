// Decided inputs of one instance on their way to the journal: one append at a time, what is decided meanwhile shares the
// next. When an append fails, nothing that was decided on top of it holds.
import { type Either, isLeft } from 'fp-ts/lib/Either.js'
import type { Appended, Journal } from '../journal/port.ts'
import type { CommitHeader } from '../journal/records.ts'
import type { DuramenError } from '../ports/errors.ts'
import type { Input, Receipt } from './inputs.ts'
import type { Turn } from './turn.ts'

/** An input, what it made of the actors, and the commit that says so. */
export interface Decided {
  readonly input: Input
  readonly turn: Turn | undefined
  readonly header: CommitHeader
  readonly outcome: string
  readonly text: string
}

/** What its sender is told once it is durable. */
export const receiptOf = ({ header, turn }: Decided, position: number): Receipt => ({
  seq: header.seq,
  position,
  duplicate: false,
  handled: turn?.handled ?? true,
})

export interface CommitsOwner {
  readonly stream: string
  /** The journal has taken an append; `durable` follows for each of its records. */
  appended(): void
  durable(decided: Decided, position: number): void
  /** `durable` threw. */
  upset(error: unknown): void
  /** In order: the group whose append failed, then all that was decided after it. */
  failed(decided: Decided[], error: DuramenError): void
  /** An append has answered, and its outcome has been taken in. */
  answered(): void
}

/** So that an instance with nothing under way holds no array; never written to. */
const NONE: Decided[] = []

export class Commits {
  private pending = NONE
  private flight: readonly Decided[] = NONE
  private readonly journal: Journal
  private readonly owner: CommitsOwner

  constructor(journal: Journal, owner: CommitsOwner) {
    this.journal = journal
    this.owner = owner
  }

  /** Decided and not yet given to the journal. */
  get waiting(): number {
    return this.pending.length
  }

  /** All that was decided is durable. */
  get certain(): boolean {
    return this.pending.length === 0 && this.flight.length === 0
  }

  add(decided: Decided): void {
    if (this.pending === NONE) this.pending = [decided]
    else this.pending.push(decided)
  }

  flush(): void {
    if (this.flight.length || !this.pending.length) return
    const group = this.pending
    this.flight = group
    this.pending = NONE
    const texts = group.length === 1 ? [group[0]!.text] : group.map((d) => d.text)
    this.journal
      .append({ stream: this.owner.stream, expected: group[0]!.header.seq - 1, texts })()
      .then((answer) => this.settled(group, answer))
  }

  /** Nobody waits any longer for the journal. */
  giveUp(error: DuramenError): void {
    for (const { input } of [...this.flight, ...this.pending]) input.caller?.reject(error)
  }

  private settled(group: Decided[], answer: Either<DuramenError, Appended>): void {
    if (isLeft(answer)) {
      this.flight = NONE
      const all = [...group, ...this.pending]
      this.pending = NONE
      this.owner.failed(all, answer.left)
    } else {
      let { position } = answer.right
      this.owner.appended()
      for (const decided of group) {
        try {
          this.owner.durable(decided, position++)
        } catch (error) {
          this.owner.upset(error) // it is durable all the same, and what comes after it must not wait for ever
        }
      }
      this.flight = NONE // not before: until all of it is acted on the instance must not leave memory
    }
    this.flush()
    this.owner.answered()
  }
}
