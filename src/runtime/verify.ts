// Stored histories decided again by today's machines: which instances come out as they are recorded, and which would not.
//
// K3: always from the first record, never from a snapshot, on scratch trees that reach nobody.
// K9: instances are taken one by one from the journal's heads, a few at a time; of the findings a limited number is kept.
import type { Journal } from '../journal/port.ts'
import { type Commit, type CommitKind, type CommitOutcome, instanceOf } from '../journal/records.ts'
import type { DuramenError, DuramenErrorCode } from '../ports/errors.ts'
import { checkCount } from '../ports/given.ts'
import type { Head } from './decider.ts'
import type { DurableMachine } from './durable.ts'
import { asDuramenError } from './failures.ts'
import { Ledger, type OpenEffect, type OpenTimer } from './ledger.ts'
import type { Limits } from './limits.ts'
import { headOf } from './listing.ts'
import { replay } from './replay.ts'
import { calmly, scratchTree } from './scratch.ts'

/** What to verify, and against what. */
export interface VerifyOptions {
  /** Only instances of the machine with this id. Default: those of all machines. */
  machine?: string
  /** Only instances with this id. Default: all. */
  id?: string
  /**
   * Machines to decide the histories with. Default: the registered ones. Give the next version of a machine, without
   * registering it, to learn what it would make of what is there.
   */
  against?: readonly DurableMachine<any>[]
  /** How many instances are read at the same time. Default 4. */
  concurrency?: number
  /** How many findings the report keeps; all are counted, and `each` hears of all. Default 1,000. */
  findings?: number
  /** Called with what was found of each instance. Default: nobody is told. */
  each?: (verified: Verified) => void
}

/** A record that comes out otherwise than recorded. */
export interface Difference {
  readonly seq: number
  readonly kind: CommitKind
  /** The machine's version that wrote it. */
  readonly version: number
  readonly expected: CommitOutcome
  readonly got: CommitOutcome
}

/** What was found of one instance. */
export interface Verified {
  readonly machine: string
  readonly id: string
  /**
   * `ok`: every record comes out as recorded. `changed`: it can be loaded, but records of another version come out
   * otherwise, see `first`, `state`, `begins` and `drops`. `diverged`: it can't be loaded, see `error`. `unreadable`: a record
   * of it is damaged, or the key to it is not there, see `error`. `unregistered`: there is no machine to decide it with.
   */
  readonly status: 'ok' | 'changed' | 'diverged' | 'unreadable' | 'unregistered'
  /** Records that were decided again. */
  readonly records: number
  /** Why there is no snapshot of it, so that it is always loaded from its start. */
  readonly replayOnly?: string
  /** The first record that comes out otherwise; absent where a record can't be decided at all: `error.where.seq`. */
  readonly first?: Difference
  /** How many come out otherwise. */
  readonly differences?: number
  /** Where a changed instance is on record, and where it would be. */
  readonly state?: { readonly expected: Standing; readonly got: Standing }
  /** What would begin, or wait, that is not open on record: work runs as soon as a changed instance is loaded. */
  readonly begins?: Open
  /** What is open on record and would be no more. */
  readonly drops?: Open
  readonly error?: DuramenError
}

/** Where an instance is. */
interface Standing extends Pick<CommitOutcome, 'value' | 'status' | 'tags'> {}

interface Open {
  readonly effects: readonly OpenEffect[]
  readonly timers: readonly OpenTimer[]
}

/** How many of each, and all that is not `ok`. */
export interface VerifyReport {
  readonly ok: number
  readonly changed: number
  readonly diverged: number
  readonly unreadable: number
  readonly unregistered: number
  /** Of those that are ok or changed. */
  readonly replayOnly: number
  readonly records: number
  /** All but those that are ok, as far as the option `findings` allows. */
  readonly findings: readonly Verified[]
}

/** The host, as verifying needs it. */
interface Stored {
  readonly journal: Journal
  readonly limits: Limits
  readonly machines: ReadonlyMap<string, DurableMachine<any>>
}

/** What is wrong with the records of one instance, and not with the journal. */
const UNREADABLE: ReadonlySet<DuramenErrorCode> = new Set(['JOURNAL_DAMAGED', 'ERASED', 'WRONG_KEY', 'CODEC_MISSING'])

