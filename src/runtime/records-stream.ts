// The commits of all instances in the one order of the journal: what is there, and what comes.
//
// K1: nothing is told of that is not durable: all is read from the journal, live commits as well.
// K9: a subscriber is read to in pages; what it has not taken yet stays in the journal.
// K10: streams are given what the host has committed, and complete, before the journal is closed.
import { Observable } from 'rxjs'
import type { Journal, Range, StoredRecord } from '../journal/port.ts'
import { instanceOf } from '../journal/records.ts'
import { assertNames, badOption, optionsGiven } from '../ports/given.ts'
import { entryOf, type HistoryEntry } from './history.ts'

/** One commit, and whose it is. */
export interface JournalEntry extends HistoryEntry {
  readonly machine: string
  readonly instance: string
}

/** Records of a subscriber that are read without letting others have their turn. */
const PAGE = 256

/** The commit of an instance; nothing for what the journal keeps for itself (`$…`). */
function journalEntryOf(record: StoredRecord): JournalEntry | undefined {
  const place = instanceOf(record.stream)
  return place && { ...place, ...entryOf(record) }
}

/** A part of a journal or a stream that can be. Throws BAD_OPTION. */
export function rangeGiven(name: string, range: Range | null | undefined): Range {
  const given = optionsGiven(name, range, 'Leave it out, or give { from, to }.')
  assertNames(name, given, ['from', 'to'])
  for (const end of ['from', 'to'] as const) {
    const value = given[end]
    if (value !== undefined && (!Number.isSafeInteger(value) || value < 0))
      throw badOption(
        end,
        value,
        'is no position',
        'Give a whole number, the first or last that you want; or nothing for all.',
      )
  }
  return given
}

/** All commits of instances in a range of positions, oldest first. */
export async function* recordsOf(journal: Journal, range: Range): AsyncGenerator<JournalEntry> {
  for await (const record of journal.readAll(range)) {
    const entry = journalEntryOf(record)
    if (entry) yield entry
  }
}

/** The end of a journal as its host knows it, and who waits there for more. */
export class Tail {
  private position = 0
  private closed = false
  private readonly waiting = new Set<() => void>()
  private readonly readers = new Set<Promise<void>>()

  /** A commit is durable. */
  reached(position: number): void {
    if (position <= this.position) return
    this.position = position
    if (this.waiting.size) this.wakeAll()
  }

  /** All commits from a position on: those that are there, then those that come. */
  follow(journal: Journal, from: number): Observable<JournalEntry> {
    return new Observable((subscriber) => {
      let wake: (() => void) | undefined
      subscriber.add(() => wake?.())
      const more = (next: number) =>
        new Promise<void>((resolve) => {
          wake = () => {
            this.waiting.delete(wake!)
            resolve()
          }
          if (this.position >= next || this.closed || subscriber.closed) resolve()
          else this.waiting.add(wake)
        })
      const read = async () => {
        for (let next = from; !subscriber.closed; ) {
          let count = 0
          const end = this.position
          for await (const record of journal.readAll({ from: next })) {
            if (subscriber.closed) return
            next = record.position + 1
            const entry = journalEntryOf(record)
            if (entry) subscriber.next(entry)
            if (++count === PAGE) break
          }
          if (count === PAGE) await new Promise<void>((resolve) => setImmediate(resolve))
          else if (this.closed) return subscriber.complete()
          else await more((next = Math.max(next, end + 1))) // what is there and is not told was trimmed or erased
        }
      }
      const reader = read()
        .catch((error) => (this.closed ? subscriber.complete() : subscriber.error(error)))
        .finally(() => this.readers.delete(reader))
      this.readers.add(reader)
    })
  }

  /** Nothing comes any more. Resolves when all that there is was told. */
  async close(): Promise<void> {
    this.closed = true
    this.wakeAll()
    await Promise.all(this.readers)
  }

  private wakeAll(): void {
    for (const wake of [...this.waiting]) wake()
  }
}
