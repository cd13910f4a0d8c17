// What a run of the index holds of one stream, as bytes:
// u32 hash of the name | u16 its bytes | u8 flags | u8 0 | f64 first seq | f64 trimmed | f64 due | f64 first place
// u32 records | name
import type { Urgency } from '../../records.ts'

/** What a run holds of one stream. What it asks for counts where it has a record. */
export interface Entry extends Urgency {
  readonly name: string
  readonly hash: number
  /** The seq of its first record here. */
  readonly first: number
  /** How many follow from there; may be none, where it was only trimmed. */
  readonly count: number
  /** So many records were dropped from the stream's beginning, as far as is known here. */
  readonly trimmed: number
  /** Number of its first place in the file. */
  readonly at: number
}

export const HASH_BYTES = 4
const ENTRY_BYTES = 44
const PENDING = 1
const PURGED = 2

/** Whether a host that opens must look at it. */
export function mustLook({ pending, purged, first, count, trimmed }: Entry): boolean {
  return pending || (purged && trimmed < first + count - 2)
}

/** Room that is enough. */
export const entryRoom = (name: string) => ENTRY_BYTES + name.length * 3

/** Returns where it ends. */
export function encodeEntry(buffer: Buffer, at: number, entry: Entry): number {
  const bytes = buffer.write(entry.name, at + ENTRY_BYTES)
  buffer.writeUInt32LE(entry.hash, at)
  buffer.writeUInt16LE(bytes, at + 4)
  buffer[at + 6] = (entry.pending ? PENDING : 0) | (entry.purged ? PURGED : 0)
  buffer[at + 7] = 0
  buffer.writeDoubleLE(entry.first, at + 8)
  buffer.writeDoubleLE(entry.trimmed, at + 16)
  buffer.writeDoubleLE(entry.due, at + 24)
  buffer.writeDoubleLE(entry.at, at + 32)
  buffer.writeUInt32LE(entry.count, at + 40)
  return at + ENTRY_BYTES + bytes
}

export function entryEnd(buffer: Buffer, at: number): number {
  return at + ENTRY_BYTES + buffer.readUInt16LE(at + 4)
}

export function decodeEntry(buffer: Buffer, at: number): Entry {
  const flags = buffer[at + 6]!
  return {
    name: buffer.toString('utf8', at + ENTRY_BYTES, entryEnd(buffer, at)),
    hash: buffer.readUInt32LE(at),
    first: buffer.readDoubleLE(at + 8),
    trimmed: buffer.readDoubleLE(at + 16),
    due: buffer.readDoubleLE(at + 24),
    at: buffer.readDoubleLE(at + 32),
    count: buffer.readUInt32LE(at + 40),
    pending: (flags & PENDING) !== 0,
    purged: (flags & PURGED) !== 0,
  }
}
