// What the contract suite needs of a driver under test.
import { setTimeout as sleep } from 'node:timers/promises'
import type { DeviceDriver } from '../../ports/device.ts'

/** A device that is plugged in and works, and its driver, not connected yet. */
export interface DeviceWorld {
  readonly driver: DeviceDriver<any>
  /** An operation that is repeatable, and an input that is right. */
  readonly operation: { readonly name: string; readonly input?: unknown }
  /** From now on the operation fails, until the halt is cleared, or more. */
  halt(): Promise<void>
  /** From now on the device does not answer, until it is reset or more. */
  hang(): Promise<void>
  unplug(): Promise<void>
  /** Plugs the same device in again; it works. */
  plug(): Promise<void>
  /** Releases everything; called after each test. */
  dispose(): Promise<void>
}

/** Waits for what must come; rejects where it does not within ten seconds. */
export async function eventually(what: string, holds: () => boolean): Promise<void> {
  for (let tries = 0; !holds(); tries++) {
    if (tries === 500) throw new Error(`it has not come to pass: ${what}`)
    await sleep(20)
  }
}
