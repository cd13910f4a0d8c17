// The index: where each record is and which records a stream has. It is a cache of the log (K3), rebuilt when the
// journal is opened; this is the one module that an index on disk would replace.

/** What the index holds of one stream. */
export interface StreamPlaces {
  /** Position of each record; the seq of the last one is the length. */
  readonly positions: number[]
  /** The seq of its last record once the group that is being written is on disk. */
  claimed: number
}

const BLOCK = 1 << 16

/** Four bytes a record for its offset, eight for its position in its stream. */
export class Places {
  /** Position of the last committed record. */
  last = 0
  readonly #streams = new Map<string, StreamPlaces>()
  readonly #offsets: Uint32Array[] = []

  find(stream: string): StreamPlaces | undefined {
    return this.#streams.get(stream)
  }

  begin(name: string): StreamPlaces {
    const stream = { positions: [], claimed: 0 }
    this.#streams.set(name, stream)
    return stream
  }

  /** Takes back what was claimed for a stream and not committed. */
  disclaim(name: string, stream: StreamPlaces): void {
    stream.claimed = stream.positions.length
    if (stream.claimed === 0) this.#streams.delete(name)
  }

  /** Takes in the next record, which begins at that offset of the last segment. */
  add(stream: StreamPlaces, offset: number): void {
    const number = this.last++
    let block = this.#offsets[number >> 16]
    if (block === undefined) {
      block = new Uint32Array(BLOCK)
      this.#offsets.push(block)
    }
    block[number & (BLOCK - 1)] = offset
    stream.positions.push(this.last)
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
