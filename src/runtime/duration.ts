import ms from 'ms'
import { DuramenError } from '../ports/errors.ts'

/** Milliseconds, or a string with a unit: `'250ms'`, `'5s'`, `'2m'`, `'1h'`, `'7d'`. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`

/** A duration in milliseconds. Throws BAD_OPTION. */
export function milliseconds(duration: Duration, name: string): number {
  const value = typeof duration === 'number' ? duration : ms(duration as ms.StringValue)
  if (typeof value === 'number' && value >= 0) return value
  throw new DuramenError('BAD_OPTION', `${name}: ${String(duration)} is no duration`, {
    hint: "Use milliseconds as a number, or a string like '5s'.",
  })
}
