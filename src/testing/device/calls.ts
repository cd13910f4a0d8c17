// Calls of a driver as the suites make them.
import type { TaskEither } from 'fp-ts/lib/TaskEither.js'
import type { DuramenError } from '../../ports/errors.ts'
import { done } from '../images/results.ts'
import type { DeviceWorld } from './world.ts'

/** Nobody fires it. */
export const unhurried = (): AbortSignal => new AbortController().signal

export function perform(
  { driver, operation: { name, input } }: DeviceWorld,
  signal: AbortSignal = unhurried(),
): TaskEither<DuramenError, unknown> {
  return driver.perform(name, input, { key: 'contract', attempt: 1, signal })
}

export async function connected(world: DeviceWorld): Promise<DeviceWorld> {
  await done(world.driver.connect(unhurried()))
  return world
}
