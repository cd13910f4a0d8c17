import { afterEach, beforeEach, expect } from 'vitest'
import {
  type DuramenError,
  type Host,
  type HostOptions,
  isDuramenError,
  type Logger,
  openHost,
} from '../../src/index.ts'
import { type Journal, memoryJournal } from '../../src/journal/index.ts'
import { type VirtualClock, virtualClock } from './clock.ts'
import { kept } from './journals.ts'

export const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {} }

/** A logger that remembers the messages. */
export function recording(): Logger & { lines: string[] } {
  const lines: string[] = []
  const take = (message: string) => void lines.push(message)
  return { lines, debug: take, info: take, warn: take, error: take }
}

/** Lets everything run that waits for nothing but its turn. */
export async function settle(turns = 6): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise<void>((resolve) => setImmediate(resolve))
}

export interface World {
  readonly journal: Journal
  readonly clock: VirtualClock
  open(machines: HostOptions['machines'], options?: Partial<HostOptions>): Promise<Host>
}

/** One journal and one clock, and hosts on them as many as one likes. */
export function world(): World {
  const journal = memoryJournal()
  const clock = virtualClock()
  return {
    journal,
    clock,
    open: (machines, options = {}) =>
      openHost({ journal: kept(journal), clock, logger: quiet, machines: machines ?? [], ...options }),
  }
}

/** The DuramenError that a promise rejects with. */
export async function refused(promise: Promise<unknown>): Promise<DuramenError> {
  const answer = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  )
  expect(answer, 'should have been refused').toHaveProperty('error')
  const { error } = answer as { error: unknown }
  expect(isDuramenError(error), `not a DuramenError: ${String(error)}`).toBe(true)
  return error as DuramenError
}

/** Whether a promise has settled by itself after everything ran that could. */
export async function isPending(promise: Promise<unknown>): Promise<boolean> {
  let pending = true
  const over = () => {
    pending = false
  }
  promise.then(over, over)
  await settle()
  return pending
}

/** Texts of all records of a stream. */
export async function texts(journal: Journal, stream: string): Promise<string[]> {
  const found: string[] = []
  for await (const record of journal.read(stream)) found.push(record.text)
  return found
}

/** Fails every test of the file after which a rejection was left unhandled. */
export function noUnhandledRejections(): void {
  const left: unknown[] = []
  const take = (reason: unknown) => void left.push(reason)
  beforeEach(() => {
    left.length = 0
    process.on('unhandledRejection', take)
  })
  afterEach(async () => {
    await settle()
    process.off('unhandledRejection', take)
    expect(left).toEqual([])
  })
}
