import { inspect } from 'node:util'
import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { AnyStateMachine, EventFromLogic, SnapshotFrom } from 'xstate'
import { DuramenError } from '../ports/errors.ts'
import { assertFunction, assertNames, badOption, optionsGiven, shown } from '../ports/given.ts'
import { type Policies, policiesOf, type RetryPolicy } from './retry.ts'
import type { StandIn } from './turn.ts'
import { assertCanRun, cantRun } from './validate.ts'

/** Settings of a durable machine. */
export interface DurableOptions<TMachine extends AnyStateMachine = AnyStateMachine> {
  /** Name under which its instances are kept. Default: the machine's own id. No slash, no leading dollar. */
  id?: string
  /** Version of the machine, kept with every commit. Default 1. */
  version?: number
  /** Schemas (any Standard Schema library, synchronous) by event type; an event that fails its own is refused (K8). Default: none. */
  events?: { readonly [Type in EventFromLogic<TMachine>['type']]?: StandardSchemaV1 }
  /**
   * What it means for delayed transitions that no host runs (K6, docs/TIMERS.md). `absolute`: nothing, they fire when they
   * are due or at the next opening. `resume`: that time does not count. `restart`: each opening begins the delay anew.
   * Default `absolute`.
   */
  timers?: 'absolute' | 'resume' | 'restart'
  /**
   * What is done when an effect fails, is slow or one of too many: by name of the action or actor, `'*'` for all actions and
   * promises without a policy of their own. Default: none, one attempt as in XState.
   */
  retry?: Readonly<Record<string, RetryPolicy>>
  /** Small facts for `host.list`, computed at every commit; plain JSON. Default: none. */
  attributes?: (snapshot: SnapshotFrom<TMachine>) => Record<string, unknown>
}

/** A machine that hosts can run; made by `durable`. */
export interface DurableMachine<TMachine extends AnyStateMachine = AnyStateMachine> {
  readonly id: string
  readonly version: number
  readonly machine: TMachine
  readonly options: DurableOptions<TMachine>
  /** @internal Set by given/when/then of duramen/testing. */
  readonly standIn?: StandIn
  /** @internal The policies of `retry`. */
  readonly policies: Policies
  /** @internal Set by `slotless`: promises that take no slot. */
  readonly slotless?: ReadonlySet<string>
}

/**
 * @internal The same machine, whose promises of these names take no slot of `maxEffects`: they wait for other instances, which
 * need the slots to come to their end.
 */
export const slotless = <TMachine extends AnyStateMachine>(
  machine: DurableMachine<TMachine>,
  ...names: string[]
): DurableMachine<TMachine> => ({ ...machine, slotless: new Set(names) })

/**
 * Makes an XState 5 machine durable. The machine itself stays as it is and still runs under `createActor`.
 *
 * Throws BAD_MACHINE when something in it can't run durable: a missing action, guard, actor or delay, `spawnChild` without
 * an id or with inline logic, actions named `xstate.*`, logic with a `start` of its own, a machine of another copy of
 * XState, a policy for what is not there. The error names each place and what to do.
 */
export function durable<TMachine extends AnyStateMachine>(
  machine: TMachine,
  given?: DurableOptions<TMachine>,
): DurableMachine<TMachine> {
  const options: DurableOptions<TMachine> = optionsGiven('durable', given)
  assertNames('durable', options, ['id', 'version', 'events', 'timers', 'retry', 'attributes'])
  if (typeof machine !== 'object' || machine === null || !('implementations' in machine))
    throw new DuramenError('BAD_MACHINE', `${inspect(machine, { depth: 0 })} is no XState machine`, {
      hint: 'Give what createMachine() or setup().createMachine() made.',
    })
  const id = options.id ?? (machine.id === UNNAMED ? '' : machine.id)
  const version = options.version ?? 1
  if (typeof id !== 'string' || !/^[^$/\s\p{Cc}][^/\p{Cc}]{0,199}$/u.test(id))
    throw new DuramenError('BAD_MACHINE', `${shown(id)} can't be the id of a durable machine`, {
      where: { machine: id },
      hint: 'Give the machine an id, or durable(machine, { id }): 1 to 200 characters without slash and control characters, not beginning with a dollar.',
    })
  if (!Number.isSafeInteger(version) || version < 1)
    throw new DuramenError('BAD_MACHINE', `version ${inspect(version)} of machine '${id}' is no whole number from 1`, {
      where: { machine: id },
      hint: 'Count versions from 1; leave it out for the first.',
    })
  if (options.timers !== undefined && !['absolute', 'resume', 'restart'].includes(options.timers))
    throw badOption('timers', options.timers, 'is none of absolute, resume, restart', 'See docs/TIMERS.md.', {
      machine: id,
    })
  if (options.attributes !== undefined)
    assertFunction('attributes', options.attributes, 'Give one that makes plain JSON of a snapshot.')
  for (const [type, schema] of Object.entries(optionsGiven('events', options.events)))
    if (schema !== undefined && !(schema as Partial<StandardSchemaV1> | null)?.['~standard'])
      throw badOption(
        `events.${type}`,
        schema,
        'is no Standard Schema',
        'Give a schema of zod, valibot, arktype or the like.',
        {
          machine: id,
        },
      )
  assertCanRun(machine, id)
  const { policies, problems } = policiesOf(machine, options.retry)
  if (problems.length) throw cantRun(id, problems)
  return { id, version, machine, options, policies }
}

/** What XState calls a machine without an id. */
const UNNAMED = '(machine)'
