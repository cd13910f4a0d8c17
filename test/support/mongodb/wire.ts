// MongoDB's wire protocol, as far as the proxy of the tests looks into it: the frames of a connection, the command in an
// OP_MSG, and an answer to it. What else there is (the OP_QUERY of a first handshake) is passed on as it came.
import type { Readable } from 'node:stream'
import { BSON } from 'mongodb'

/** Of a header: length, number, the number it answers, kind; int32 each, little-endian. */
const HEADER = 16
const OP_MSG = 2013
const KIND_BODY = 0

/** Each message of a connection, whole. */
export async function* frames(socket: Readable): AsyncGenerator<Buffer> {
  let parts: Buffer[] = []
  let size = 0
  for await (const part of socket) {
    parts.push(part)
    size += part.length
    while (size >= 4) {
      if (parts[0]!.length < 4) parts = [Buffer.concat(parts)]
      const length = parts[0]!.readInt32LE(0)
      if (size < length) break
      const all = parts.length === 1 ? parts[0]! : Buffer.concat(parts)
      yield all.subarray(0, length)
      parts = [all.subarray(length)]
      size -= length
    }
  }
}

export const numberOf = (frame: Buffer) => frame.readInt32LE(4)
export const answersTo = (frame: Buffer) => frame.readInt32LE(8)

/** The document in an OP_MSG: a command (its name is its first key) or an answer. Without the documents beside it. */
export function bodyOf(frame: Buffer): BSON.Document | undefined {
  if (frame.readInt32LE(12) !== OP_MSG) return undefined
  let at = HEADER + 4
  while (at < frame.length) {
    const kind = frame[at]
    const length = frame.readInt32LE(at + 1)
    if (kind === KIND_BODY) return BSON.deserialize(frame.subarray(at + 1, at + 1 + length))
    at += 1 + length
  }
  return undefined
}

/** An OP_MSG with `body` in answer to the message of this number. */
export function answer(to: number, body: BSON.Document): Buffer {
  const document = BSON.serialize(body)
  const head = Buffer.alloc(HEADER + 5)
  head.writeInt32LE(head.length + document.length, 0)
  head.writeInt32LE(to, 8)
  head.writeInt32LE(OP_MSG, 12)
  head[HEADER + 4] = KIND_BODY
  return Buffer.concat([head, document])
}
