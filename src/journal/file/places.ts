// The index: where each record is and which records a stream has. It is a cache of the log (K3), rebuilt when the
// journal is opened; this is the one module that an index on disk would replace.

/** What the index holds of one stream. */
export interface StreamPlaces {
  /** How many records were dropped from its beginning. */
  trimmed: number
  /** Position of each record behind those. Replaced by a trim, so that a reader keeps what it began with. */
  positions: number[]
  /** The seq of its last record once the group that is being written is on disk. */
  claimed: number
}

const BLOCK = 1 << 16

/** The seq of the last record of a stream. */
export function lastSeq({ trimmed, positions }: StreamPlaces): number {
  return trimmed + positions.length
}

/** Four bytes a record for its offset, eight for its position in its stream; a bit more where there were trims. */
export class Places {
  /** Position of the last committed frame. */
  last = 0
  readonly #streams = new Map<string, StreamPlaces>()
  readonly #offsets: Uint32Array[] = []
  /** A bit for each position that is read no more; a block has none before the first such. */
  readonly #gone: (Uint8Array | undefined)[] = []

  find(stream: string): StreamPlaces | undefined {
    return this.#streams.get(stream)
  }

  begin(name: string): StreamPlaces {
    const stream = { trimmed: 0, positions: [], claimed: 0 }
    this.#streams.set(name, stream)
    return stream
  }

  /** Takes back what was claimed for a stream and not committed. */
  disclaim(name: string, stream: StreamPlaces): void {
    stream.claimed = lastSeq(stream)
    if (stream.claimed === 0) this.#streams.delete(name)
  }

  /** Takes in the next record, which begins at that offset of the last segment. */
  add(stream: StreamPlaces, offset: number): void {
    this.#place(offset)
    stream.positions.push(this.last)
  }

  /** Takes in the next frame, which is a trim: the records of the stream before that seq are read no more. */
  trim(stream: StreamPlaces, offset: number, before: number): void {
    this.#place(offset)
    this.#drop(this.last)
    const count = before - 1 - stream.trimmed
    if (count <= 0) return
    for (let index = 0; index < count; index++) this.#drop(stream.positions[index]!)
    stream.positions = stream.positions.slice(count)
    stream.trimmed = before - 1
  }

  /** Whether a committed record is still read. */
  kept(position: number): boolean {
    const number = position - 1
    const block = this.#gone[Math.floor(number / BLOCK)]
    if (block === undefined) return true
    const bit = number % BLOCK
    return (block[bit >> 3]! & (1 << (bit & 7))) === 0
  }

  #drop(position: number): void {
    const number = position - 1
    const at = Math.floor(number / BLOCK)
    const block = this.#gone[at] ?? new Uint8Array(BLOCK / 8)
    this.#gone[at] = block
    const bit = number % BLOCK
    block[bit >> 3]! |= 1 << (bit & 7)
  }

  #place(offset: number): void {
    const number = this.last++
    let block = this.#offsets[number >> 16]
    if (block === undefined) {
      block = new Uint32Array(BLOCK)
      this.#offsets.push(block)
    }
    block[number & (BLOCK - 1)] = offset
  }

  /** The offset of a committed record in its segment. */
  offset(position: number): number {
    const number = position - 1
    return this.#offsets[Math.floor(number / BLOCK)]![number % BLOCK]!
  }

  /** The position of every stream's last record, ascending. */
  heads(): Float64Array {
    const heads = new Float64Array(this.#streams.size)
    let count = 0
    for (const { positions } of this.#streams.values()) {
      const last = positions.at(-1)
      if (last !== undefined) heads[count++] = last
    }
    return heads.subarray(0, count).sort()
  }
}
