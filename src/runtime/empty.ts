// An instance has some twenty maps and sets, and most of them are empty most of the time. What holds nothing shares these,
// and makes its own with the first entry: `(this.timers = own(this.timers)).set(…)`.

function neverWritten(): never {
  throw new Error('it is shared by all that are empty')
}

export const NO_ENTRIES: Map<any, any> = Object.assign(new Map(), { set: neverWritten })
export const NO_ITEMS: Set<any> = Object.assign(new Set(), { add: neverWritten })

/** The map itself, or one of one's own instead of the shared one. */
export const own = <K, V>(map: Map<K, V>): Map<K, V> => (map === NO_ENTRIES ? new Map() : map)

/** The set itself, or one of one's own instead of the shared one. */
export const ownSet = <T>(set: Set<T>): Set<T> => (set === NO_ITEMS ? new Set() : set)
