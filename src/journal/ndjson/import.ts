// An export into an empty journal, of whatever kind: so a journal moves from one kind to another.
//
// K2 every record gets the seq that it had, or nothing is taken further: a journal refuses what does not follow.
// K7 a file that was cut or edited is noticed: by its lines, their order, and a checksum over all of them at the end.
// K9 a batch of records and so many last seqs are in memory, however long the export is.
import { createHash } from 'node:crypto'
import { DuramenError } from '../../ports/errors.ts'
import { badOption } from '../../ports/given.ts'
import { asDuramen } from '../fs-error.ts'
import type { Append, Journal, StoredRecord } from '../port.ts'
import { damagedExport, type ExportEnd, readLine } from './lines.ts'
import { linesOf } from './split.ts'

/** So many records, or characters, go into a journal at once. */
const BATCH_RECORDS = 1000
const BATCH_LENGTH = 1 << 22
/** Of so many streams the last seq is remembered; more than a batch has. The journal is asked for the others. */
const REMEMBERED = 1 << 16

/** What an import has done. */
export interface Imported {
  /** How many records it has taken in. */
  readonly records: number
}

/**
 * Takes the lines of an export (in pieces of any size: a file's stream, or `exportJournal` itself) into an empty journal.
 * Records keep stream, seq and text; positions are given anew, in the same order. Open no host on it before it is done.
 *
 * Rejects with NOT_EMPTY, EXPORT_DAMAGED (`where.line`), BAD_OPTION, or what the journal answers. Records that went in until
 * then stay there: the hint says so, remove that journal.
 */
export async function importJournal(
  source: AsyncIterable<string | Uint8Array> | Iterable<string | Uint8Array>,
  journal: Pick<Journal, 'append' | 'head' | 'readAll'>,
): Promise<Imported> {
  const iterable =
    source !== null && typeof source === 'object' && (Symbol.asyncIterator in source || Symbol.iterator in source)
  if (!iterable) {
    throw badOption('importJournal', source, 'gives no lines', 'Give a stream, such as createReadStream(file).')
  }
  if (typeof journal?.append !== 'function') {
    throw badOption('importJournal', journal, 'is no journal', 'Give what fileJournal() resolves with.')
  }
  for await (const { stream } of journal.readAll()) throw notEmpty(stream)
  const batches = new Batches(journal)
  try {
    await takeIn(source, batches)
    return { records: batches.records }
  } catch (error) {
    throw unfinished(asDuramen(error, 'read the export', {}), batches.records)
  }
}

async function takeIn(source: Parameters<typeof linesOf>[0], batches: Batches): Promise<void> {
  const hash = createHash('sha256')
  let number = 0
  let records = 0
  let position = 0
  let end: ExportEnd | undefined
  for await (const bytes of linesOf(source)) {
    number++
    if (end !== undefined) throw damagedExport(number, 'it follows the last line')
    const line = readLine(bytes.toString(), number)
    if ('seq' in line) {
      if (line.position <= position)
        throw damagedExport(number, `position ${line.position} does not follow ${position}`)
      position = line.position
      records++
      await batches.add(line, number)
    } else if (line.duramen === 'end') {
      end = line
      if (end.records !== records)
        throw damagedExport(number, `${end.records} records were exported, ${records} are here`)
      if (end.sha256 !== hash.digest('hex')) throw damagedExport(number, 'its checksum is not that of the lines before')
      continue
    } else if (number > 1) throw damagedExport(number, 'a second export begins')
    hash.update(bytes)
  }
  if (end === undefined) throw damagedExport(number + 1, 'it is missing: the export was cut')
  await batches.flush()
}

/** Records of one stream that follow each other. */
interface Run extends Append {
  readonly texts: string[]
  /** Of the first one. */
  readonly line: number
  /** Whether the stream is there must be asked. */
  readonly asked: boolean
}

/** The records on their way into the journal. */
class Batches {
  /** How many are in the journal. */
  records = 0
  readonly #journal: Pick<Journal, 'append' | 'head'>
  #batch: Run[] = []
  #count = 0
  #length = 0
  /** The last seq of streams, those used last at the end. */
  readonly #lasts = new Map<string, number>()

  constructor(journal: Pick<Journal, 'append' | 'head'>) {
    this.#journal = journal
  }

  async add({ stream, seq, text }: StoredRecord, line: number): Promise<void> {
    if (this.#count === BATCH_RECORDS || (this.#count > 0 && this.#length + text.length > BATCH_LENGTH))
      await this.flush()
    const last = this.#lasts.get(stream)
    if (last !== undefined && last !== seq - 1) throw outOfOrder(line, stream, seq, last)
    const before = this.#batch.at(-1)
    if (before?.stream === stream) before.texts.push(text)
    else this.#batch.push({ stream, expected: seq - 1, texts: [text], line, asked: last === undefined && seq > 1 })
    this.#count++
    this.#length += text.length
    this.#remember(stream, seq)
  }

  /** Resolves once all that were added are durable. */
  async flush(): Promise<void> {
    const batch = this.#batch
    this.#batch = []
    this.#count = this.#length = 0
    const appends = await Promise.all(batch.map((run) => this.#appendOf(run)))
    const answers = await Promise.all(appends.map((append) => this.#journal.append(append)()))
    let refused: DuramenError | undefined
    for (const [number, answer] of answers.entries()) {
      const { line, texts } = batch[number]!
      if (answer._tag === 'Right') this.records += texts.length
      else refused ??= refusedAt(line, answer.left)
    }
    if (refused !== undefined) throw refused
  }

  /** A stream that is not there begins with its first record here, whatever its seq. */
  async #appendOf({ stream, expected, texts, line, asked }: Run): Promise<Append> {
    const last = asked ? ((await this.#journal.head(stream))?.seq ?? 0) : expected
    if (last === expected) return { stream, expected, texts }
    if (last > 0) throw outOfOrder(line, stream, expected + 1, last)
    return { stream, expected, texts, adopt: true }
  }

  #remember(stream: string, seq: number): void {
    this.#lasts.delete(stream)
    this.#lasts.set(stream, seq)
    if (this.#lasts.size <= REMEMBERED) return
    for (const oldest of this.#lasts.keys()) return void this.#lasts.delete(oldest)
  }
}

const outOfOrder = (line: number, stream: string, seq: number, last: number) =>
  damagedExport(line, `record ${seq} of ${stream} does not follow ${last}`)

function refusedAt(line: number, error: DuramenError): DuramenError {
  if (error.code === 'CONFLICT') return damagedExport(line, `it does not follow: ${error.message}`)
  const { code, message, where, retryable, hint } = error
  const more = hint === undefined ? {} : { hint }
  return new DuramenError(code, `Line ${line} of the export: ${message}`, {
    cause: error,
    where: { ...where, line },
    retryable,
    ...more,
  })
}

function unfinished(error: DuramenError, records: number): DuramenError {
  const { code, message, where, retryable, hint } = error
  const left =
    records === 0 ? 'Nothing was imported.' : `${records} records are in the journal, which is to be removed.`
  return new DuramenError(code, message, { cause: error, where, retryable, hint: `${left} ${hint ?? ''}`.trim() })
}

function notEmpty(stream: string): DuramenError {
  return new DuramenError('NOT_EMPTY', `The journal is not empty: it has records of ${stream}`, {
    where: { stream },
    hint: 'Import into a new journal, before a host is opened on it.',
  })
}
