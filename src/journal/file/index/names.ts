// Names of streams as numbers, and a set of them that answers `no` for certain and `yes` perhaps.

/** 32 bits of a name. */
export function hashOf(name: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < name.length; at++) hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193)
  return mix(hash)
}

function mix(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}

/** Ten bits a name and six probes: one `yes` in a hundred is none. */
const BITS = 10
const PROBES = 6

export const bloomBytes = (names: number) => Math.ceil((names * BITS + 1) / 8)

export function bloomAdd(bloom: Uint8Array, hash: number): void {
  const bits = bloom.length * 8
  const step = mix(hash ^ 0x5bd1e995) | 1
  for (let probe = 0, at = hash; probe < PROBES; probe++, at = (at + step) >>> 0) {
    const bit = at % bits
    bloom[bit >>> 3]! |= 1 << (bit & 7)
  }
}

export function bloomHas(bloom: Uint8Array, hash: number): boolean {
  const bits = bloom.length * 8
  const step = mix(hash ^ 0x5bd1e995) | 1
  for (let probe = 0, at = hash; probe < PROBES; probe++, at = (at + step) >>> 0) {
    const bit = at % bits
    if ((bloom[bit >>> 3]! & (1 << (bit & 7))) === 0) return false
  }
  return true
}
