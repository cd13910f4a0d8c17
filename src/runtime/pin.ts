// K3: while a transition runs, Date, Math.random and randomUUID answer from the record, so that a machine that asks for
// the time or for chance replays exactly. Outside a transition they are the real ones.
import nodeCrypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'

let at = 0
let seed = ''
let state: number | undefined

/** Runs a synchronous function with time fixed at `time` and chance drawn from `source`. */
export function pinned<T>(time: number, source: string, fn: () => T): T {
  const before = { Date: globalThis.Date, random: Math.random, at, seed, state }
  at = time
  seed = source
  state = undefined
  running++
  globalThis.Date = PinnedDate
  Math.random = pinnedRandom
  try {
    return fn()
  } finally {
    globalThis.Date = before.Date
    Math.random = before.random
    at = before.at
    seed = before.seed
    state = before.state
    running--
  }
}

let running = 0

const PinnedDate = new Proxy(Date, {
  construct: (target, args, newTarget) => Reflect.construct(target, args.length === 0 ? [at] : args, newTarget),
  apply: (target) => new target(at).toString(),
  get: (target, key, receiver) => (key === 'now' ? pinnedNow : Reflect.get(target, key, receiver)),
})
const pinnedNow = () => at

/** mulberry32, seeded by a hash of the record's place at the first call. */
function pinnedRandom(): number {
  if (state === undefined) {
    state = 2166136261
    for (let i = 0; i < seed.length; i++) state = Math.imul(state ^ seed.charCodeAt(i), 16777619)
  }
  state = (state + 0x6d2b79f5) | 0
  let t = Math.imul(state ^ (state >>> 15), 1 | state)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296
}

function pinnedUUID(): `${string}-${string}-${string}-${string}-${string}` {
  const bytes = Array.from({ length: 16 }, () => Math.floor(pinnedRandom() * 256))
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const hex = bytes.map((b) => b.toString(16).padStart(2, '0')).join('')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

let installed = false

/** randomUUID is bound by name at import, so it is wrapped once, not swapped for each transition. */
export function installPins(): void {
  if (installed) return
  installed = true
  const real = nodeCrypto.randomUUID
  const randomUUID: typeof real = (options) => (running > 0 ? pinnedUUID() : real(options))
  nodeCrypto.randomUUID = randomUUID
  syncBuiltinESMExports()
  Object.defineProperty(globalThis.crypto, 'randomUUID', { value: randomUUID, configurable: true, writable: true })
}
