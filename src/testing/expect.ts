// The few comparisons that the contract suites need, so that they run under any test runner.
import assert from 'node:assert/strict'
import { inspect, isDeepStrictEqual } from 'node:util'

interface Matchers<R> {
  /** The very same. */
  toBe(expected: unknown): R
  /** The same in all its parts. */
  toEqual(expected: unknown): R
  /** The same in the parts that are expected; objects may have more. */
  toMatchObject(expected: object): R
  toMatch(expected: RegExp): R
  toContain(expected: string): R
  toHaveLength(expected: number): R
  toBeGreaterThan(expected: number): R
  toBeDefined(): R
  toBeUndefined(): R
}

const matchers = (came: any): Matchers<void> => ({
  toBe: (expected) => assert.equal(came, expected),
  toEqual: (expected) => assert.deepEqual(came, expected),
  toMatchObject: (expected) => {
    if (!fits(came, expected)) differs(came, expected, 'to be like')
  },
  toMatch: (expected) => assert.match(came, expected),
  toContain: (expected) => {
    if (!came.includes(expected)) differs(came, expected, 'to contain')
  },
  toHaveLength: (expected) => assert.equal(came.length, expected),
  toBeGreaterThan: (expected) => {
    if (!(came > expected)) differs(came, expected, 'to be greater than')
  },
  toBeDefined: () => assert.notEqual(came, undefined),
  toBeUndefined: () => assert.equal(came, undefined),
})

/** What a promise rejects with. */
const rejection = (promise: Promise<unknown>) =>
  promise.then(
    (value) => differs(value, 'a rejection', 'to be'),
    (error: unknown) => error,
  )

/** A value that is to be compared. */
export const expect = (came: unknown) => ({
  ...matchers(came),
  rejects: {
    toMatchObject: async (expected: object) =>
      matchers(await rejection(came as Promise<unknown>)).toMatchObject(expected),
    toThrow: async () => void (await rejection(came as Promise<unknown>)),
  },
})

function fits(came: any, expected: any): boolean {
  if (typeof expected !== 'object' || expected === null || typeof came !== 'object' || came === null)
    return isDeepStrictEqual(came, expected)
  if (Array.isArray(expected) && came.length !== expected.length) return false
  return Object.keys(expected).every((key) => fits(came[key], expected[key]))
}

function differs(actual: unknown, expected: unknown, relation: string): never {
  throw new assert.AssertionError({
    message: `expected ${inspect(actual)} ${relation} ${inspect(expected)}`,
    actual,
    expected,
    operator: relation,
  })
}
