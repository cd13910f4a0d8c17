// K3: while a transition runs, the time and chance that a machine may ask for come from the record, so that it replays
// exactly. Outside a transition they are the real ones. What keeps random bytes for later (nanoid, uuid, ObjectId have a
// store of them) can't be replayed, and is refused.
import nodeCrypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import { DuramenError } from '../ports/errors.ts'

let running = 0
let at = 0
let place: Place | undefined
let state: Uint32Array | undefined

/**
 * The record that chance is drawn from. The host is random for each process, so that two instances of the same name, of
 * different journals, don't draw the same ids.
 */
interface Place {
  readonly host?: string | undefined
  readonly stream: string
  readonly seq: number
}

/** Runs a synchronous function with time fixed at `time` and chance drawn from the place of its record. */
export function pinned<T>(time: number, source: Place, fn: () => T): T {
  const clock = globalThis.Date
  const { random } = Math
  const before = at
  const beforePlace = place
  const { constructor: dateConstructor } = dates
  const beforeState = state
  at = time
  place = source
  state = undefined
  running++
  globalThis.Date = PinnedDate
  Reflect.set(dates, 'constructor', PinnedDate) // `date.constructor === Date` is true in a transition too
  Math.random = pinnedRandom
  try {
    return fn()
  } finally {
    globalThis.Date = clock
    Reflect.set(dates, 'constructor', dateConstructor)
    Math.random = random
    at = before
    place = beforePlace
    state = beforeState
    running--
  }
}

const dates = Date.prototype

/** A machine may keep it, and use it outside of a transition. */
const PinnedDate = new Proxy(Date, {
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length === 0 && running > 0 ? [at] : args, newTarget),
  apply: (target) => (running > 0 ? new target(at).toString() : target()),
  get: (target, key, receiver) => (key === 'now' ? pinnedNow : Reflect.get(target, key, receiver)),
})
const realNow = Date.now
const pinnedNow = () => (running > 0 ? at : realNow())

/** A number of 32 bits: sfc32, its 128 bits of state made of the record's place at the first call. */
function next(): number {
  state ??= hash(place!)
  const [a, b, c, d] = state as unknown as [number, number, number, number]
  const t = (a + b + d) | 0
  state[0] = b ^ (b >>> 9)
  state[1] = c + (c << 3)
  state[2] = ((c << 21) | (c >>> 11)) + t
  state[3] = d + 1
  return t >>> 0
}

const hash = ({ host = '', stream, seq }: Place) =>
  new Uint32Array(new Uint8Array(nodeCrypto.createHash('sha256').update(`${host}/${stream}/${seq}`).digest()).buffer)

const pinnedRandom = () => next() / 4294967296

function pinnedUUID(): `${string}-${string}-${string}-${string}-${string}` {
  const bytes = new Uint8Array(Uint32Array.from({ length: 4 }, next).buffer)
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const hex = Buffer.from(bytes).toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

let installed = false

/** What is bound by name at import, or has no global to swap, is wrapped once and asks whether a transition runs. */
export function installPins(): void {
  if (installed) return
  installed = true
  pinClocks()
  pinCrypto()
}

function pinClocks(): void {
  const { hrtime } = process
  const now = performance.now.bind(performance)
  define(performance, 'now', () => (running > 0 ? at : now()))
  const { bigint } = hrtime
  const pinnedHrtime = (before?: [number, number]): [number, number] => {
    if (running === 0) return hrtime(before)
    const nanoseconds = BigInt(at) * 1_000_000n - (before ? BigInt(before[0]) * 1_000_000_000n + BigInt(before[1]) : 0n)
    return [Number(nanoseconds / 1_000_000_000n), Number(nanoseconds % 1_000_000_000n)]
  }
  process.hrtime = Object.assign(pinnedHrtime, { bigint: () => (running > 0 ? BigInt(at) * 1_000_000n : bigint()) })
  // without a date they ask for the time themselves
  const { prototype } = Intl.DateTimeFormat
  const format = Object.getOwnPropertyDescriptor(prototype, 'format')!.get!
  const { formatToParts } = prototype
  Object.defineProperty(prototype, 'format', {
    configurable: true,
    get(this: Intl.DateTimeFormat) {
      const own = format.call(this) as Intl.DateTimeFormat['format']
      return running > 0 ? (date?: Date | number) => own(date ?? at) : own
    },
  })
  define(prototype, 'formatToParts', function (this: Intl.DateTimeFormat, date?: Date | number) {
    return formatToParts.call(this, date ?? (running > 0 ? at : undefined))
  })
}

function pinCrypto(): void {
  const { randomUUID, randomInt } = nodeCrypto
  const uuid: typeof randomUUID = (options) => (running > 0 ? pinnedUUID() : randomUUID(options))
  nodeCrypto.randomUUID = uuid
  define(globalThis.crypto, 'randomUUID', uuid)
  nodeCrypto.randomInt = ((...args: [number, number?, unknown?]) => {
    if (running === 0 || typeof args.at(-1) === 'function') return randomInt(...(args as [number, number]))
    const [low, high] = typeof args[1] === 'number' ? [args[0], args[1]] : [0, args[0]]
    return low + Math.floor(pinnedRandom() * (high - low))
  }) as typeof randomInt
  refuse(nodeCrypto, 'randomBytes')
  refuse(nodeCrypto, 'randomFillSync')
  refuse(globalThis.crypto, 'getRandomValues')
  syncBuiltinESMExports()
}

function refuse<Name extends string>(object: { [N in Name]: (...args: never[]) => unknown }, name: Name): void {
  const real = object[name].bind(object) as (...args: unknown[]) => unknown
  define(object, name, (...args: unknown[]) => {
    if (running > 0) throw notReplayable(name)
    return real(...args)
  })
}

const define = (object: object, name: string, value: unknown) =>
  Object.defineProperty(object, name, { value, configurable: true, writable: true, enumerable: false })

const notReplayable = (name: string) =>
  new DuramenError(
    'BAD_MACHINE',
    `crypto.${name}() in a transition can't be replayed: use randomUUID() or Math.random(), which are kept with the record, or make the value in an action or an invoked promise, or send it with the event`,
  )
