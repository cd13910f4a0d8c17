// A journal as text: a header, a line a record, and a last line by which a file that was cut or edited is noticed.
import { createHash } from 'node:crypto'
import { assertNames, badOption, optionsGiven } from '../../ports/given.ts'
import type { Journal } from '../port.ts'
import { definitionStream, instanceOf } from '../records.ts'
import { endLine, headerLine, recordLine } from './lines.ts'

/** What an export holds. */
export interface ExportOptions {
  /** Only the instances of this machine, and its statecharts. Default: all. */
  readonly machine?: string
  /** Only this instance of that machine, and the machine's statecharts. Default: all. */
  readonly instance?: string
}

/**
 * All records of a journal that can be read (not those of streams whose key is gone) as lines of JSON (NDJSON), each with its line end, in the order of commit: what is there when it
 * begins. It reads no further than its lines are taken: `pipeline(exportJournal(journal), createWriteStream(file))`.
 * Throws BAD_OPTION; rejects with what the journal answers: what was written until then is no whole export.
 */
export function exportJournal(
  journal: Pick<Journal, 'readAll'>,
  options?: ExportOptions,
): AsyncGenerator<string, void, undefined> {
  if (typeof journal?.readAll !== 'function') {
    throw badOption('exportJournal', journal, 'is no journal', 'Give what fileJournal() resolves with.')
  }
  const given = optionsGiven('exportJournal', options, "Leave it out, or give an object: { machine: 'order' }.")
  assertNames('exportJournal', given, ['machine', 'instance'])
  const { machine, instance } = given
  for (const [name, value] of Object.entries(given))
    if (value !== undefined && (typeof value !== 'string' || value === ''))
      throw badOption(name, value, 'is no id', 'Give its id as a text, or leave it out.')
  if (instance !== undefined && machine === undefined) {
    throw badOption('instance', instance, 'belongs to no machine', 'Give the id of its machine, too.')
  }
  return exported(journal, { ...(machine !== undefined && { machine }), ...(instance !== undefined && { instance }) })
}

async function* exported(
  journal: Pick<Journal, 'readAll'>,
  only: ExportOptions,
): AsyncGenerator<string, void, undefined> {
  const hash = createHash('sha256')
  let records = 0
  const header = headerLine(only)
  hash.update(header)
  yield header
  for await (const record of journal.readAll()) {
    if (!wanted(record.stream, only)) continue
    const line = recordLine(record)
    hash.update(line)
    records++
    yield line
  }
  yield endLine(records, hash.digest('hex'))
}

function wanted(stream: string, { machine, instance }: ExportOptions): boolean {
  if (machine === undefined || stream === definitionStream(machine)) return true
  const of = instanceOf(stream)
  return of?.machine === machine && (instance === undefined || of.instance === instance)
}
