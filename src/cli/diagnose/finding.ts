// What a check has found: how it is, in one line, and what to do next.

export type Level = 'ok' | 'warn' | 'fail'

export interface Finding {
  /** Which check: `port`, `database` … */
  readonly check: string
  readonly level: Level
  /** What is so. Never a secret. */
  readonly what: string
  /** What to do, of what is not `ok`. */
  readonly next?: string
  /** Of what stands in a file. */
  readonly where?: { readonly file: string; readonly line?: number }
}

export const ok = (check: string, what: string): Finding => ({ check, level: 'ok', what })
export const warn = (check: string, what: string, next: string): Finding => ({ check, level: 'warn', what, next })
export const fail = (check: string, what: string, next: string): Finding => ({ check, level: 'fail', what, next })

/** The worst of them. */
export const worst = (findings: readonly Finding[]): Level =>
  (['fail', 'warn'] as const).find((level) => findings.some((finding) => finding.level === level)) ?? 'ok'
