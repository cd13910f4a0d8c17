// What every journal understands in the same way: what it refuses before it does anything (K8 bad input changes
// nothing), so that what one journal keeps another can keep too, and what the bounds of a read mean.
import { DuramenError } from '../ports/errors.ts'
import { shown } from '../ports/given.ts'
import type { Append, Range, StoredSnapshot } from './port.ts'

/** The longest stream name, in UTF-16 units: as a key it then fits the index of any known store. */
const MAX_STREAM_LENGTH = 512
/** The longest text of one record and the most texts of one append together, in UTF-16 units (K9). */
const MAX_APPEND_LENGTH = 64 * 1024 * 1024

/** Undefined for an append that can be tried, else BAD_ID, BAD_INPUT or NOT_SERIALIZABLE. */
export function refusal({ stream, expected, texts, adopt }: Append): DuramenError | undefined {
  const name = badName(stream)
  if (name !== undefined) return name
  if (!Number.isSafeInteger(expected) || expected < 0) {
    return bad(stream, `expected must be the seq of its last record, not ${expected}`, 'Pass 0 for a new stream.')
  }
  if (texts.length === 0) return bad(stream, 'it has no texts', 'Pass at least one text.')
  if (adopt !== undefined && adopt !== true) {
    return bad(
      stream,
      `adopt can't be ${shown(adopt)}`,
      'Pass true for a stream that begins behind `expected`, or nothing.',
    )
  }
  return badTexts(stream, texts)
}

/** The same for a snapshot. */
export function snapshotRefusal({ stream, seq, text }: StoredSnapshot): DuramenError | undefined {
  const name = badName(stream)
  if (name !== undefined) return name
  if (!Number.isSafeInteger(seq) || seq < 1) {
    return bad(stream, `seq must be that of a record, not ${seq}`, 'Pass the seq of the last record that it covers.')
  }
  return badTexts(stream, [text])
}

/** The answer to a trim of a stream whose last record is `last`; undefined where `before` is the seq of a record. */
export function trimRefusal(stream: string, before: number, last: number): DuramenError | undefined {
  const name = badName(stream)
  if (name !== undefined) return name
  if (Number.isSafeInteger(before) && before >= 1 && before <= last) return undefined
  const what = last === 0 ? 'it has no records' : `its last record is ${last}`
  return new DuramenError('BAD_OPTION', `${stream} can't be trimmed before ${before}: ${what}`, {
    where: { stream, seq: last },
    hint: 'Pass the seq of the first record to keep; the last one always stays.',
  })
}

/** The first number of a range over first … last, and how many there are. */
export function within(range: Range, last: number, first = 1): { from: number; count: number } {
  const from = Math.max(Math.ceil(range.from ?? first), first)
  const to = Math.min(Math.floor(range.to ?? last), last)
  return { from, count: Math.max(to - from + 1, 0) }
}

/** The answer to an append that came too late (K2). */
export function conflict(stream: string, expected: number, last: number): DuramenError {
  return new DuramenError('CONFLICT', `The last record of ${stream} is ${last}, the append expected ${expected}`, {
    where: { stream, seq: last },
    hint: 'Read what was added, then decide again.',
  })
}

/** The answer to whoever reads a stream, or appends to it, whose key is gone. */
export function erased(stream: string): DuramenError {
  return new DuramenError('ERASED', `${stream} was erased: the key of its records is gone`, {
    where: { stream },
    hint: 'Nobody can read its records any more. Begin a new stream under another name.',
  })
}

/** The answer of a journal after close(). */
export function closed(): DuramenError {
  return new DuramenError('CLOSED', 'The journal is closed', { hint: 'Open it again.' })
}

function badName(stream: string): DuramenError | undefined {
  if (typeof stream === 'string' && stream !== '' && stream.length <= MAX_STREAM_LENGTH && wellFormed(stream)) {
    return undefined
  }
  return new DuramenError('BAD_ID', `A stream can't be named ${JSON.stringify(stream)?.slice(0, 80)}`, {
    hint: `Use 1 to ${MAX_STREAM_LENGTH} characters, without halves of surrogate pairs.`,
  })
}

function badTexts(stream: string, texts: readonly string[]): DuramenError | undefined {
  let length = 0
  for (const text of texts) {
    if (typeof text !== 'string') return bad(stream, `a text is of type ${typeof text}`, 'Encode it first.')
    if (!wellFormed(text)) {
      return new DuramenError('NOT_SERIALIZABLE', `A text for ${stream} holds half a surrogate pair`, {
        where: { stream },
        hint: 'Such a string has no UTF-8 form; JSON.stringify escapes it.',
      })
    }
    length += text.length
  }
  if (length <= MAX_APPEND_LENGTH) return undefined
  return bad(stream, `it holds ${length} characters`, `At most ${MAX_APPEND_LENGTH} are taken at once.`)
}

function bad(stream: string, what: string, hint: string): DuramenError {
  return new DuramenError('BAD_INPUT', `What was to be kept of ${stream} was refused: ${what}`, {
    where: { stream },
    hint,
  })
}

/** String.prototype.isWellFormed is in Node 20 but not in TypeScript's ES2023. */
function wellFormed(text: string): boolean {
  return (text as string & { isWellFormed(): boolean }).isWellFormed()
}
