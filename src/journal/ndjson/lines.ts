// The lines of an export, as they are written and read. Pure: one record, one line.
//
// K3 what a line gives back is the record's text to the letter: its three parts stand there as JSON only where JSON brings
// them back so, else the text stands there as it is.
import { DuramenError } from '../../ports/errors.ts'
import type { StoredRecord } from '../port.ts'

const VERSION = 1

/** The line that an export begins with. */
export interface ExportHeader {
  readonly duramen: 'journal'
  readonly version: number
  /** It holds that machine alone. */
  readonly machine?: string
  /** It holds that instance of it alone. */
  readonly instance?: string
}

/** The line that an export ends with. */
export interface ExportEnd {
  readonly duramen: 'end'
  readonly records: number
  /** Of the bytes of all lines before. */
  readonly sha256: string
}

export const headerLine = (only: Pick<ExportHeader, 'machine' | 'instance'>): string =>
  `${JSON.stringify({ duramen: 'journal', version: VERSION, ...only })}\n`

export const endLine = (records: number, sha256: string): string =>
  `${JSON.stringify({ duramen: 'end', records, sha256 })}\n`

export function recordLine({ position, stream, seq, text }: StoredRecord): string {
  const place = `{"position":${position},"stream":${JSON.stringify(stream)},"seq":${seq}`
  return `${place},${commitOf(text) ?? `"text":${JSON.stringify(text)}`}}\n`
}

/** The parts of a commit's text, as JSON brings them back; undefined for any other text. */
function commitOf(text: string): string | undefined {
  const first = text.indexOf('\n')
  const second = text.indexOf('\n', first + 1)
  if (first < 0 || second < 0) return undefined
  const header = text.slice(0, first)
  const outcome = text.slice(first + 1, second)
  const payload = text.slice(second + 2)
  const format = FORMATS.get(text[second + 1])
  if (format === undefined || ![header, outcome || '0', payload || '0'].every(comesBack)) return undefined
  const some = (name: string, json: string) => (json === '' ? '' : `,"${name}":${json}`)
  return `"header":${header}${some('outcome', outcome)}${some('payload', payload)},"format":"${format}"`
}

const FORMATS = new Map<string | undefined, string>([
  ['j', 'json'],
  ['d', 'devalue'],
])

function comesBack(json: string): boolean {
  try {
    return JSON.stringify(JSON.parse(json)) === json
  } catch {
    return false
  }
}

export type ExportLine = ExportHeader | ExportEnd | StoredRecord

/** What a line says. Throws EXPORT_DAMAGED. */
export function readLine(line: string, number: number): ExportLine {
  const said = objectIn(line)
  if (said === undefined)
    throw damagedExport(number, number === 1 ? 'it does not begin like an export' : 'it is no JSON')
  const { duramen, version, position, stream, seq } = said
  if (duramen === 'journal' && version !== VERSION) {
    throw damagedExport(number, `it has format version ${version}, this version of duramen reads ${VERSION}`)
  }
  if (duramen === 'journal' || (duramen === 'end' && number > 1)) return said as unknown as ExportHeader | ExportEnd
  if (number === 1) throw damagedExport(number, 'it does not begin like an export')
  const text = textIn(said)
  if (isCount(position) && typeof stream === 'string' && isCount(seq) && text !== undefined) {
    return { position, stream, seq, text }
  }
  throw damagedExport(number, 'it is no record')
}

function objectIn(line: string): Record<string, unknown> | undefined {
  try {
    const said = JSON.parse(line)
    return typeof said === 'object' && said !== null ? said : undefined
  } catch {
    return undefined
  }
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0

function textIn({ text, header, outcome, payload, format }: Record<string, unknown>): string | undefined {
  if (typeof text === 'string') return text
  const letter = format === 'json' ? 'j' : format === 'devalue' ? 'd' : undefined
  if (letter === undefined || header === undefined) return undefined
  return `${JSON.stringify(header)}\n${textOf(outcome)}\n${letter}${textOf(payload)}`
}

const textOf = (part: unknown) => (part === undefined ? '' : JSON.stringify(part))

/** The error for an export that is not as it was written. */
export function damagedExport(line: number, what: string): DuramenError {
  return new DuramenError('EXPORT_DAMAGED', `Line ${line} of the export: ${what}`, {
    where: { line },
    hint: 'Export the journal again; an export must not be edited, cut, or have its line ends changed.',
  })
}
