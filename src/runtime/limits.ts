// K9: every limit is an option with a default.
import { checkCount } from '../ports/given.ts'

/** Limits of every instance of a host (K9). */
export interface Limits {
  /** Most events that wait for one instance; more are refused with MAILBOX_FULL. Default 10,000. */
  mailbox: number
  /** Most events of one instance that are decided ahead of the journal. Default 256. */
  pipeline: number
  /** How many event ids an instance remembers (K4). Default 1,000. */
  dedupe: number
  /** Most bytes of binary data in an event, input or result (K12). Default 4,096. */
  maxBinary: number
  /**
   * After how many commits an instance takes a snapshot, from which it can be loaded instead of from its first record; kept in
   * memory and, as a cache, in the journal. Default 64.
   */
  snapshotEvery: number
  /** Or after how many characters of records. Default 262,144. */
  snapshotSize: number
  /** Most instances in memory; above it idle ones leave, and come back on demand. Default 10,000. */
  maxActive: number
  /**
   * Most actions and promises that run at once on the host; the others wait in order. A promise that waits for another
   * instance keeps its slot meanwhile: leave more slots than there are such waits. Default 10,000.
   */
  maxEffects: number
  /** Most events between the actors of an instance within one transition. Default 10,000. */
  maxRelays: number
}

const DEFAULTS: Limits = {
  mailbox: 10_000,
  pipeline: 256,
  dedupe: 1000,
  maxBinary: 4096,
  maxRelays: 10_000,
  snapshotEvery: 64,
  snapshotSize: 262_144,
  maxActive: 10_000,
  maxEffects: 10_000,
}

/** Their names. */
export const LIMITS = Object.keys(DEFAULTS) as (keyof Limits)[]

/** The limits that the options set. Throws BAD_OPTION. */
export function limitsOf(options: Partial<Limits>): Limits {
  const limits = { ...DEFAULTS }
  for (const name of LIMITS) {
    const value = options[name] ?? DEFAULTS[name]
    limits[name] = checkCount(name, value, 'Leave it out for its default; docs/OPTIONS.md has all of them.')
  }
  return limits
}
