// G1: a logger takes whatever it is given. It never throws, and never loses the message.
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { fileLogger } from './logs.ts'

/** Details as they come out in JSON. */
async function shown(details: unknown): Promise<Record<string, any>> {
  const { logger, objects } = await fileLogger({ format: 'json' })
  logger.info('message', details as object)
  const [{ level, time, pid, hostname, name, msg, ...rest } = {} as Record<string, any>] = await objects()
  expect(msg).toBe('message')
  return rest
}

it('G1: what no JSON can hold', async () => {
  class Point {
    x = 1
    #secret = 2
    sum() {
      return this.x + this.#secret
    }
  }
  const given = {
    big: 10n ** 30n,
    symbol: Symbol('s'),
    nan: Number.NaN,
    infinite: -Infinity,
    undefined: undefined,
    nothing: null,
    function: function named() {},
    date: new Date(0),
    noDate: new Date(Number.NaN),
    map: new Map<unknown, unknown>([
      ['a', 1],
      [{}, 2],
    ]),
    set: new Set([1, 'two']),
    regexp: /a+/g,
    url: new URL('https://ann:secret@example.org/x?token=abc'),
    point: new Point(),
    bare: Object.assign(Object.create(null), { a: 1 }),
    sparse: Array.from({ length: 2, 1: 3 }),
  }
  expect(await shown(given)).toEqual({
    big: '1000000000000000000000000000000',
    symbol: 'Symbol(s)',
    nan: 'NaN',
    infinite: '-Infinity',
    nothing: null,
    function: '[function named]',
    date: '1970-01-01T00:00:00.000Z',
    noDate: 'Invalid Date',
    map: { a: 1, '[object Object]': 2 },
    set: [1, 'two'],
    regexp: '/a+/g',
    url: 'https://ann:***@example.org/x?token=[redacted]',
    point: { x: 1 },
    bare: { a: 1 },
    sparse: [null, 3],
  })
})

it('G1: binary data is a size, also where it hides', async () => {
  const bytes = Buffer.alloc(1_234, 7)
  const given = {
    buffer: bytes,
    view: new Float64Array(4),
    raw: new ArrayBuffer(9),
    blob: new Blob(['abc']),
    asJson: bytes.toJSON(),
    numbers: [...bytes],
    base64: bytes.toString('base64'),
    url: `data:image/png;base64,${bytes.toString('base64')}`,
    few: [1, 2, 3],
  }
  expect(await shown(given)).toEqual({
    buffer: '[1234 bytes]',
    view: '[32 bytes]',
    raw: '[9 bytes]',
    blob: '[3 bytes]',
    asJson: '[1234 bytes]',
    numbers: '[1234 numbers]',
    base64: '[1648 characters]',
    url: '[data url]',
    few: [1, 2, 3],
  })
})

it('G1: what throws when it is looked at says so in its place, and the rest is there', async () => {
  const revoked = Proxy.revocable({}, {})
  revoked.revoke()
  const throws = () => {
    throw new Error('not for you')
  }
  const given = {
    get getter() {
      return throws()
    },
    keys: new Proxy({}, { ownKeys: throws }),
    everything: new Proxy({ a: 1 }, { get: throws, getPrototypeOf: throws, getOwnPropertyDescriptor: throws }),
    revoked: revoked.proxy,
    json: { toJSON: throws },
    text: { toString: throws, a: 1 },
    error: Object.defineProperties(new Error('kept'), { stack: { get: throws }, cause: { get: throws } }),
    after: 'kept',
  }
  const plain = await shown(given)
  expect(plain).toMatchObject({ after: 'kept', text: { a: 1 }, error: { message: 'kept' } })
  for (const name of ['getter', 'keys', 'everything', 'json']) expect(plain[name]).toContain("can't be read")
  expect(plain.revoked).toContain("can't be read")
})

it('G1: circles, and the same thing twice', async () => {
  const one: Record<string, unknown> = { a: 1 }
  const circle: Record<string, unknown> = { one, two: one }
  circle.self = circle
  const error: Error & { cause?: unknown } = new Error('of itself')
  error.cause = error
  expect(await shown({ circle, error })).toMatchObject({
    circle: { one: { a: 1 }, two: { a: 1 }, self: '[circular]' },
    error: { message: 'of itself', cause: '[circular]' },
  })
})

