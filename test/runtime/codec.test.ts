import { describe, expect, it } from 'vitest'
import type { DuramenError } from '../../src/index.ts'
import { decode, encode } from '../../src/journal/codec.ts'

const there = (value: unknown) => encode(value, { name: 'event' })
const back = (value: unknown) => decode(there(value)) as any

/** What `encode` refuses a value with. */
function refusal(value: unknown, maxBinary?: number): DuramenError {
  try {
    encode(value, { name: 'event', ...(maxBinary !== undefined && { maxBinary }) })
  } catch (error) {
    return error as DuramenError
  }
  throw new Error('was not refused')
}

describe('K3: what is decided live is what a replay will see', () => {
  const cycle: Record<string, unknown> = { at: new Date(1) }
  cycle.self = cycle
  const values: Record<string, unknown> = {
    'plain data': { a: [1, 'x', null, true, { b: {} }], c: '' },
    'undefined in an object': { a: undefined, b: [undefined, 1] },
    'holes in an array': Object.assign(new Array(4), { 2: 'x' }),
    'minus zero': { z: -0 },
    'NaN and infinities': [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
    bigint: { n: 2n ** 80n },
    dates: { at: new Date(5), never: new Date(Number.NaN) },
    'maps and sets, nested': new Map<unknown, unknown>([[{ k: 1 }, new Set([1, new Map([['x', undefined]])])]]),
    'regular expression': /a+/gi,
    url: new URL('https://example.org/?q=1'),
    'typed arrays': [new Uint8Array([1, 2]), new Float64Array([0.5]), new BigInt64Array([-1n])],
    'array buffer': new Uint8Array([1, 2, 3]).buffer,
    cycle,
    'lone surrogates': { '\ud800': '\udc00x' },
    'line separators and script': '\u2028\u2029</script>\0',
    'an object without prototype': Object.assign(Object.create(null), { a: 1 }),
    'a key that JSON would call': { toJSON: 'data' },
    'keys of numbers': { 2: 'b', 1: 'a' },
    'an empty key': { '': 1 },
    'strings like the format': ['[1]', '-1', 'j{}', '\n\n'],
    root: undefined,
  }
  it.each(Object.keys(values))('%s', (name) => {
    const value = values[name]
    const encoded = there(value)
    expect(decode(encoded)).toStrictEqual(value)
    expect(encoded.value).toStrictEqual(value)
    expect(encoded.text).not.toContain('\n')
  })

  it('a key named __proto__ stays a key', () => {
    const value = JSON.parse('{"__proto__":{"admin":true},"a":1}')
    for (const got of [back(value), there(value).value as any]) {
      expect(Object.keys(got)).toEqual(['__proto__', 'a'])
      expect(got.admin).toBeUndefined()
      expect(Object.getPrototypeOf(got)).toBe(Object.prototype)
    }
  })

  it('two places that hold one object still do, where the value is not plain', () => {
    const shared = { at: new Date(1) }
    const got = back({ a: shared, b: shared })
    expect(got.a).toBe(got.b)
  })

  it('an error with class, cause, stack and own properties', () => {
    const error = Object.assign(new TypeError('outer', { cause: new RangeError('inner') }), {
      code: 'E1',
      at: new Date(3),
    })
    const got = back({ error }).error
    expect(got).toBeInstanceOf(TypeError)
    expect(got).toMatchObject({ name: 'TypeError', message: 'outer', stack: error.stack, code: 'E1', at: new Date(3) })
    expect(got.cause).toBeInstanceOf(RangeError)
    expect(got.cause.message).toBe('inner')
    expect(Object.keys(got).sort()).toEqual(['at', 'code'])
  })

  it('an error of an own class keeps its name', () => {
    class Own extends Error {
      override name = 'Own'
    }
    expect(back(new Own('x'))).toMatchObject({ name: 'Own', message: 'x' })
  })

  it('nested a thousand deep', () => {
    let plain: unknown = 1
    let rich: unknown = new Date(1)
    for (let i = 0; i < 1000; i++) [plain, rich] = [{ in: plain }, [rich]]
    expect(JSON.stringify(back(plain))).toBe(JSON.stringify(plain))
    expect(JSON.stringify(back(rich))).toBe(JSON.stringify(rich))
  })

  it('plain data of more than 10,000 nodes stays JSON', () => {
    const value = Array.from({ length: 20_000 }, (_, i) => ({ i }))
    expect(there(value).format).toBe('json')
    expect(back(value)).toEqual(value)
  })

  it('a change after encoding does not reach what was encoded', () => {
    const plain = { list: [1] }
    const rich = { list: [new Date(1)] }
    const [a, b] = [there(plain), there(rich)]
    plain.list.push(2)
    rich.list.push(new Date(2))
    expect([a.value, decode(a)]).toEqual([{ list: [1] }, { list: [1] }])
    expect([b.value, decode(b)]).toEqual([{ list: [new Date(1)] }, { list: [new Date(1)] }])
  })

  it('each decoding makes a value of its own', () => {
    const encoded = there({ list: [1] })
    ;(decode(encoded) as any).list.push(2)
    expect(decode(encoded)).toEqual({ list: [1] })
  })
})

describe('K8: what cannot be kept is refused with its path', () => {
  class Own {
    a = 1
  }
  const cases: [string, unknown, string][] = [
    ['a function', { type: 'A', items: [{ fn() {} }] }, 'event.items[0].fn'],
    ['a symbol', { type: 'A', s: Symbol('x') }, 'event.s'],
    ['a symbol as key', { type: 'A', o: { [Symbol('x')]: 1 } }, 'event.o'],
    ['an instance of an own class', { type: 'A', own: { deep: new Own() } }, 'event.own.deep'],
    ['a promise', { type: 'A', p: Promise.resolve(1) }, 'event.p'],
    ['a weak map', { w: new WeakMap() }, 'event.w'],
    ['something in a map', { m: new Map([['k', { f() {} }]]) }, 'event.m.get("k").f'],
    ['a method named toJSON', { toJSON: () => 1 }, 'event.toJSON'],
  ]
  it.each(cases)('%s', (_name, value, path) => {
    expect(refusal(value)).toMatchObject({ name: 'DuramenError', code: 'NOT_SERIALIZABLE', where: { path } })
  })
})

describe('K12: binary data above the limit is refused, wherever it is', () => {
  const big = new Uint8Array(4097)
  const cases: [string, unknown, string][] = [
    ['in an object', { a: { b: big } }, 'event.a.b'],
    ['in an array', { a: [1, big] }, 'event.a[1]'],
    ['a buffer of Node', { b: Buffer.alloc(5000) }, 'event.b'],
    ['an array buffer', { b: big.buffer }, 'event.b'],
    ['a data view', { b: new DataView(big.buffer) }, 'event.b'],
    ['at the top', big, 'event'],
  ]
  it.each(cases)('%s', (_name, value, path) => {
    expect(refusal(value)).toMatchObject({ code: 'BINARY_TOO_LARGE', where: { path } })
  })

  it.each([
    ['in a map', { m: new Map([['k', big]]) }],
    ['as key of a map', { m: new Map([[big, 1]]) }],
    ['in a set', { s: new Set([big]) }],
    ['in an error', { e: Object.assign(new Error('x'), { body: big }) }],
    ['in the cause of an error', { e: new Error('x', { cause: { big } }) }],
    ['in many small parts', { parts: Array.from({ length: 50 }, () => new Uint8Array(100)) }],
  ])('%s', (_name, value) => {
    expect(refusal(value).code).toBe('BINARY_TOO_LARGE')
  })

  it('the limit can be set', () => {
    expect(back({ b: new Uint8Array(2048) }).b).toHaveLength(2048)
    expect(refusal({ b: new Uint8Array(11) }, 10).code).toBe('BINARY_TOO_LARGE')
  })

  it('of a small buffer of Node nothing but itself is kept, not the pool that it lies in', () => {
    const other = Buffer.from('a secret of somebody else')
    const text = there({ b: Buffer.from('abc') }).text
    expect(text.length).toBeLessThan(300)
    expect(text).not.toContain(other.toString('base64').slice(4, 20))
    expect(Buffer.from(back({ b: Buffer.from('abc') }).b).toString()).toBe('abc')
  })
})
