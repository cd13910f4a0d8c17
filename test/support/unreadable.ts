import { DuramenError } from '../../src/index.ts'
import type { Journal } from '../../src/journal/index.ts'
import { kept } from '../../src/testing/index.ts'

/** A journal that answers no reading while `down`. */
export function unreadable(inner: Journal) {
  const state = { down: false, refusals: 0 }
  const check = () => {
    if (!state.down) return
    state.refusals++
    throw new DuramenError('IO', 'the journal is away', { retryable: true })
  }
  const journal: Journal = {
    ...kept(inner),
    head: async (stream) => {
      check()
      return inner.head(stream)
    },
    async *read(stream, range) {
      check()
      yield* inner.read(stream, range)
    },
    async *heads(filter) {
      check()
      yield* inner.heads(filter)
    },
    async *due(before) {
      check()
      yield* inner.due(before)
    },
  }
  return { journal, state, check }
}
