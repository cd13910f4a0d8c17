// Retention: what a checkpoint has replaced is dropped.
//
// K3: before anything is dropped all of it is decided again, and must come to what the checkpoint says; else it stays.
import { isDeepStrictEqual } from 'node:util'
import { isLeft } from 'fp-ts/lib/Either.js'
import { decode, encode } from '../journal/codec.ts'
import type { Journal } from '../journal/port.ts'
import { decodeCommit } from '../journal/records.ts'
import { DuramenError } from '../ports/errors.ts'
import type { TreeState } from './checkpoint.ts'
import type { DurableMachine } from './durable.ts'
import { ofJournal } from './failures.ts'
import type { InstanceHost } from './instance-host.ts'
import { keptBy } from './kept.ts'
import { replay } from './replay.ts'
import { calmly, scratchTree } from './scratch.ts'

/** The checkpoint that the log of an instance begins with. */
export async function beginning(journal: Journal, stream: string): Promise<number | undefined> {
  for await (const record of journal.read(stream)) {
    const { kind, seq } = decodeCommit(record)
    return kind === 'checkpoint' ? seq : undefined
  }
  return undefined
}

/**
 * Drops what is before the checkpoint `seq`, once that is decided again and comes to the same. Nothing if it is dropped
 * already. Rejects with REPLAY_DIVERGED, or with what the journal answers; all is there then, or dropped.
 */
export async function dropBefore(
  { journal, limits }: Pick<InstanceHost, 'journal' | 'limits'>,
  machine: DurableMachine,
  id: string,
  seq: number,
): Promise<void> {
  const where = { machine: machine.id, instance: id }
  const tree = scratchTree(machine, id, limits.maxRelays)
  const { stream } = tree.owner
  let before = 0
  let same = true
  await replay(tree, machine, calmly(journal.read(stream, { to: seq })), (commit, turn) => {
    if (commit.seq < seq) before++
    else if (!turn?.kept) same = isDeepStrictEqual(copyOf(tree.state()), keptBy(commit).state)
  })
  if (!same)
    throw new DuramenError('REPLAY_DIVERGED', `replaying ${stream} does not come to what its checkpoint ${seq} says`, {
      where: { ...where, stream, seq },
      hint: 'Nothing was dropped. The machine asks for something outside, or is another than the one that wrote the records.',
    })
  if (before === 0) return
  const answer = await journal.trim(stream, seq)()
  if (isLeft(answer)) throw ofJournal(where, answer.left)
}

/** As a journal would give it back. */
const copyOf = (state: TreeState | undefined) =>
  state && decode(encode(state, { name: 'state', identity: true, maxBinary: Number.POSITIVE_INFINITY }))
