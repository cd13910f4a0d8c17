// S4 What a start-up wants of its environment is set or checked before anything runs; what does not hold changes nothing, and
// no value of a variable is ever told: it may be a secret.
//
// Too late here is what is read while a process starts, as by malloc and by node: `duramen supervise` or the unit file set it.
import type { StandardSchemaV1 } from '@standard-schema/spec'
import { DuramenError } from '../../ports/errors.ts'
import { badOption, optionsGiven } from '../../ports/given.ts'
import type { Logger } from '../../ports/logger.ts'
import type { HostProcess } from '../../ports/process.ts'

/** What a start-up wants of the environment. */
export interface EnvironmentOptions {
  /** Variables that are set where they are not (S4); what is set already stays. Default: none. */
  env?: Readonly<Record<string, string>>
  /**
   * A Standard Schema over the whole environment, `env` included; a promise of it is waited for. It only checks: what it makes
   * of a value goes nowhere. Default: none.
   */
  schema?: StandardSchemaV1
}

/** Off in production, unless `env` names them. */
export const OFF_IN_PRODUCTION = ['AUTO_MIGRATE', 'DEBUG']
/** How variables say that they are off. */
const OFF = ['', '0', 'false', 'no', 'off']
/** Read when a process starts, and never again. */
const READ_AT_START = ['MALLOC_ARENA_MAX', 'MALLOC_TRIM_THRESHOLD_', 'NODE_OPTIONS']

/** Throws BAD_OPTION, with `env` as it was. */
export async function prepareEnvironment(
  env: HostProcess['env'],
  given: EnvironmentOptions | undefined,
  logger: Logger,
): Promise<void> {
  const options: EnvironmentOptions = optionsGiven('environment', given)
  const wanted = variablesOf(options.env)
  const set = Object.fromEntries(Object.entries(wanted).filter(([name]) => env[name] === undefined))
  const production = (env.NODE_ENV ?? set.NODE_ENV) === 'production'
  const forced = production ? OFF_IN_PRODUCTION.filter((name) => !Object.hasOwn(wanted, name)) : []
  const on = forced.filter((name) => isOn(env[name]))
  for (const name of on) set[name] = 'false'
  // not set means on to some; of DEBUG it means off to all, and 'false' means on to those who only look whether it is there
  if (forced.includes('AUTO_MIGRATE') && env.AUTO_MIGRATE === undefined) set.AUTO_MIGRATE = 'false'
  if (options.schema !== undefined) await assertFits(options.schema, { ...env, ...set })
  Object.assign(env, set)

  const late = READ_AT_START.filter((name) => Object.hasOwn(set, name))
  if (late.length > 0)
    logger.warn(
      `${late.join(', ')}: set too late for this process, which has started without; children get it. Start it with 'duramen supervise', or set it in the unit file`,
    )
  if (on.length > 0) logger.warn(`NODE_ENV is production: ${on.join(' and ')} switched off`)
}

/** Whether a variable says that something is on. */
export const isOn = (value: string | undefined) => value !== undefined && !OFF.includes(value.trim().toLowerCase())

function variablesOf(given: unknown): Record<string, string> {
  const variables = optionsGiven(
    'env',
    given as object | undefined,
    "Give names and texts: { TERM: 'xterm-256color' }.",
  )
  for (const [name, value] of Object.entries(variables)) {
    if (!/^[^=\0]+$/.test(name)) throw badOption('env', name, 'is no name of a variable', 'Leave out = and NUL.')
    if (typeof value !== 'string' || value.includes('\0'))
      throw badOption('env', name, 'has a value that is no text', `Give one in quotes: { ${name}: '1' }.`)
  }
  return { ...variables }
}

async function assertFits(schema: StandardSchemaV1, env: Record<string, unknown>): Promise<void> {
  const validate: unknown = (schema as Partial<StandardSchemaV1> | null)?.['~standard']?.validate
  if (typeof validate !== 'function')
    throw badOption('schema', schema, 'is no Standard Schema', 'Give one of zod, valibot, arktype and the like.')
  let issues: readonly StandardSchemaV1.Issue[] | undefined
  try {
    issues = (await schema['~standard'].validate(env)).issues
  } catch {
    // what it throws may hold a value
    throw badOption('schema', schema, 'threw', 'A schema says what is wrong by its issues; mend it so that it does.')
  }
  if (issues === undefined) return
  const wrong = issues.map(({ path: [first] = [] }) => {
    if (first === undefined) return 'the environment as a whole does not fit the schema'
    const name = String(typeof first === 'object' ? first.key : first)
    return `${name} ${env[name] === undefined ? 'is missing' : 'does not fit the schema'}`
  })
  throw new DuramenError('BAD_OPTION', `environment: ${[...new Set(wrong)].join(', ')}`, {
    hint: 'Set what is missing and mend the rest where the process is started.',
  })
}
