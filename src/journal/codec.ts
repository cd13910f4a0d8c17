// Values to text and back. Plain JSON stays JSON and pays only for the walk that proves it plain; everything else that
// XState users put into events (Error, Map, Set, Date, BigInt, typed arrays, undefined, cycles) goes through devalue.
//
// K8: what can't be kept is refused with the path to it, before anything has changed.
// K12: binary data above a limit is refused: events carry references, sizes and hashes.
import { DevalueError, parse, stringify } from 'devalue'
import { DuramenError, isDuramenError } from '../ports/errors.ts'
import { textOf } from '../ports/thrown.ts'

/** A value as text, taken at the moment of `encode`: later changes of the value don't reach it. */
export interface Encoded {
  readonly format: 'json' | 'devalue'
  readonly text: string
  /** The value as `decode` would give it, nobody else's object: what is decided live is what a replay will see (K3). */
  readonly value: unknown
}

export interface EncodeOptions {
  /** What the value is called in errors, e.g. 'event'. */
  name: string
  /** What is one object in two places stays one. Default: only where the value is not plain JSON. */
  identity?: boolean
  /** Most bytes of binary data in the whole value; default 4,096. */
  maxBinary?: number
}

/** Turns a value into text. Throws NOT_SERIALIZABLE or BINARY_TOO_LARGE with the path inside the value. */
export function encode(value: unknown, options: EncodeOptions): Encoded {
  if (value === undefined) return { format: 'json', text: '', value }
  const copy = options.identity && shares(value) ? NOT_PLAIN : copyPlain(value)
  if (copy !== NOT_PLAIN) return { format: 'json', text: JSON.stringify(copy), value: copy }
  const limit = options.maxBinary ?? 4096
  let bytes = 0
  const sized = (v: unknown): false => {
    bytes += binarySize(v)
    if (bytes > limit)
      throw new DuramenError(
        'BINARY_TOO_LARGE',
        `${options.name} holds ${bytes} bytes of binary data, the limit is ${limit}`,
        {
          where: { path: options.name + (findBinary(value) ?? '') },
          hint: 'Keep the data in a file or a store and send its reference, size and hash; or raise the option maxBinary.',
        },
      )
    return false
  }
  try {
    const text = stringify(value, { [SIZED]: sized, ...reducers })
    return { format: 'devalue', text, value: parse(text, revivers) }
  } catch (cause) {
    if (isDuramenError(cause)) throw cause
    const path = cause instanceof DevalueError ? cause.path : ''
    const tooDeep = cause instanceof RangeError && cause.message.includes('call stack')
    const reason = tooDeep ? 'it is nested too deep' : textOf(cause)
    throw new DuramenError('NOT_SERIALIZABLE', `${options.name}${path} can't be kept: ${reason}`, {
      cause,
      where: { path: options.name + path },
      hint: 'Send plain data: objects, arrays, strings, numbers, Date, Map, Set, BigInt, Error, small typed arrays.',
    })
  }
}

/** The value of an encoded text, made anew at each call. */
export function decode(encoded: Omit<Encoded, 'value'>): unknown {
  if (encoded.text === '') return undefined
  return encoded.format === 'json' ? JSON.parse(encoded.text) : parse(encoded.text, revivers)
}

const NOT_PLAIN = Symbol('not plain')

/** Whether an object is in two places of a value. */
function shares(value: unknown, seen = new Set<unknown>()): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (seen.has(value)) return true
  seen.add(value)
  return Object.values(value).some((item) => shares(item, seen))
}

/** Nodes walked before a cycle is looked for; events are far smaller. */
const FEW = 10_000
/** Deeper values are left to devalue, which knows cycles. */
const MAX_DEPTH = 200
let left = 0

/** A copy of a value that JSON brings back just as it is; NOT_PLAIN for any other. */
function copyPlain(value: unknown): unknown {
  left = FEW
  const result = copy(value)
  if (result !== NOT_PLAIN || left >= 0) return result
  try {
    JSON.stringify(value) // throws on a cycle, which the walk would follow for ever
  } catch {
    return NOT_PLAIN
  }
  left = Number.POSITIVE_INFINITY
  return copy(value)
}

