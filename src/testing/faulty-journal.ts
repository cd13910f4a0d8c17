// A journal that does to a host what networks and disks do. It passes on to a real one.
import { type Either, left, right } from 'fp-ts/lib/Either.js'
import type { Append, Appended, Journal } from '../journal/port.ts'
import { DuramenError, type DuramenErrorCode } from '../ports/errors.ts'

/** What happens to one append. */
export interface Fault {
  /** `before`: it fails and nothing is written. `after`: it is written and the answer is lost. */
  readonly when: 'before' | 'after'
  /** The code of the error that the host gets: NO_SPACE, IO, CONFLICT, or OUTCOME_UNKNOWN for a lost answer. */
  readonly code: DuramenErrorCode
  /** Whether the error says that the same call may succeed later. Default false. */
  readonly retryable?: boolean
}

/** Asked at every append; `n` counts them from 1. Undefined: it goes through. */
export type Plan = (append: Append, n: number) => Fault | undefined

/** A journal with faults. */
export interface FaultyJournal extends Journal {
  /** What happens to each append. May be replaced at any time. */
  plan: Plan
  /** Appends that came so far. */
  readonly appends: number
  /** From now on appends wait: a slow disk. */
  hold(): void
  /** Lets those that wait go on, in order, and all that follow. */
  release(): void
  /** Appends that wait. */
  readonly held: number
}

/** A plan: the nth append, counted from 1, has this fault; all others go through. */
export const nth =
  (n: number, fault: Fault): Plan =>
  (_append, at) =>
    at === n ? fault : undefined

/** The same journal, left open when a host closes it: the data stay for the next host. */
export const kept = (inner: Journal): Journal => ({ ...inner, close: () => async () => right(undefined) })

/** A journal whose appends go wrong as planned; default: none. Closing it leaves `inner` open for the next host. */
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
      const lost = ({ code, retryable = false }: Fault) => left(new DuramenError(code, 'as planned', { retryable }))
      if (fault?.when === 'before') return lost(fault)
      const answer = await inner.append(append)()
      return fault ? lost(fault) : answer
    },
  }
  return journal
}
