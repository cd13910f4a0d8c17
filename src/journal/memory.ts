// The journal for tests and for hosts that may forget: it keeps the port, in memory.
import { left, right } from 'fp-ts/lib/Either.js'
import { closed, conflict, refusal, within } from './check.ts'
import type { Append, Journal, Range, StoredRecord } from './port.ts'

/** A journal that lives as long as the process. It never fails; after close() every call answers CLOSED. */
export function memoryJournal(): Journal {
  const all: StoredRecord[] = []
  const streams = new Map<string, StoredRecord[]>()
  let open = true

  const check = () => {
    if (!open) throw closed()
  }

  const add = (append: Append) => {
    if (!open) return left(closed())
    const refused = refusal(append)
    if (refused !== undefined) return left(refused)
    const { stream, expected, texts } = append
    let records = streams.get(stream)
    const last = records?.length ?? 0
    if (last !== expected) return left(conflict(stream, expected, last))
    if (records === undefined) {
      records = []
      streams.set(stream, records)
    }
    const position = all.length + 1
    for (const text of texts) {
      const record = { stream, seq: records.length + 1, position: all.length + 1, text }
      records.push(record)
      all.push(record)
    }
    return right({ position })
  }

  async function* read(records: readonly StoredRecord[], range: Range, last = records.length) {
    check()
    const { from, count } = within(range, last)
    for (let index = from - 1; index < from - 1 + count; index++) {
      check()
      yield records[index]!
    }
  }

  return {
    append: (append) => () => Promise.resolve(add(append)),
    read: (stream, range = {}) => read(streams.get(stream) ?? [], range),
    readAll: (range = {}) => read(all, range),
    heads: () =>
      read(
        Array.from(streams.values(), (records) => records.at(-1)!),
        {},
      ),
    close: () => () => {
      open = false
      return Promise.resolve(right(undefined))
    },
  }
}
