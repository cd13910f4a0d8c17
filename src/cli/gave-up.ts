// Whether a supervisor that runs no more has given up: its journal tells, which nobody has to write for that.
import { join } from 'node:path'
import { openJournal } from '../journal/index.ts'
import { type Filter, fits, headOf, isPurge, type Listed, listedOf } from '../runtime/listing.ts'

const CRITICAL: Filter = { machine: 'supervisor', state: 'critical' }
const NONE = { has: () => false }

/** When the last that had this state folder did, ms since the epoch; undefined where it did not, or no journal tells. */
export async function gaveUpAt(folder: string): Promise<number | undefined> {
  const last = await lastIn(join(folder, 'journal')).catch(() => undefined)
  return last && fits(last, CRITICAL) ? last.at : undefined
}

/** What to do about one that has given up. */
export const gaveUpNext = (folder: string): string =>
  `look at ${join(folder, 'logs', 'output.log')}, mend it, and start it again`

/** The same where it runs no more: it may be one that nobody needs, under a name that is not used again. */
export const gaveUpAndGoneNext = (folder: string): string =>
  `${gaveUpNext(folder)}; or remove ${folder}, where it is not wanted any more`

/** With another --name there is another instance. */
async function lastIn(journal: string): Promise<Listed | undefined> {
  const reader = await openJournal(journal, { readOnly: true })
  try {
    let last: Listed | undefined
    for await (const record of reader.heads()) {
      const head = headOf(record)
      if (head === undefined || isPurge(head)) continue
      const listed = listedOf(head, undefined, NONE)
      if (listed.machine === CRITICAL.machine && (last === undefined || listed.position > last.position)) last = listed
    }
    return last
  } finally {
    await reader.close()()
  }
}
