// How a device is kept: what a caller gives, looked at, and what the machine and the desk make of it.
import { assertNames, badOption, checkCount, optionsGiven } from '../../ports/given.ts'
import { type Duration, milliseconds } from '../../runtime/duration.ts'
import type { DeviceSettings } from './types.ts'
import type { Pace } from './work.ts'

/** How a device is kept. */
export interface DeviceOptions {
  /** Name of the device on its host, and in its records. Default: the driver's name. */
  id?: string
  /** After so many good operations the connection is made anew, between two operations (D2). Default 50. */
  maxOperationsBeforeRefresh?: number
  /** After so long without a good operation the device is probed; so long without a fault, and it is `healthy` (D3). Default 300 s. */
  deviceHealthThreshold?: Duration
  /** How often an operation that is repeatable is tried (D4). Default 5. */
  attempts?: number
  /** How long an operation waits for a device that is not online before it is answered with an error (D4). Default 60 s. */
  patience?: Duration
  /** Most operations that wait; the next one is answered with QUEUE_FULL (D1). Default 64. */
  queue?: number
  /** How long a call of the driver may take that is no operation. Default 10 s. */
  callTimeout?: Duration
  /** The ladder of recovery (D5). Default: as below. */
  ladder?: {
    /** How often each rung is tried. Default 2. */
    tries?: number
    /** How long to wait after the first failure; doubled each time. Default 250 ms. */
    first?: Duration
    /** No wait is longer. Default 5 s. */
    max?: Duration
  }
  /** Once no rung has helped: how long to wait before all begins anew (D5). Default: as below. */
  unavailable?: {
    /** The first time; doubled each time. Default 30 s. */
    first?: Duration
    /** No wait is longer. Default 5 min. */
    max?: Duration
  }
  /** How often a device that is away, or may not be opened, is looked for (D6, D7). Default 2 s. */
  poll?: Duration
  /** How often the permissions of a device that is online are looked at (D6). Default 60 s. */
  accessEvery?: Duration
}

/** The same in numbers, with all defaults. */
export interface DeviceLimits {
  readonly settings: DeviceSettings
  readonly pace: Pace
  readonly queue: number
  readonly patience: number
  readonly callTimeout: number
}

/** Throws BAD_OPTION. */
export function limitsOf(options: DeviceOptions): DeviceLimits {
  const ladder: NonNullable<DeviceOptions['ladder']> = optionsGiven('ladder', options.ladder)
  const unavailable: NonNullable<DeviceOptions['unavailable']> = optionsGiven('unavailable', options.unavailable)
  assertNames('ladder', ladder, ['tries', 'first', 'max'])
  assertNames('unavailable', unavailable, ['first', 'max'])
  return {
    settings: {
      maxOperationsBeforeRefresh: count('maxOperationsBeforeRefresh', options.maxOperationsBeforeRefresh ?? 50),
      deviceHealthThreshold: positive('deviceHealthThreshold', options.deviceHealthThreshold ?? '300s'),
      attempts: count('attempts', options.attempts ?? 5),
      rungTries: count('ladder.tries', ladder.tries ?? 2),
      rungBackoff: {
        first: milliseconds(ladder.first ?? '250ms', 'ladder.first'),
        max: milliseconds(ladder.max ?? '5s', 'ladder.max'),
      },
      unavailableBackoff: {
        first: positive('unavailable.first', unavailable.first ?? '30s'),
        max: positive('unavailable.max', unavailable.max ?? '5m'),
      },
    },
    pace: {
      wait: positive('poll', options.poll ?? '2s'),
      access: positive('accessEvery', options.accessEvery ?? '60s'),
    },
    queue: count('queue', options.queue ?? 64),
    patience: milliseconds(options.patience ?? '60s', 'patience'),
    callTimeout: positive('callTimeout', options.callTimeout ?? '10s'),
  }
}

const count = (name: string, value: number): number => checkCount(name, value, 'Leave it out, or give one like 50.')

/** Zero would be without a pause. */
function positive(name: string, duration: Duration): number {
  const ms = milliseconds(duration, name)
  if (ms > 0) return ms
  throw badOption(name, duration, 'is no time', "Give one like '2s'.")
}
