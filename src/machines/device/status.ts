// D8 How a device is doing, at any moment, from its last commit.
import type { SnapshotFrom } from 'xstate'
import type { Access, DeviceIdentity } from '../../ports/device.ts'
import type { deviceMachine } from './machine.ts'
import type { DeviceProblem, Done } from './types.ts'

/** The states of a device; docs/DEVICE.md draws them. */
export type DeviceState = 'disconnected' | 'connecting' | 'online' | 'recovering' | 'denied' | 'unavailable' | 'closed'

/** How a device is doing. The first three are known to users by these names. */
export interface DeviceDiagnosis {
  /** Good operations since the connection was made or refreshed. */
  readonly operation_count: number
  /** A refresh is near: 80 % of the operations before it have been performed. */
  readonly last_maintenance: boolean
  readonly device_status: DeviceState
  /** What it does right now, where it is online. */
  readonly activity: 'idle' | 'operating' | 'probing' | 'refreshing' | null
  /** It is online, and for `deviceHealthThreshold` nothing went wrong (D3). */
  readonly healthy: boolean
  readonly operations_until_refresh: number
  /** Good operations, refreshes and recoveries since the journal began. */
  readonly operations_total: number
  readonly refreshes: number
  readonly recoveries: number
  /** Operations that the end of a process has cut off. */
  readonly interrupted: number
  readonly queue_length: number
  /** ms since the epoch: when the device was last known to work, or was opened. */
  readonly last_good: number
  readonly last_operation: Done | null
  readonly last_error: DeviceProblem | null
  /** Which device it is, while it is connected. */
  readonly identity: DeviceIdentity | null
  /** Why it may not be opened, while it is denied (D6). */
  readonly access: Access | null
}

/** From this part of the operations before a refresh on, `last_maintenance` is true. */
const NEAR = 0.8

export function diagnosisOf({ context, value }: SnapshotFrom<typeof deviceMachine>, now: number): DeviceDiagnosis {
  const state = stateOf(value)
  const { sinceRefresh, settings, faultAt } = context
  const { maxOperationsBeforeRefresh: limit, deviceHealthThreshold } = settings
  return {
    operation_count: sinceRefresh,
    last_maintenance: sinceRefresh >= limit * NEAR,
    device_status: state,
    activity: typeof value === 'object' && 'online' in value ? (value.online as DeviceDiagnosis['activity']) : null,
    healthy: state === 'online' && (faultAt === null || now - faultAt >= deviceHealthThreshold),
    operations_until_refresh: Math.max(0, limit - sinceRefresh),
    operations_total: context.total,
    refreshes: context.refreshes,
    recoveries: context.recoveries,
    interrupted: context.interrupted,
    queue_length: context.queue.length,
    last_good: context.goodAt,
    last_operation: context.last,
    last_error: context.problem,
    identity: state === 'online' ? context.identity : null,
    access: context.access,
  }
}

/** The name of a state, without what is inside it. */
export function stateOf(value: unknown): DeviceState {
  return (typeof value === 'string' ? value : Object.keys(value as object)[0]) as DeviceState
}
