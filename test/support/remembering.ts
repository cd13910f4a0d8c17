import { isRight } from 'fp-ts/lib/Either.js'
import type { Journal, StoredRecord } from '../../src/journal/index.ts'
import { decodeCommit } from '../../src/journal/records.ts'

/** The journal, and what checkpoints have replaced in it: with what is there, the whole history. */
export function remembering(inner: Journal) {
  const replaced: StoredRecord[] = []
  const journal: Journal = {
    ...inner,
    trim: (stream, before) => async () => {
      const dropped: StoredRecord[] = []
      for await (const record of inner.read(stream, { to: before })) dropped.push(record)
      const trimmed = await inner.trim(stream, before)()
      if (isRight(trimmed) && decodeCommit(dropped.pop()!).kind === 'checkpoint') replaced.push(...dropped)
      return trimmed
    },
  }
  /** All records of instances that were not purged, oldest first. */
  const whole = async () => {
    const all = [...replaced]
    for await (const record of inner.readAll()) all.push(record)
    return all.sort((one, other) => one.position - other.position)
  }
  return { journal, whole }
}