function copy(value: unknown, depth = 0): unknown {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0) ? value : NOT_PLAIN
    case 'object': {
      if (value === null) return value
      if (--left < 0 || depth > MAX_DEPTH) return NOT_PLAIN
      return Array.isArray(value)
        ? copyArray(value, depth + 1)
        : copyObject(value as Record<string, unknown>, depth + 1)
    }
    default:
      return NOT_PLAIN
  }
}

function copyArray(from: unknown[], depth: number): unknown {
  const to = new Array<unknown>(from.length)
  for (let i = 0; i < from.length; i++) {
    const item = copy(from[i], depth)
    if (item === NOT_PLAIN) return NOT_PLAIN
    to[i] = item
  }
  return to
}

function copyObject(from: Record<string, unknown>, depth: number): unknown {
  if (Object.getPrototypeOf(from) !== Object.prototype || Object.getOwnPropertySymbols(from).length > 0)
    return NOT_PLAIN
  const to: Record<string, unknown> = {}
  for (const key in from) {
    const item = copy(from[key], depth)
    if (item === NOT_PLAIN || key === 'toJSON') return NOT_PLAIN
    if (key === '__proto__')
      Object.defineProperty(to, key, { value: item, enumerable: true, configurable: true, writable: true })
    else to[key] = item
  }
  return to
}

const SIZED = 'binary-size'

function binarySize(v: unknown): number {
  if (ArrayBuffer.isView(v) || v instanceof ArrayBuffer) return v.byteLength
  return v instanceof Blob ? v.size : 0
}

/** The path of the first binary part, for the error only. */
function findBinary(value: unknown, depth = 0): string | undefined {
  if (binarySize(value) > 0) return ''
  if (typeof value !== 'object' || value === null || depth > 20) return undefined
  const entries: Iterable<[unknown, unknown]> =
    value instanceof Map ? value.entries() : value instanceof Set ? [...value].entries() : Object.entries(value)
  for (const [key, item] of entries) {
    const inner = findBinary(item, depth + 1)
    if (inner !== undefined) return `${Array.isArray(value) ? `[${String(key)}]` : `.${String(key)}`}${inner}`
  }
  return undefined
}

/** Errors keep name, message, stack, cause and their own properties; the class is kept for the standard ones. */
const reducers = {
  Error: (v: unknown) =>
    v instanceof Error
      ? {
          ...v,
          name: v.name,
          message: v.message,
          stack: v.stack,
          ...('cause' in v && v.cause !== v && { cause: v.cause }),
          ...(v instanceof AggregateError && { errors: v.errors }),
        }
      : undefined,
  // just the bytes that the view shows, not the whole buffer behind it
  View: (v: unknown) =>
    ArrayBuffer.isView(v)
      ? {
          type: Object.prototype.toString.call(v).slice(8, -1),
          base64: Buffer.from(v.buffer, v.byteOffset, v.byteLength).toString('base64'),
        }
      : undefined,
}

const standard: Record<string, ErrorConstructor> = {
  TypeError,
  RangeError,
  SyntaxError,
  ReferenceError,
  URIError,
  EvalError,
}

const revivers = {
  View: ({ type, base64 }: { type: string; base64: string }) => {
    const { buffer } = Uint8Array.from(Buffer.from(base64, 'base64'))
    return new (globalThis as unknown as Record<string, new (b: ArrayBuffer) => unknown>)[type]!(buffer)
  },
  Error: ({ name, message, stack, ...rest }: { name: string; message: string; stack?: string }) => {
    const error = new (standard[name] ?? Error)(message)
    for (const [key, value] of Object.entries({ name, stack, ...rest })) {
      const enumerable = key in rest && key !== 'cause'
      Object.defineProperty(error, key, { value, enumerable, configurable: true, writable: true })
    }
    return error
  },
}
