import type { Journal } from '../journal/port.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'
import type { Tally } from './counts.ts'
import type { Deliverer } from './deliver.ts'
import type { DurableMachine } from './durable.ts'
import type { Place } from './failures.ts'
import type { Instance } from './instance.ts'
import type { Limits } from './limits.ts'
import type { Tail } from './records-stream.ts'
import type { Rota } from './rota.ts'
import type { Slots } from './slots.ts'
import type { Timers } from './timers.ts'
import type { Telemetry } from './watching.ts'

/** The host, as an instance needs it. */
export interface InstanceHost {
  readonly journal: Journal
  readonly clock: Clock
  readonly logger: Logger
  readonly limits: Limits
  readonly timers: Timers
  readonly slots: Slots
  readonly tally: Tally
  /** Where OpenTelemetry is set up. */
  readonly telemetry: Telemetry | undefined
  /** Hears of every commit that is durable. */
  readonly tail: Tail
  /** Marks the host's own records (K2). */
  readonly name: string
  /** False once the host is closing. */
  readonly accepting: boolean
  /** The instance comes into memory: while the host closes, it is told so. */
  entered(instance: Instance): void
  /** Whose turn it is. */
  readonly rota: Rota
  /** The instance is asleep and has been given something. */
  wake(instance: Instance): void
  /** The registered machine with this id. */
  machine(id: string): DurableMachine | undefined
  /** Somebody listens to the instance now, or nobody any more. */
  listened(instance: Instance): void
  /** An operator has purged the instance: its id may be taken again. */
  purged(instance: Instance): void
  /** The instance of this stream can't be rebuilt. */
  broken(stream: string): boolean
  /** The instance has finished effects to record, or nothing left to do. */
  finished(instance: Instance): void
  /** When a delayed transition of the machine is due here, by its policy. */
  dueOf(machine: DurableMachine, timer: { at: number; due: number }): number
  deliver: Deliverer['deliver']
}

/** An instance, as its parts name it. */
export interface Identity {
  readonly host: InstanceHost
  readonly machine: DurableMachine
  readonly stream: string
  readonly where: Place
}
