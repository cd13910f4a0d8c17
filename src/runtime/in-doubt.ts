// K11: commits of which the journal could not say whether they happened. Their inputs wait in the mailbox to be decided
// again; reading the stream tells for which of them that is not to be.
import type { StoredRecord } from '../journal/port.ts'
import type { DuramenError } from '../ports/errors.ts'
import type { Decided } from './commits.ts'
import { NO_ENTRIES } from './empty.ts'
import { afresh } from './inputs.ts'
import type { Mailbox } from './mailbox.ts'

export class InDoubt {
  private readonly mailbox: Mailbox
  private commits: Map<number, Decided> = NO_ENTRIES

  constructor(mailbox: Mailbox) {
    this.mailbox = mailbox
  }

  /** `unknown`: the journal can't say whether they happened; else they did not, and somebody else was first. */
  add(all: Decided[], unknown: boolean): void {
    this.commits = new Map()
    const again = all.map((decided) => ({
      ...decided,
      input: unknown ? { ...afresh(decided.input), doubted: true as const } : afresh(decided.input),
    }))
    for (const decided of again) this.commits.set(decided.header.seq, decided)
    this.mailbox.putBack(...again.map((decided) => decided.input))
  }

  /** The commit in doubt that this record is. */
  find(record: StoredRecord): Decided | undefined {
    const own = this.commits.get(record.seq)
    return own?.text === record.text ? own : undefined
  }

  /** The stream has been read: these happened, the others are decided again. */
  settle(happened: Iterable<Decided>): void {
    this.commits = NO_ENTRIES
    for (const { input } of happened) this.mailbox.remove(input)
  }

  /** The stream can't be read: who waits is told so, what nobody can send again stays in doubt. */
  refuse(error: DuramenError): void {
    for (const [seq, { input }] of this.commits) {
      if (input.keep) continue
      this.commits.delete(seq)
      this.mailbox.remove(input)
      input.caller?.reject(error)
    }
  }
}
