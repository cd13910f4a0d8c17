// What the journal knows of effects, beyond that they were set going: attempts, failures, waits, heartbeats, tokens, ends.
//
// K5: a change counts at once in memory and is on record with the next commit (`drain`); after a failed append it is `back`,
//     after a reload it is put on top of what was read.

import type { CommitHeader, DeadLetterRecord } from '../journal/records.ts'
import { NO_ENTRIES, own } from './empty.ts'

/** What is known of one effect. Nothing: its first attempt is under way. */
export interface EffectFact {
  /** The last attempt that began, or that is about to. Default 1. */
  attempt?: number
  failures?: number
  crashes?: number
  /** No attempt is under way; the next one begins then. */
  retryAt?: number
  /** Details of the last heartbeat, as text. */
  beat?: string
  /** Secret of its token. */
  token?: string
  /** It was handed over to the outside. */
  outside?: true
  dead?: DeadLetterRecord
}

type Field = Exclude<keyof EffectFact, 'outside'>
/** Where each stands in a commit's header. `attempts` first: it clears others. */
const HEADER = {
  attempt: 'attempts',
  failures: 'failures',
  crashes: 'crashes',
  retryAt: 'retryAt',
  beat: 'beats',
  token: 'tokens',
  dead: 'dead',
} as const satisfies Record<Field, keyof CommitHeader>
const FIELDS = Object.entries(HEADER) as [Field, (typeof HEADER)[Field]][]

/** The part of a header that is about effects. */
export type FactsHeader = Pick<CommitHeader, (typeof HEADER)[Field] | 'outside'>

/** All facts as plain data. */
export type FactsState = Readonly<Record<string, EffectFact>>

const NOTHING: Readonly<EffectFact> = {}

export class EffectFacts {
  private known: Map<string, EffectFact> = NO_ENTRIES
  /** Changes that are not in a commit yet. */
  private unsaid: Map<string, EffectFact> = NO_ENTRIES

  get(key: string): Readonly<EffectFact> {
    return (this.known.size ? this.known.get(key) : undefined) ?? NOTHING
  }

  /** Something happened that is to be on record. */
  change(key: string, change: EffectFact): void {
    apply((this.known = own(this.known)), key, change)
    apply((this.unsaid = own(this.unsaid)), key, change)
  }

  /** The effect has ended. */
  forget(key: string): void {
    if (this.known.size) this.known.delete(key)
    if (this.unsaid.size) this.unsaid.delete(key)
  }

  /** Before the journal is read again. */
  clear(): void {
    this.known = NO_ENTRIES
  }

  /** After the journal was read again. */
  reapply(): void {
    for (const [key, change] of this.unsaid) apply((this.known = own(this.known)), key, change)
  }

  /** Something is known of some effect. */
  get any(): boolean {
    return this.known.size > 0
  }

  /** Something is not in a commit yet. */
  get waiting(): boolean {
    return this.unsaid.size > 0
  }

  /** Keys of dead letters. */
  get dead(): ReadonlyMap<string, DeadLetterRecord> {
    const dead = new Map<string, DeadLetterRecord>()
    for (const [key, fact] of this.known) if (fact.dead) dead.set(key, fact.dead)
    return dead
  }

  /** Keys of what was handed over. */
  get outside(): string[] {
    return [...this.known].flatMap(([key, { outside }]) => (outside ? [key] : []))
  }

  get state(): FactsState {
    return Object.fromEntries(this.known)
  }

  restore(state: FactsState): void {
    for (const [key, fact] of Object.entries(state)) this.known = own(this.known).set(key, { ...fact })
  }

  /** What the next commit says. */
  drain(): FactsHeader {
    const header: Record<string, Record<string, unknown> | string[]> = {}
    for (const [key, fact] of this.unsaid) {
      for (const [field, name] of FIELDS)
        if (fact[field] !== undefined) ((header[name] ??= {}) as Record<string, unknown>)[key] = fact[field]
      if (fact.outside) ((header.outside ??= []) as string[]).push(key)
    }
    this.unsaid = NO_ENTRIES
    return header as FactsHeader
  }

  /** The commit was not made; what was said since is newer. */
  back(header: FactsHeader): void {
    const newer = this.unsaid
    this.unsaid = take(NO_ENTRIES, header)
    for (const [key, change] of newer) apply((this.unsaid = own(this.unsaid)), key, change)
  }

  /** A commit that was read from the journal. */
  read(header: FactsHeader): void {
    this.known = take(this.known, header)
  }
}

/** The facts with what the header says, in the same map where that is their own. */
function take(facts: Map<string, EffectFact>, header: FactsHeader): Map<string, EffectFact> {
  let taken = facts
  for (const [field, name] of FIELDS) {
    const said = header[name]
    if (said) for (const [key, value] of Object.entries(said)) apply((taken = own(taken)), key, { [field]: value })
  }
  for (const key of header.outside ?? []) apply((taken = own(taken)), key, { outside: true })
  return taken
}

function apply(facts: Map<string, EffectFact>, key: string, change: EffectFact): void {
  const fact = facts.get(key) ?? {}
  if (change.attempt !== undefined) {
    // an attempt of a dead letter: it lives again, and its failures count from nothing
    if (fact.dead) for (const field of ['dead', 'failures', 'crashes'] as const) delete fact[field]
    delete fact.retryAt
  }
  if (change.dead) delete fact.retryAt
  facts.set(key, Object.assign(fact, change))
}
