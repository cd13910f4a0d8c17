// Purging what can't be loaded: an instance that can't be rebuilt, or one whose machine is not registered.
//
// K4: which deliveries have arrived is read from the headers, so that none arrives again in an instance of the same id.
import { isLeft } from 'fp-ts/lib/Either.js'
import { encode } from '../journal/codec.ts'
import { type CommitHeader, decodeCommit, encodeCommit, streamOf } from '../journal/records.ts'
import type { Purge } from './decider.ts'
import { ofJournal, type Place, stillActive, unknownInstance } from './failures.ts'
import type { Receipt } from './inputs.ts'
import type { InstanceHost } from './instance-host.ts'
import { keptBy } from './kept.ts'
import type { Operation } from './operators.ts'
import { Receipts, type ReceiptsState } from './receipts.ts'

/** How often another writer may be first. */
const CONFLICTS = 10

/** Appends the record of a purge. Rejects with UNKNOWN_INSTANCE, STILL_ACTIVE, or what the journal answers. */
export async function purgeUnloaded(host: InstanceHost, where: Place, operation: Operation): Promise<Receipt> {
  const { journal, clock, name } = host
  const stream = streamOf(where.machine, where.instance)
  for (let conflicts = 0; ; ) {
    const record = await journal.head(stream)
    const head = record && decodeCommit(record)
    if (!head || head.op === 'purge') throw unknownInstance(where)
    const ended = head.outcome().status !== undefined || head.held !== undefined
    if (!ended && !host.broken(stream)) throw stillActive(where)
    const seq = head.seq + 1
    const header: CommitHeader = {
      stream,
      seq,
      at: Math.max(clock.now(), head.at),
      kind: 'operator',
      version: head.version,
      host: name,
      op: 'purge',
    }
    const purge: Purge = { ...operation, senders: await arrived(host, stream) }
    const text = encodeCommit(header, head.outcomeText, encode(purge, { name: 'purge' }))
    const answer = await journal.append({ stream, expected: head.seq, texts: [text] })()
    if (!isLeft(answer)) {
      const { position } = answer.right
      host.tail.reached(position)
      return { seq, position, duplicate: false, handled: true }
    }
    if (answer.left.code !== 'CONFLICT' || ++conflicts > CONFLICTS) throw ofJournal(where, answer.left)
  }
}

/** The deliveries that have reached the stream. */
async function arrived({ journal, limits }: InstanceHost, stream: string): Promise<ReceiptsState['senders']> {
  const receipts = new Receipts(limits.dedupe)
  for await (const record of journal.read(stream)) {
    const commit = decodeCommit(record)
    const { seq, position } = commit
    if (commit.op === 'purge') receipts.restore({ ids: [], senders: (commit.payload() as Purge).senders })
    else if (commit.kind === 'checkpoint') receipts.restore(keptBy(commit).receipts)
    else if (commit.from)
      receipts.add(commit, { seq, position, duplicate: false, handled: commit.outcome().handled !== false })
  }
  return receipts.state.senders
}