it('G1: how deep, how many, how long: all is bounded', async () => {
  let deep: unknown = 'bottom'
  for (let n = 0; n < 100_000; n++) deep = { deep }
  const wide = Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`k${n}`, n]))
  const plain = await shown({ deep, wide, list: new Array(10_000).fill('x') })
  expect(JSON.stringify(plain.deep)).toContain('{…}')
  expect(Object.keys(plain.wide).length).toBeLessThan(1_001)
  const long = await shown({ long: 'a b '.repeat(1_000_000), more: 'x' })
  expect(long.long).toMatch(/^(a b )+.{0,4}… \(4000000 characters\)$/)
  expect(long.long.length).toBeLessThan(66_000)
})

it('G1: what stands around a large data URL is there', async () => {
  const { logger, text } = await fileLogger()
  const picture = `data:image/png;base64,${Buffer.alloc(1_000_000).toString('base64')}`
  logger.info(`before ${picture} between ${picture} behind`)
  expect(await text()).toMatch(/ - before \[data url\] between \[data url\] behind\n$/)
})

it('G1: of a thousand long texts only so much is looked at as is shown', async () => {
  const list = Array.from({ length: 900 }, () => 'password=x '.repeat(800))
  const plain = await shown({ list })
  expect(plain.list.filter((one: string) => one.includes('redacted'))).toHaveLength(8)
  expect(plain.list.at(-1)).toBe('… (8800 characters)')
})

it('G1: a message of 10 MB is cut, and says how long it was', async () => {
  const { logger, text } = await fileLogger()
  logger.info('long '.repeat(2_000_000))
  expect((await text()).length).toBeLessThan(66_000)
  expect(await text()).toMatch(/… \(10000000 characters\)\n$/)
})

/** Whatever JavaScript has, also in errors, their causes and those that they hold. */
const anything = fc.letrec<{ any: unknown; error: Error }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 3 },
    fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withTypedArray: true,
      withNullPrototype: true,
      withSparseArray: true,
      withObjectString: true,
    }),
    tie('error'),
    fc.array(tie('any'), { maxLength: 3 }),
  ),
  error: fc.oneof(
    fc.tuple(fc.string(), tie('any')).map(([text, cause]) => new Error(text, { cause })),
    fc
      .tuple(fc.array(tie('any'), { maxLength: 3 }), fc.string())
      .map(([errors, text]) => new AggregateError(errors, text)),
    fc.tuple(fc.string(), fc.dictionary(fc.string(), tie('any'))).map(([text, own]) => {
      const error = new Error(text)
      for (const [name, value] of Object.entries(own)) Object.defineProperty(error, name, { value, enumerable: true })
      return error
    }),
  ),
})).any

it('G1: an AggregateError of undefined is a line like others', async () => {
  const { logger, text } = await fileLogger()
  logger.error('x', new AggregateError([undefined, null], 'all'))
  expect(await text()).toMatch(/ - ERROR - x\n {4}AggregateError: all\n(.*\n)* {4}- undefined\n {4}- null\n$/)
})

it('G1: whatever is given, as details or as the message, the line is there', async () => {
  for (const format of ['line', 'json'] as const) {
    const { logger, lines } = await fileLogger({ format })
    const any = logger as unknown as Record<'error', (...given: unknown[]) => void>
    let count = 0
    fc.assert(
      fc.property(anything, (value) => {
        any.error(`number ${count}`, value)
        any.error(value)
        count++
      }),
      { numRuns: 300 },
    )
    const found = (await lines()).flatMap((line) => /number (\d+)/.exec(line)?.[1] ?? [])
    expect(found.map(Number)).toEqual(Array.from({ length: count }, (_, n) => n))
    expect((await lines()).filter((line) => line.includes('was lost'))).toEqual([])
  }
})

it('G1: __proto__ and constructor are names like others', async () => {
  const given = JSON.parse('{"__proto__": {"a": 1}, "constructor": 2, "toString": 3}')
  const { logger, text } = await fileLogger({ format: 'json' })
  logger.info('message', given)
  logger.info('message', Object.assign(new Error('x'), { constructor: 2 }))
  expect(await text()).toContain('"__proto__":{"a":1},"constructor":2,"toString":3')
  expect(({} as Record<string, unknown>).a).toBeUndefined()
})
