import { afterEach, beforeEach, expect } from 'vitest'
import { type DuramenError, type Host, type HostOptions, isDuramenError, openHost } from '../../src/index.ts'
import { type Journal, memoryJournal } from '../../src/journal/index.ts'
import type { Engine } from '../../src/runtime/engine.ts'
import { openTelemetry } from '../../src/runtime/telemetry.ts'
import { quietLogger, settle } from '../../src/testing/index.ts'
import { type VirtualClock, virtualClock } from './clock.ts'
import { kept } from './journals.ts'

export { recordingLogger as recording, settle } from '../../src/testing/index.ts'
export const quiet = quietLogger

await openTelemetry() // the first host would load its package, and tests count steps

/** Who steps in, in tests. */
export const by = { who: 'ann', why: 'a test' }

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

/** What a host is made of, for tests that count what is in memory. */
export const engineOf = (host: Host) => (host as unknown as { readonly engine: Engine }).engine

/** How many instances of a host are in memory. */
export const inMemory = (host: Host) => engineOf(host).instances.live.size

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
