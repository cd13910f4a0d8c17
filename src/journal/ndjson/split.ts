// Bytes in pieces of any size, as lines. node:readline would not do: it also ends lines at U+2028, which JSON may hold.
//
// K9 no more than one line and one piece are in memory.
import { damagedExport } from './lines.ts'

const NEWLINE = 10
/** No line of an export is longer: a text of 64 Mi characters, each of them escaped. */
const MAX_LINE_BYTES = 2 ** 29

/** The lines, with their ends. Rejects with EXPORT_DAMAGED. */
export async function* linesOf(
  pieces: AsyncIterable<string | Uint8Array> | Iterable<string | Uint8Array>,
): AsyncGenerator<Buffer> {
  let number = 1
  let begun: Buffer[] = []
  let length = 0
  for await (const piece of pieces) {
    const bytes =
      typeof piece === 'string' ? Buffer.from(piece) : Buffer.from(piece.buffer, piece.byteOffset, piece.length)
    let start = 0
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
      begun.push(bytes.subarray(start, end + 1))
      yield begun.length === 1 ? begun[0]! : Buffer.concat(begun)
      begun = []
      length = 0
      start = end + 1
      number++
    }
    if (start === bytes.length) continue
    begun.push(bytes.subarray(start))
    length += bytes.length - start
    if (length > MAX_LINE_BYTES) throw damagedExport(number, `it has more than ${MAX_LINE_BYTES} bytes`)
  }
  if (length > 0) throw damagedExport(number, 'it is not whole: the export was cut')
}
