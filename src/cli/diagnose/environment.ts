// S4 What must be set before a process starts, and what must be off in production.
import { isOn, OFF_IN_PRODUCTION } from '../../machines/startup/environment.ts'
import { type Finding, fail, ok } from './finding.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** What `duramen supervise` sets for its program, or a unit file. */
const SET_BEFORE = ['MALLOC_ARENA_MAX', 'MALLOC_TRIM_THRESHOLD_'] as const

/** `required`: names that must have a value; none of the values is shown. */
export function environmentFindings(env: Environment, required: readonly string[]): Finding[] {
  const missing = required.filter((name) => !env[name])
  const open = env.NODE_ENV === 'production' ? OFF_IN_PRODUCTION.filter((name) => isOn(env[name])) : []
  const findings: Finding[] = []
  if (missing.length > 0)
    findings.push(fail('environment', `not set: ${missing.join(', ')}`, 'set it where the program is started'))
  if (open.length > 0)
    findings.push(fail('environment', `on in production: ${open.join(', ')}`, 'leave it unset, or set it to false'))
  const later = SET_BEFORE.filter((name) => !env[name])
  if (findings.length === 0)
    findings.push(
      ok(
        'environment',
        later.length === 0 ? 'all is set' : `duramen supervise or the unit file sets ${later.join(' and ')}`,
      ),
    )
  return findings
}
