// What has failed for good on a host, for those who have to see to it.
import type { EffectRecord } from '../journal/records.ts'
import type { Instance } from './instance.ts'

/** An effect that has failed for good; its instance is parked. */
export interface DeadLetter {
  readonly machine: string
  readonly instance: string
  /** For `host.retry`, `skip` and `cancel`. */
  readonly key: string
  /** Name of the action or actor. */
  readonly src: string
  readonly kind: EffectRecord['kind']
  /** How many attempts were begun. */
  readonly attempts: number
  readonly error: { readonly name: string; readonly message: string; readonly code?: string | number }
  /** When it was given up, ms since the epoch. */
  readonly at: number
}

/** The dead letters of these instances, oldest first. */
export function deadLettersOf(instances: Iterable<Instance>): DeadLetter[] {
  const found: DeadLetter[] = []
  for (const { machine, id, runner } of instances)
    for (const [key, letter] of runner.dead)
      found.push({ machine: machine.id, instance: id, key: runner.fullKey(key), ...letter })
  return found.sort((a, b) => a.at - b.at)
}
