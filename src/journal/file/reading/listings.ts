// Lists of places that reads under way still go through. What they name is not given up meanwhile (reclaim.ts): the reader
// of a place could not say which stream to look at again.
import { HEAD } from '../index/places.ts'

/** Heads by position, as the index lists them. */
type Listing = Promise<readonly number[]>

export class Listings {
  readonly #underWay = new Set<Listing>()

  /** Whoever reads it calls `end` when that is over. */
  begin(listing: Listing): void {
    this.#underWay.add(listing)
  }

  end(listing: Listing): void {
    this.#underWay.delete(listing)
  }

  /** Whether a position is named by one of those that have begun. */
  async positions(): Promise<(position: number) => boolean> {
    const made = await Promise.allSettled(this.#underWay)
    const lists = made.flatMap((list) => (list.status === 'fulfilled' ? [list.value] : []))
    return (position) => lists.some((places) => has(places, position))
  }
}

function has(places: readonly number[], position: number): boolean {
  let low = 0
  let high = places.length / HEAD
  while (low < high) {
    const middle = (low + high) >>> 1
    if (places[middle * HEAD]! < position) low = middle + 1
    else high = middle
  }
  return places[low * HEAD] === position
}
