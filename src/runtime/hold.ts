// Whether an instance is held: paused by an operator, or parked because somebody has to see to it. Every commit made
// meanwhile says so in its header, so that the last one alone tells it, before anything is loaded (K3).
import type { CommitHeader, Problem } from '../journal/records.ts'
import { DuramenError } from '../ports/errors.ts'

/** What holds an instance. */
export interface Hold {
  readonly held: 'paused' | 'parked'
  /** Why it is parked. */
  readonly problem?: Problem
}

/** What holds the instance whose last commit has this header. */
export function holdOf(header: CommitHeader | undefined): Hold | undefined {
  if (header?.held === undefined) return undefined
  const { held, problem } = header
  return { held, ...(problem && { problem }) }
}

export const PAUSED: Hold = { held: 'paused' }

/** An error as a header keeps it: its cause is left out. */
export function plainProblem({ code, message, retryable, where, hint }: DuramenError): Problem {
  return { code, message, retryable, where, ...(hint !== undefined && { hint }) } as Problem
}

/** The error that it was, but for its cause. */
export function problemOf({ code, message, retryable, where, hint }: Problem): DuramenError {
  return new DuramenError(code, message, { retryable, where, ...(hint !== undefined && { hint }) })
}
