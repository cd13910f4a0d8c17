// Forking: the first records of an instance become those of another one, in one append.
//
// K3: the copy is decided again before anything is written, and must come out as it is recorded; chance and the root's id
//     go on as they would have in the origin.
// K5: effects of the copy have keys of their own.

import { inspect } from 'node:util'
import { isLeft } from 'fp-ts/lib/Either.js'
import type { StoredRecord } from '../journal/port.ts'
import { type CommitHeader, headed, streamOf } from '../journal/records.ts'
import { DuramenError, isDuramenError } from '../ports/errors.ts'
import { Boundary } from './boundary.ts'
import { Decider } from './decider.ts'
import type { DurableMachine } from './durable.ts'
import { instanceExists, ofJournal, type Place, trimmed } from './failures.ts'
import { PAUSED } from './hold.ts'
import { Instance } from './instance.ts'
import type { InstanceHost } from './instance-host.ts'
import { type By, operatorInput } from './operators.ts'
import { beginning } from './retention.ts'

export interface Fork extends By {
  /** Id of the instance that is forked. */
  readonly of: string
  /** Its last record that is copied. */
  readonly seq: number
  /** Id of the new one. */
  readonly id: string
  /** Whether actions that were not finished run in the copy. */
  readonly effects: 'skip' | 'run'
}

/** Writes the fork, paused. Rejects with INSTANCE_EXISTS, BAD_OPTION, TRIMMED, REPLAY_DIVERGED, or what the journal answers. */
export async function forkOf(host: InstanceHost, machine: DurableMachine, fork: Fork): Promise<void> {
  const { journal } = host
  const { of, seq, id, effects, who, why } = fork
  const where = { machine: machine.id, instance: id }
  const source = streamOf(machine.id, of)
  const stream = streamOf(machine.id, id)
  const input = operatorInput(where, { op: 'fork', who, why, of: source, seq }, host.limits.maxBinary)
  if (effects !== 'skip' && effects !== 'run')
    throw bad(where, `effects: ${inspect(effects)} is neither 'skip' nor 'run'`, 'Leave it out to skip them.')
  if (!Number.isSafeInteger(seq) || seq < 1) throw noSuch(where, source, seq)
  if (await journal.head(stream)) throw instanceExists(where)
  const first = await beginning(journal, source)
  if (first !== undefined) throw trimmed({ machine: machine.id, instance: of }, first)
  const records: StoredRecord[] = []
  for await (const record of journal.read(source, { to: seq })) records.push(copyOf(record, source, stream))
  if (records[0]?.seq !== 1 && (await journal.head(source)))
    throw bad(
      where,
      `the beginning of ${source} is not there any more`,
      'Only an instance with all its records can be forked.',
    )
  if (records.length !== seq) throw noSuch(where, source, seq)

  const boundary = new Boundary(new Instance(host, machine, id))
  const { runner } = boundary
  const decider = new Decider({ host, machine, stream, where }, runner, boundary)
  await decider.load(from(records), (commit, turn) => runner.replayed(commit, turn))
  if (!decider.tree.alive) throw noSuch(where, source, seq)
  const finished = effects === 'skip' ? [...runner.unfinished.keys()] : []
  const decided = decider.decide({ ...input, ruling: { hold: PAUSED, finished } }, true)!
  if (isDuramenError(decided)) throw decided
  const own = headed((decided as { text: string }).text, (header) => ({ ...header, origin: stream }))
  const texts = [...records.map((record) => record.text), own]
  const answer = await journal.append({ stream, expected: 0, texts })()
  if (!isLeft(answer)) return host.tail.reached(answer.right.position + texts.length - 1)
  throw answer.left.code === 'CONFLICT' ? instanceExists(where) : ofJournal(where, answer.left)
}

/** The record in its new stream. Promises made to the outside world stay with the origin. */
function copyOf(record: StoredRecord, source: string, stream: string): StoredRecord {
  const text = headed(record.text, (header) => {
    const origin = header.seq === 1 ? { origin: header.origin ?? source } : {}
    const { tokens, outside, beats, handedOver, ...kept } = header
    return { ...kept, stream, ...origin } satisfies CommitHeader
  })
  return { ...record, stream, text }
}

async function* from<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items
}

const bad = (where: Place, message: string, hint: string) =>
  new DuramenError('BAD_OPTION', `fork: ${message}`, { where, hint })

const noSuch = (where: Place, source: string, seq: number) =>
  bad(where, `${source} has no record ${inspect(seq)}`, 'Take a seq from its history().')
