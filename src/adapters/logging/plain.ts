// Anything that somebody gave a logger, as plain data: without secrets, of bounded size, never throwing (G1). What can't be
// read (a getter that throws, a proxy that was revoked) says so in its place; the rest is kept.
import { types } from 'node:util'
import { partOf, textOf } from '../../ports/thrown.ts'
import { HIDDEN, type IsSecret, withoutDataUrls, withoutSecrets } from './secrets.ts'

/** How deep into objects a line looks. */
const DEPTH = 8
/** How many values it shows. */
const ENTRIES = 1_000
/** How many characters it looks at, of the message as of all details. Data URLs count for one word. */
const CHARACTERS = 65_536

/** What there is to tell of an error; the rest of its own properties stand beside. */
export class ErrorFacts {
  readonly type: string
  readonly message: string
  readonly stack: string;
  [more: string]: unknown

  constructor(type: string, message: string, stack: string) {
    this.type = type
    this.message = message
    this.stack = stack
  }
}

/** A text is cut so far behind what is kept before it is searched for secrets: one that the cut goes through is dropped with it. */
const MARGIN = 8_192
/** Properties of errors that are told in their own way. */
const OWN = new Set(['name', 'message', 'stack', 'cause', 'errors'])
/** So many numbers in a row are a picture or a template, not something to read. */
const NUMBERS = 64
/** So many characters in a row that are base64 are, too. */
const BASE64 = /^[\w+/-]{256,}={0,2}$/

/** One line's worth of values; each call uses up its limits. */
export class Plain {
  readonly #isSecret: IsSecret
  #entries = ENTRIES
  #characters = CHARACTERS

  constructor(isSecret: IsSecret) {
    this.#isSecret = isSecret
  }

  text(text: string): string {
    const room = this.#characters
    const cut = `… (${text.length} characters)`
    if (room <= 0) return text === '' ? '' : cut // before any search: a thousand long texts would take seconds
    const short = withoutDataUrls(text)
    this.#characters -= short.length
    if (short.length <= room) return withoutSecrets(short)
    const seen = short.slice(0, room + MARGIN)
    return withoutSecrets(seen).slice(0, -Math.min(MARGIN, seen.length - room)) + cut
  }

  /** What was given as details: an object of plain values, or several errors by name. */
  details(given: unknown): Record<string, unknown> {
    if (given === undefined || given === null) return {}
    if (isError(given)) return { err: this.#value(given, []) }
    const value = this.#value(given, [])
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : { details: value }
  }

  #value(value: unknown, above: readonly object[]): unknown {
    if (this.#entries-- <= 0) return '…'
    try {
      switch (typeof value) {
        case 'string':
          return this.#string(value)
        case 'number':
          return Number.isFinite(value) ? value : String(value)
        case 'boolean':
        case 'undefined':
          return value
        case 'object':
          return value === null ? null : this.#object(value, above)
        case 'function':
          return `[function ${this.text(String(partOf(value, 'name')))}]`
        default:
          return this.text(String(value)) // bigint, symbol
      }
    } catch (error) {
      return `[can't be read: ${this.text(textOf(error))}]`
    }
  }

  #string(value: string): string {
    if (BASE64.test(value.slice(0, 1_024)) && value.length > 256) return `[${value.length} characters]`
    return this.text(value)
  }

  #object(value: object, above: readonly object[]): unknown {
    if (above.includes(value)) return '[circular]'
    if (above.length >= DEPTH) return Array.isArray(value) ? '[…]' : '{…}'
    const size = bytesOf(value)
    if (size !== undefined) return `[${size} bytes]`
    const inside = [...above, value]
    if (isError(value)) return this.#error(value, inside)
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString()
    if (value instanceof RegExp) return this.text(String(value))
    if (value instanceof Map || value instanceof Headers || value instanceof URLSearchParams)
      return this.#pairs(value.entries(), inside)
    if (value instanceof Set) return this.#list(value, inside)
    if (Array.isArray(value)) return isNumbers(value) ? `[${value.length} numbers]` : this.#list(value, inside)
    const toJSON = partOf(value, 'toJSON')
    if (typeof toJSON === 'function') return this.#value(toJSON.call(value), inside)
    return this.#pairs(properties(value), inside)
  }

  #list(values: Iterable<unknown>, above: readonly object[]): unknown[] {
    const list: unknown[] = []
    for (const value of values) {
      if (this.#entries <= 0) {
        list.push('…')
        break
      }
      list.push(this.#value(value, above))
    }
    return list
  }

  #pairs(pairs: Iterable<[unknown, unknown]>, above: readonly object[]): Record<string, unknown> {
    const plain: Record<string, unknown> = Object.create(null)
    for (const [key, value] of pairs) {
      if (this.#entries <= 0) {
        plain['…'] = '…'
        break
      }
      const name = textOf(key)
      plain[this.text(name)] = this.#named(name, value, above)
    }
    return plain
  }

  #named(name: string, value: unknown, above: readonly object[]): unknown {
    if (value === undefined || value === null || typeof value === 'boolean') return value
    return this.#isSecret(name, value) ? HIDDEN : this.#value(value, above)
  }

  #error(error: Error, above: readonly object[]): ErrorFacts {
    const type = this.text(textOf(partOf(error, 'name') ?? 'Error'))
    const message = this.text(textOf(error))
    const stack = partOf(error, 'stack')
    const facts = new ErrorFacts(
      type,
      message,
      typeof stack === 'string' && stack ? this.text(stack) : `${type}: ${message}`,
    )
    for (const [key, value] of properties(error))
      if (!OWN.has(key)) facts[key in facts ? `${key}_` : this.text(key)] = this.#named(key, value, above)
    const cause = partOf(error, 'cause')
    if (cause !== undefined) facts.cause = this.#value(cause, above)
    const errors = partOf(error, 'errors')
    if (Array.isArray(errors)) facts.errors = this.#list(errors, above)
    return facts
  }
}

/** An error of any realm. */
const isError = (value: unknown): value is Error => {
  try {
    return value instanceof Error || types.isNativeError(value)
  } catch {
    return false
  }
}

/** Own properties; one that can't be read has the reason as its value. */
function* properties(value: object): Generator<[string, unknown]> {
  for (const key of Object.keys(value)) {
    try {
      yield [key, (value as Record<string, unknown>)[key]]
    } catch (error) {
      yield [key, `[can't be read: ${textOf(error)}]`]
    }
  }
}

/** How large binary data is, also as JSON has it; undefined of anything else. */
function bytesOf(value: object): number | undefined {
  if (ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value)) return value.byteLength
  if (value instanceof Blob) return value.size
  const data = partOf(value, 'data')
  return partOf(value, 'type') === 'Buffer' && Array.isArray(data) ? data.length : undefined
}

const isNumbers = (values: readonly unknown[]) =>
  values.length >= NUMBERS && values.slice(0, NUMBERS).every((value) => typeof value === 'number')
