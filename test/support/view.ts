import { type AnyActorRef, isMachineSnapshot, type Snapshot } from 'xstate'
import { type Journal, memoryJournal } from '../../src/journal/index.ts'

/** A snapshot as plain data that can be compared: actors become their address and what they hold. */
export function view(snapshot: Snapshot<unknown>): unknown {
  const { status, output, error } = snapshot
  const context = 'context' in snapshot ? plain(snapshot.context) : undefined
  if (!isMachineSnapshot(snapshot)) return { status, context, output: plain(output), error: plain(error) }
  const { value, tags, children, historyValue } = snapshot
  return {
    status,
    value,
    context,
    output: plain(output),
    error: plain(error),
    tags: [...tags].sort(),
    history: Object.fromEntries(Object.entries(historyValue).map(([id, nodes]) => [id, nodes.map((n) => n.id)])),
    children: Object.fromEntries(
      Object.entries(children as Record<string, AnyActorRef>)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([id, child]) => [id, { address: child.sessionId, ...(view(child.getSnapshot()) as object) }]),
    ),
  }
}

function plain(value: unknown): unknown {
  if (value instanceof Error) return { error: value.message }
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  if ('sessionId' in value && 'getSnapshot' in value) return { actor: value.sessionId }
  if (Object.getPrototypeOf(value) !== Object.prototype) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]))
}

/** A journal with the same records, and no snapshots. */
export async function copyOf(journal: Journal): Promise<Journal> {
  const copy = memoryJournal()
  const ends = new Map<string, number>()
  for await (const { stream, seq, text } of journal.readAll()) {
    const gap = seq - 1 - (ends.get(stream) ?? 0)
    if (gap > 0) await copy.append({ stream, expected: seq - 1 - gap, texts: Array(gap).fill('trimmed') })()
    await copy.append({ stream, expected: seq - 1, texts: [text] })()
    if (gap > 0) await copy.trim(stream, seq)()
    ends.set(stream, seq)
  }
  return copy
}
