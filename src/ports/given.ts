// What a caller gave, looked at before anything is done with it: in JavaScript it may be anything.
import { inspect, types } from 'node:util'
import { DuramenError, type ErrorPlace } from './errors.ts'

/** A value as an error names it, in a few words. */
export const shown = (value: unknown): string => inspect(value, { depth: 0 })

/** BAD_OPTION, named after the option. `wrong`: what is wrong with it, after its value; of a promise that it is one. */
export const badOption = (name: string, value: unknown, wrong: string, hint: string, where: ErrorPlace = {}) =>
  types.isPromise(value)
    ? new DuramenError('BAD_OPTION', `${name}: it is a promise`, { where, hint: `Await it. ${hint}` })
    : new DuramenError('BAD_OPTION', `${name}: ${shown(value)} ${wrong}`, { where, hint })

/** Options of a call; none where nothing was given. Throws BAD_OPTION. */
export function optionsGiven<T extends object>(
  name: string,
  options: T | null | undefined,
  hint = 'Leave it out, or give an object: { timeout: … }.',
): Partial<T> {
  if (options === undefined || options === null) return {}
  if (typeof options === 'object' && !Array.isArray(options)) return options
  throw badOption(name, options, 'is no object with options', hint)
}

/** Throws BAD_OPTION for a name that is no option, as of a misspelled one. */
export function assertNames(call: string, options: object, names: readonly string[]): void {
  for (const name of Object.keys(options))
    if (!names.includes(name))
      throw new DuramenError('BAD_OPTION', `${call}: '${name}' is no option`, {
        hint: `There are ${names.join(', ')}; docs/OPTIONS.md says what they mean.`,
      })
}

/** Throws BAD_OPTION where something is given and is no function. */
export function assertFunction(name: string, value: unknown, hint: string): void {
  if (typeof value !== 'function') throw badOption(name, value, 'is no function', hint)
}

/** Throws BAD_OPTION for what is no folder's name. */
export function assertPath(name: string, path: unknown): void {
  if (typeof path === 'string' && path !== '') return
  throw badOption(name, path, 'is no path of a folder', "Give one like './data'.")
}

/** The number. Throws BAD_OPTION for what is no whole number from 1; `hint`: what to give instead. */
export function checkCount(name: string, value: number, hint: string): number {
  if (Number.isSafeInteger(value) && value >= 1) return value
  throw badOption(name, value, 'is no whole number from 1', hint)
}

const hash = /^[0-9a-f]{64}$/

/** Whether it is a SHA-256 as we write them: 64 lower-case hex digits. */
export const isHash = (value: unknown): value is string => typeof value === 'string' && hash.test(value)

/** A key or hash that becomes a name in a store: whatever else it is must not. Throws BAD_INPUT. */
export function checkHash(what: string, value: unknown): string {
  if (isHash(value)) return value
  throw new DuramenError('BAD_INPUT', `The ${what} ${shown(value)} is no SHA-256`, {
    hint: 'Give 64 lower-case hex digits.',
  })
}