/** Rejects with BAD_OPTION, CLOSED or what the journal answers. */
export async function verify(host: Stored, options: VerifyOptions): Promise<VerifyReport> {
  const { concurrency = 4, findings: most = 1000, against, each } = options
  for (const [name, value] of Object.entries({ concurrency, findings: most }))
    checkCount(name, value, 'Leave it out for its default.')
  const machines = against ? new Map(against.map((machine) => [machine.id, machine])) : host.machines
  const counts = { ok: 0, changed: 0, diverged: 0, unreadable: 0, unregistered: 0, replayOnly: 0, records: 0 }
  const findings: Verified[] = []
  const heads = chosen(host.journal, options)
  const work = async () => {
    for await (const head of heads) {
      const verified = await verifyOne(host, machines, head)
      counts[verified.status]++
      counts.records += verified.records
      if (verified.replayOnly !== undefined) counts.replayOnly++
      if (verified.status !== 'ok' && findings.length < most) findings.push(verified)
      each?.(verified)
    }
  }
  await Promise.all(Array.from({ length: concurrency }, work))
  return { ...counts, findings }
}

/** Last commits of the instances that were asked for. Several may take from it at once. */
async function* chosen(journal: Journal, { machine, id }: VerifyOptions): AsyncGenerator<Head> {
  for await (const record of calmly(journal.heads())) {
    const place = instanceOf(record.stream)
    if (!place || (machine !== undefined && place.machine !== machine) || (id !== undefined && place.instance !== id))
      continue
    const head = headOf(record)
    if (head && head.header.op !== 'purge') yield head
  }
}

async function verifyOne({ journal, limits }: Stored, machines: Stored['machines'], head: Head): Promise<Verified> {
  const { stream, seq: to, version: last } = head.header
  const { machine: machineId, instance: id } = instanceOf(stream)!
  const machine = machines.get(machineId)
  const found = { machine: machineId, id, records: 0 }
  if (!machine) return { ...found, status: 'unregistered' }
  const tree = scratchTree(machine, id, limits.maxRelays)
  let first: Difference | undefined
  let differences = 0
  let got: CommitOutcome | undefined
  let after: { expected: CommitOutcome; got: CommitOutcome } = { expected: {}, got: {} }
  let open: { expected: Ledger; got: Ledger } | undefined
  /** What was before a purge counts no more. */
  const forget = () => {
    Object.assign(found, { records: 0 })
    first = got = open = undefined
    differences = 0
  }
  const taken = (commit: Commit) => {
    if (commit.op === 'purge') return forget()
    found.records++
    if (found.records === 1 && (commit.version !== machine.version || last !== machine.version))
      open = { expected: new Ledger(), got: new Ledger() }
    if (!open) return
    const expected = commit.outcome()
    after = { expected, got: got ?? expected }
    open.expected.take(commit, after.expected)
    open.got.take(commit, after.got)
    got = undefined
  }
  const differs = (commit: Commit, outcome: string) => {
    const { seq, kind, version } = commit
    got = JSON.parse(outcome) as CommitOutcome
    differences++
    first ??= { seq, kind, version, expected: commit.outcome(), got }
  }
  try {
    await replay(tree, machine, calmly(journal.read(stream, { to })), taken, differs)
  } catch (error) {
    const problem = asDuramenError(error, { machine: machineId, instance: id })
    const status = problem.code === 'REPLAY_DIVERGED' ? 'diverged' : 'unreadable'
    if (status === 'unreadable' && !UNREADABLE.has(problem.code)) throw problem
    return { ...found, status, ...(first && { first, differences }), error: problem }
  }
  const { replayOnly } = tree
  const result = { ...found, ...(replayOnly !== undefined && { replayOnly }) }
  if (!first || !open) return { ...result, status: 'ok' }
  const state = { expected: standing(after.expected), got: standing(after.got) }
  const begins = beyond(open.got, open.expected)
  const drops = beyond(open.expected, open.got)
  return { ...result, status: 'changed', first, differences, state, begins, drops }
}

const standing = ({ value, status, tags }: CommitOutcome): Standing => ({
  ...(value !== undefined && { value }),
  ...(status && { status }),
  ...(tags && { tags }),
})

/** What is open in one ledger and not in the other. */
const beyond = (one: Ledger, other: Ledger): Open => ({
  effects: [...one.effects.values()].filter(({ key }) => !other.effects.has(key)),
  timers: [...one.timers.values()].filter(({ key }) => !other.timers.has(key)),
})
