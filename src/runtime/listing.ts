// What a host tells of its instances from their last commits, without running any code of theirs.
import { matchesState, type StateValue } from 'xstate'
import type { StoredRecord } from '../journal/port.ts'
import { decodeCommit, instanceOf } from '../journal/records.ts'
import type { DuramenError } from '../ports/errors.ts'
import { assertNames, badOption, optionsGiven } from '../ports/given.ts'
import type { Head } from './decider.ts'
import { problemOf } from './hold.ts'
import type { Instance } from './instance.ts'

/** An instance in a list, as its last commit tells. */
export interface Listed {
  readonly machine: string
  readonly id: string
  readonly state: StateValue | undefined
  /**
   * `asleep`: its machine is not registered. `paused`: an operator holds it. `parked`: somebody has to see to it, see
   * `problem`. `broken`: it can't be rebuilt.
   */
  readonly status: 'active' | 'done' | 'error' | 'stopped' | 'asleep' | 'paused' | 'parked' | 'broken'
  readonly tags: readonly string[]
  readonly seq: number
  readonly position: number
  /** Time of its last commit, ms since the epoch. */
  readonly at: number
  readonly version: number
  readonly attributes: Readonly<Record<string, unknown>>
  readonly problem?: DuramenError
}

/** Which instances to list. */
export interface Filter {
  /** Only instances of the machine with this id. Default: those of all machines. */
  machine?: string
  /** A state that it is in, as `snapshot.matches` takes it. Default: any. */
  state?: StateValue
  /** `active`, `done`, `error`, `stopped`, `asleep`, `paused`, `parked` or `broken`; see `Listed`. Default: any. */
  status?: Listed['status']
}

/** What the record says that is an instance's last; undefined for records of no instance. */
export function headOf(record: StoredRecord): Head | undefined {
  if (!instanceOf(record.stream)) return undefined
  const commit = decodeCommit(record)
  return { header: commit, outcome: commit.outcomeText, position: commit.position }
}

/** Nothing of it is left but that it was there. */
export const isPurge = ({ header }: Head): boolean => header.op === 'purge'

/** `instance`: where it is in memory. `registered`: the machines that the host has, by their ids. */
export function listedOf(
  { header, outcome, position }: Head,
  instance: Instance | undefined,
  registered: { has(machine: string): boolean },
): Listed {
  const { machine, instance: id } = instanceOf(header.stream)!
  const { value: state, status = 'active', tags = [], attributes = {} } = JSON.parse(outcome)
  const { seq, at, version } = header
  const problem = instance?.problem ?? (header.problem && problemOf(header.problem))
  const held = instance?.phase === 'broken' ? 'broken' : problem ? 'parked' : header.held
  return {
    machine,
    id,
    state,
    status: held ?? (status === 'active' && !registered.has(machine) ? 'asleep' : status),
    tags,
    seq,
    position,
    at,
    version,
    attributes,
    ...(problem && { problem }),
  }
}

export function fits({ machine, state, status }: Listed, filter: Filter): boolean {
  if (filter.machine !== undefined && machine !== filter.machine) return false
  if (filter.status !== undefined && status !== filter.status) return false
  return filter.state === undefined || (state !== undefined && matchesState(filter.state, state))
}

const STATUSES: readonly unknown[] = [
  'active',
  'done',
  'error',
  'stopped',
  'asleep',
  'paused',
  'parked',
  'broken',
] satisfies Listed['status'][]

/** A filter that can fit something. Throws BAD_OPTION. */
export function filterGiven(filter: Filter | null | undefined): Filter {
  const given = optionsGiven('list', filter, "Leave it out, or give { status: 'parked' }.")
  assertNames('list', given, ['machine', 'state', 'status'])
  const { machine, state, status } = given
  if (machine !== undefined && typeof machine !== 'string')
    throw badOption('machine', machine, 'is no id of a machine', 'Give its id: { machine: order.id }.')
  if (status !== undefined && !STATUSES.includes(status))
    throw badOption('status', status, `is none of ${STATUSES.join(', ')}`, 'Leave it out for all.')
  if (state !== undefined && typeof state !== 'string' && (typeof state !== 'object' || state === null))
    throw badOption(
      'state',
      state,
      'is no state',
      "Give it as snapshot.matches takes it: 'open', or { open: 'checked' }.",
    )
  return given
}
