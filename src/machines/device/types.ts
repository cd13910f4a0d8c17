// The words of the device machine. Inputs and outputs of operations are none of them: they never enter the journal (D9).
import type { Access, DeviceIdentity } from '../../ports/device.ts'
import type { Backoff, Problem } from '../problems.ts'

/** An operation that was asked for and has not been answered. */
export interface Requested {
  /** Its key: the same for every attempt. */
  readonly id: string
  readonly op: string
  readonly repeatable: boolean
  /** How many attempts have failed. */
  readonly tries: number
}

/** The limits of a device as its machine keeps them, in ms where they are times. */
export interface DeviceSettings {
  readonly maxOperationsBeforeRefresh: number
  readonly deviceHealthThreshold: number
  readonly attempts: number
  readonly rungTries: number
  readonly rungBackoff: Backoff
  readonly unavailableBackoff: Backoff
}

/** What went wrong with a device, and when, ms since the epoch. */
export interface DeviceProblem extends Problem {
  readonly hint: string | null
  readonly at: number
}

/** What is kept of an operation that has succeeded (D9). */
export interface Done {
  readonly op: string
  readonly ms: number
  readonly size: number | null
  /** Lower-case hex SHA-256 of its data. */
  readonly sha256: string | null
}

/** How an attempt to connect has ended, where nothing went wrong with it. */
export type Connected =
  | { readonly state: 'connected'; readonly identity: DeviceIdentity }
  | { readonly state: 'absent' }
  | { readonly state: 'denied'; readonly access: Access }

/** What the machine of a device begins with. */
export interface DeviceInput {
  readonly name: string
  readonly settings: DeviceSettings
}

/** All that is known of a device. Times are ms since the epoch. */
export interface DeviceContext extends DeviceInput {
  readonly identity: DeviceIdentity | null
  /** In the order in which they are performed; the first is the one that is under way in `operating`. */
  readonly queue: readonly Requested[]
  /** Good operations since the connection was made or refreshed. */
  readonly sinceRefresh: number
  /** Good operations since the journal began. */
  readonly total: number
  readonly refreshes: number
  readonly recoveries: number
  /** Operations that the end of a process has cut off. */
  readonly interrupted: number
  /** When it was last known to work, by an operation, a probe or a connection, or was opened. */
  readonly goodAt: number
  readonly faultAt: number | null
  readonly last: Done | null
  readonly problem: DeviceProblem | null
  /** Which rung is next, and how often it has failed. */
  readonly rung: number
  readonly tries: number
  /** How often it has been given up since it last worked. */
  readonly givenUp: number
  /** How many operations were called off while they were performed, since the last good one or the last fault of that kind. */
  readonly calledOff: number
  readonly access: Access | null
}

/** What is sent to the machine of a device. */
export type DeviceEvent =
  /** A process takes the device over: nothing is open, nobody waits for an answer. */
  | { type: 'OPEN'; settings: DeviceSettings }
  | { type: 'REQUEST'; id: string; op: string; repeatable: boolean }
  | { type: 'CANCEL'; ids: readonly string[] }
  | { type: 'ATTACHED' }
  | { type: 'DETACHED' }
  | { type: 'ACCESS_LOST'; access: Access }
  /** Somebody has seen to it: try again at once. */
  | { type: 'RETRY' }
  | { type: 'CLOSE' }
