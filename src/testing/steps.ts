// What can happen to a machine in given/when/then: an event, time that goes by, what comes of its work.
import type { EventObject } from 'xstate'
import type { Duration } from '../runtime/duration.ts'

/** What is no event: made by `after`, `resolved`, `rejected` and `sent`. */
export class Happening {
  readonly kind: 'after' | 'resolved' | 'rejected' | 'sent'
  /** Whose result it is. */
  readonly src: string
  /** The output, error, event or value; of `after`, the duration. */
  readonly value: unknown

  /** @internal */
  constructor(kind: Happening['kind'], src: string, value: unknown) {
    this.kind = kind
    this.src = src
    this.value = value
  }
}

/** Time goes by, ms or `'5s'`; what falls due on the way happens. */
export const after = (duration: Duration): Happening => new Happening('after', '', duration)

/**
 * A promise gives its output; an observable ends. `src`: the name of its actor in the machine, or the id of its invoke; of
 * several the one that was started first.
 */
export const resolved = (src: string, output?: unknown): Happening => new Happening('resolved', src, output)

/** A promise or an observable fails. `src` as in `resolved`. */
export const rejected = (src: string, error: unknown): Happening => new Happening('rejected', src, error)

/** A callback sends an event to its parent; an observable gives a value. `src` as in `resolved`. */
export const sent = (src: string, value: unknown): Happening => new Happening('sent', src, value)

/** A step in a few words. */
export function nameOfStep(step: EventObject | Happening): string {
  if (!(step instanceof Happening)) return step.type
  if (step.kind !== 'after') return `${step.kind} '${step.src}'`
  return `after ${typeof step.value === 'number' ? `${step.value} ms` : step.value}`
}
