// The statechart of every machine, kept in the journal at the place from which it is in force, so that a journal can draw
// itself as it was, without the host's code.
import { createHash } from 'node:crypto'
import { isLeft } from 'fp-ts/lib/Either.js'
import { encode } from '../journal/codec.ts'
import type { Journal, StoredRecord } from '../journal/port.ts'
import { decodeCommit, definitionStream, encodeCommit } from '../journal/records.ts'
import type { Clock } from '../ports/clock.ts'
import type { DurableMachine } from './durable.ts'

/** `meta` may hold anything, also what JSON can't take; what holds itself is left out there. */
function plainly() {
  const within: unknown[] = []
  return function (this: unknown, _key: string, value: unknown) {
    if (typeof value === 'bigint') return String(value)
    if (typeof value !== 'object' || value === null) return value
    while (within.length > 0 && within.at(-1) !== this) within.pop()
    if (within.includes(value)) return undefined
    within.push(value)
    return value
  }
}

const definitions = new WeakMap<DurableMachine, { text: string; hash: string }>()

/** The machine's statechart as text. */
export function definitionOf(durable: DurableMachine): { text: string; hash: string } {
  let known = definitions.get(durable)
  if (known) return known
  const text = JSON.stringify(durable.machine.definition, plainly()) // functions have no place in it: names are what is drawn
  known = { text, hash: createHash('sha256').update(text).digest('hex') }
  definitions.set(durable, known)
  return known
}

/** Appends the machine's statechart unless the last one kept is the same. */
export async function recordDefinition(journal: Journal, clock: Clock, machine: DurableMachine): Promise<void> {
  const stream = definitionStream(machine.id)
  const { text: definition, hash } = definitionOf(machine)
  const { version } = machine
  let last: StoredRecord | undefined
  for await (const record of journal.read(stream)) last = record
  const outcome = last && (JSON.parse(decodeCommit(last).outcomeText) as { hash?: string; version?: number })
  if (outcome?.hash === hash && outcome.version === version) return
  const seq = (last?.seq ?? 0) + 1
  const text = encodeCommit(
    { stream, seq, at: clock.now(), kind: 'definition', version },
    JSON.stringify({ hash, version }),
    encode(JSON.parse(definition), { name: 'definition' }),
  )
  const appended = await journal.append({ stream, expected: seq - 1, texts: [text] })()
  if (isLeft(appended) && appended.left.code !== 'CONFLICT') throw appended.left
}
