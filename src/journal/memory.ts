// The journal for tests and for hosts that may forget: it keeps the port, in memory.
import { left, right } from 'fp-ts/lib/Either.js'
import { closed, conflict, refusal, snapshotRefusal, trimRefusal, within } from './check.ts'
import type { Append, Journal, StoredRecord, StoredSnapshot } from './port.ts'
import { urgencyOf } from './records.ts'

/** A journal that lives as long as the process. It never fails; after close() every call answers CLOSED. */
export function memoryJournal(): Journal {
  /** By position; undefined for one that is trimmed, and for a trim. */
  const all: (StoredRecord | undefined)[] = []
  /** What is kept of each stream. */
  const streams = new Map<string, StoredRecord[]>()
  const snapshots = new Map<string, StoredSnapshot>()
  let open = true

  const check = () => {
    if (!open) throw closed()
  }
  const recordsOf = (stream: string) => streams.get(stream) ?? []
  const lastOf = (stream: string) => recordsOf(stream).at(-1)?.seq ?? 0

  const add = (append: Append) => {
    if (!open) return left(closed())
    const refused = refusal(append)
    if (refused !== undefined) return left(refused)
    const { stream, expected, texts, adopt } = append
    let records = streams.get(stream)
    const last = records?.at(-1)?.seq ?? 0
    if (last !== (adopt ? 0 : expected)) return left(conflict(stream, expected, last))
    if (!records) streams.set(stream, (records = []))
    const position = all.length + 1
    let seq = expected
    for (const text of texts) {
      text.charCodeAt(0) // makes one string of the many that it was put together from
      const record = { stream, seq: ++seq, position: all.length + 1, text }
      records.push(record)
      all.push(record)
    }
    return right({ position })
  }

  const trim = (stream: string, before: number) => {
    if (!open) return left(closed())
    const refused = trimRefusal(stream, before, lastOf(stream))
    if (refused !== undefined) return left(refused)
    const records = recordsOf(stream)
    const kept = records.filter(({ seq }) => seq >= before)
    if (kept.length === records.length) return right(undefined)
    for (const { position } of records.slice(0, records.length - kept.length)) all[position - 1] = undefined
    streams.set(stream, kept)
    all.push(undefined)
    return right(undefined)
  }

  const save = ({ stream, seq, text }: StoredSnapshot) => {
    if (!open) return left(closed())
    const refused = snapshotRefusal({ stream, seq, text })
    if (refused !== undefined) return left(refused)
    if (seq <= lastOf(stream) && seq >= (snapshots.get(stream)?.seq ?? 0)) snapshots.set(stream, { stream, seq, text })
    return right(undefined)
  }

  const find = (stream: string) => {
    check()
    const snapshot = snapshots.get(stream)
    const first = recordsOf(stream)[0]?.seq ?? 1
    return snapshot !== undefined && snapshot.seq >= first ? snapshot : undefined
  }

  async function* read(records: readonly (StoredRecord | undefined)[], from: number, count: number) {
    check()
    for (let index = from; index < from + count; index++) {
      check()
      const record = records[index]
      if (record !== undefined) yield record
    }
  }

  return {
    append: (append) => () => Promise.resolve(add(append)),
    read(stream, range = {}) {
      const records = recordsOf(stream)
      const first = records[0]?.seq ?? 1
      const { from, count } = within(range, lastOf(stream), first)
      return read(records, from - first, count)
    },
    readAll(range = {}) {
      const { from, count } = within(range, all.length)
      return read(all, from - 1, count)
    },
    heads({ pending = false } = {}) {
      const heads = Array.from(streams.values()).filter((records) => !pending || mustLook(records))
      return read(
        heads.map((records) => records.at(-1)!),
        0,
        heads.length,
      )
    },
    async *due(before) {
      check()
      const heads = Array.from(streams.values(), (records) => records.at(-1)!)
      for (const { stream, text } of heads) {
        const { due } = urgencyOf(stream, text)
        if (due > before || due === Number.POSITIVE_INFINITY) continue
        check()
        yield { stream, due }
      }
    },
    head: async (stream) => {
      check()
      return recordsOf(stream).at(-1)
    },
    trim: (stream, before) => () => Promise.resolve(trim(stream, before)),
    saveSnapshot: (snapshot) => () => Promise.resolve(save(snapshot)),
    snapshot: async (stream) => find(stream),
    close: () => () => {
      open = false
      return Promise.resolve(right(undefined))
    },
  }
}

function mustLook(records: readonly StoredRecord[]): boolean {
  const { stream, text } = records.at(-1)!
  const { pending, purged } = urgencyOf(stream, text)
  return pending || (purged && records.length > 1)
}
