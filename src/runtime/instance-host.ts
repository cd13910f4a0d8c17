import type { Journal } from '../journal/port.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'
import type { Deliverer } from './deliver.ts'
import type { DurableMachine } from './durable.ts'
import type { Place } from './failures.ts'
import type { Instance } from './instance.ts'
import type { Timers } from './timers.ts'

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
  /** Most events between the actors of an instance within one transition. Default 10,000. */
  maxRelays: number
}

/** The host, as an instance needs it. */
export interface InstanceHost {
  readonly journal: Journal
  readonly clock: Clock
  readonly logger: Logger
  readonly limits: Limits
  readonly timers: Timers
  /** Marks the host's own records (K2). */
  readonly name: string
  /** False once the host is closing. */
  readonly accepting: boolean
  /** Calls `instance.flush()` at the end of this tick. */
  flushSoon(instance: Instance): void
  /** The instance has finished effects to record, or nothing left to do. */
  finished(instance: Instance): void
  deliver: Deliverer['deliver']
}

/** An instance, as its parts name it. */
export interface Identity {
  readonly host: InstanceHost
  readonly machine: DurableMachine
  readonly stream: string
  readonly where: Place
}
