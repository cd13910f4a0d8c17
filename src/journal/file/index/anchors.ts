// Where some records are, so that a read from a position on need not begin with the first of a segment.

/** One record in so many has an anchor. */
const EVERY = 512

export class Anchors {
  readonly #positions: number[] = []
  readonly #offsets: number[] = []

  /** A record that comes behind all before. */
  note(position: number, offset: number): void {
    if (position - (this.#positions.at(-1) ?? 0) >= EVERY) this.add(position, offset)
  }

  add(position: number, offset: number): void {
    this.#positions.push(position)
    this.#offsets.push(offset)
  }

  /** The last that is not behind a position; undefined for none. */
  before(position: number): { position: number; offset: number } | undefined {
    const at = this.#firstAfter(position) - 1
    return at < 0 ? undefined : { position: this.#positions[at]!, offset: this.#offsets[at]! }
  }

  /** It leads nowhere any more. */
  remove(position: number): void {
    const at = this.#firstAfter(position) - 1
    if (this.#positions[at] !== position) return
    this.#positions.splice(at, 1)
    this.#offsets.splice(at, 1)
  }

  /** Position and offset of those from `first` to `last`, one after the other. */
  between(first: number, last: number): number[] {
    const found: number[] = []
    for (let at = this.#firstAfter(first - 1); this.#positions[at]! <= last; at++) {
      found.push(this.#positions[at]!, this.#offsets[at]!)
    }
    return found
  }

  #firstAfter(position: number): number {
    let low = 0
    let high = this.#positions.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#positions[middle]! <= position) low = middle + 1
      else high = middle
    }
    return low
  }
}
