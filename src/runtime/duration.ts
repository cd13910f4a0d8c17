import ms from 'ms'
import { badOption } from '../ports/given.ts'

/** Milliseconds, or a string with a unit: `'250ms'`, `'5s'`, `'2m'`, `'1h'`, `'7d'`. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`

/** A duration in milliseconds. Throws BAD_OPTION. */
export function milliseconds(duration: Duration, name: string): number {
  const value = typeof duration === 'string' ? inMilliseconds(duration) : duration
  if (typeof value === 'number' && value >= 0) return value
  throw badOption(name, duration, 'is no duration', "Use milliseconds as a number, or a string like '5s'.")
}

/** `ms` throws for what is empty or long. */
function inMilliseconds(text: string): number | undefined {
  try {
    return ms(text as ms.StringValue)
  } catch {
    return undefined
  }
}
