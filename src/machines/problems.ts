// What machines say of what went wrong, and how long they wait then.
import { partOf } from '../ports/thrown.ts'

/** What went wrong, as data. */
export interface Problem {
  readonly code: string
  readonly message: string
}

/** How long to wait before something that failed is tried again: `first` ms, doubled each time up to `max` ms. */
export interface Backoff {
  readonly first: number
  readonly max: number
}

/** An error as data for the context and for messages. */
export function problemOf(error: unknown): Problem {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown }
  return { code: typeof code === 'string' ? code : 'FAILED', message: String(message ?? error) }
}

/** The same with what to do about it; null where it does not say. */
export const problemWithHint = (error: unknown): Problem & { readonly hint: string | null } => ({
  ...problemOf(error),
  hint: hintOf(error),
})

const hintOf = (error: unknown): string | null => {
  const hint = partOf(error, 'hint')
  return typeof hint === 'string' ? hint : null
}

/** Milliseconds before the next try, after `tries` failures in a row. */
export const backoff = ({ first, max }: Backoff, tries: number) => Math.min(max, first * 2 ** Math.max(0, tries - 1))

/** What an actor has come to, and what it has failed with, in XState's event of its end. */
export const outputOf = <T>(event: unknown) => (event as { output: T }).output
export const errorOf = (event: unknown) => (event as { error: unknown }).error

/** Stands for an actor that an adapter has to provide. */
export const unprovided = (name: string) => () => Promise.reject(new Error(`provide the actor '${name}'`))
