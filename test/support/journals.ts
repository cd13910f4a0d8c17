// Journals that do to a host what networks, disks and power cuts do. All of them pass on to a real one.
import { type Either, left } from 'fp-ts/lib/Either.js'
import { DuramenError, type DuramenErrorCode } from '../../src/index.ts'
import type { Append, Appended, Journal } from '../../src/journal/index.ts'

/** What happens to one append: it fails before it is done, or is done and the answer is lost; `hold`: it waits for `go`. */
export interface Fault {
  readonly when: 'before' | 'after'
  readonly code: DuramenErrorCode
  readonly retryable?: boolean
}
export type Plan = (append: Append, n: number) => Fault | undefined

export interface FaultyJournal extends Journal {
  /** Asked at every append; n counts from 1. May be replaced at any time. */
  plan: Plan
  /** Appends that came so far. */
  readonly appends: number
  /** Appends wait until `release` is called. */
  hold(): void
  /** Lets those that wait go on, in order. */
  release(): void
  /** Appends that wait. */
  readonly held: number
}

/** The host closes its journal; the data stay for the next host. */
export const kept = (inner: Journal): Journal => ({
  ...inner,
  close: () => async () => ({ _tag: 'Right', right: undefined }),
})

export function faultyJournal(inner: Journal, plan: Plan = () => undefined): FaultyJournal {
  let appends = 0
  let holding = false
  const waiting: (() => void)[] = []
  const journal: FaultyJournal = {
    ...kept(inner),
    plan,
    get appends() {
      return appends
    },
    get held() {
      return waiting.length
    },
    hold: () => {
      holding = true
    },
    release: () => {
      holding = false
      for (const go of waiting.splice(0)) go()
    },
    append: (append) => async (): Promise<Either<DuramenError, Appended>> => {
      const fault = journal.plan(append, ++appends)
      if (holding) await new Promise<void>((go) => waiting.push(go))
      const lost = () => left(new DuramenError(fault!.code, 'as planned', { retryable: fault!.retryable ?? false }))
      if (fault?.when === 'before') return lost()
      const answer = await inner.append(append)()
      return fault ? lost() : answer
    },
  }
  return journal
}

export interface CrashJournal extends Journal {
  /** Appends that came so far. */
  readonly appends: number
  readonly crashed: boolean
  /** From now on nothing answers any more. */
  crash(): void
}

const never = new Promise<never>(() => {})

/**
 * A journal of a process that dies at append `at` (counted from 1), before or after it is done: from then on nothing is
 * answered, so that its host is as good as dead. The next host is opened on `inner`.
 */
export function crashJournal(
  inner: Journal,
  at = Number.POSITIVE_INFINITY,
  when: 'before' | 'after' = 'before',
): CrashJournal {
  let appends = 0
  let crashed = false
  async function* alive<T>(items: AsyncIterable<T>) {
    for await (const item of items) {
      if (crashed) await never
      yield item
    }
    if (crashed) await never
  }
  return {
    get appends() {
      return appends
    },
    get crashed() {
      return crashed
    },
    crash: () => {
      crashed = true
    },
    append: (append) => async () => {
      if (crashed) return never
      if (++appends === at) crashed = true
      if (crashed && when === 'before') return never
      const answer = await inner.append(append)()
      return crashed ? never : answer
    },
    read: (stream, range) => alive(inner.read(stream, range)),
    readAll: (range) => alive(inner.readAll(range)),
    heads: () => alive(inner.heads()),
    close: () => async () => (crashed ? never : { _tag: 'Right', right: undefined }),
  }
}
