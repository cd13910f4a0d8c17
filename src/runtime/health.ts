// How a host is doing: for a health check (is the process to be replaced?), for an operator (which instances need me?).
import type { Counts, JournalError, Tally } from './counts.ts'
import type { Instance } from './instance.ts'

/** An instance that is in trouble. */
export interface Ailing {
  readonly machine: string
  readonly id: string
  /** Code and message of what stopped it. */
  readonly code: string
  readonly message: string
}

/** How many are in trouble, and the first few of them. */
export interface Some<T> {
  readonly count: number
  readonly first: readonly T[]
}

/** How a host is doing, as plain data. */
export interface Health {
  /**
   * `ok`. `degraded`: it does its work, but some instances do not, or a mailbox is nearly full. `failing`: the journal has
   * refused the last append, nothing can be recorded at present. `closed`: `close` was called.
   */
  readonly status: 'ok' | 'degraded' | 'failing' | 'closed'
  /** Why it is not `ok`, each as one sentence; empty when it is. */
  readonly reasons: readonly string[]
  /** Instances that take no events until an operator has seen to them. */
  readonly parked: Some<Ailing>
  /** Instances that an operator has paused, and that is no trouble. */
  readonly paused: Some<{ readonly machine: string; readonly id: string }>
  /** Instances that can't be rebuilt from the journal. */
  readonly broken: Some<Ailing>
  readonly journal: {
    /** The last append that was answered was refused by trouble of the journal itself. */
    readonly failing: boolean
    /** Instances that wait to ask the journal again. */
    readonly waiting: number
    /** The last trouble since the host was opened; it may be over. */
    readonly lastError?: JournalError
  }
  /** Instances with as many waiting events as four fifths of `mailbox`, or more. */
  readonly crowded: Some<{ readonly machine: string; readonly id: string; readonly waiting: number }>
}

/** Figures of a host since it was opened. */
export interface HostStats {
  /** Instances in memory. */
  readonly live: number
  /** Events from outside and deliveries that became durable. */
  readonly events: number
  /** Events that had been recorded before. */
  readonly duplicates: number
  /** Events and creations that were rejected. */
  readonly rejected: number
  /** Records that became durable. */
  readonly commits: number
  /** Appends that the journal took, and how many records one of them held on average. */
  readonly appends: number
  readonly commitsPerAppend: number
  /** Events that wait in mailboxes. */
  readonly mailbox: number
  /** Delayed transitions that wait in instances in memory, and all that fired. */
  readonly timersWaiting: number
  readonly timersFired: number
  /** Attempts at effects: under way, and how the others ended. `stopped`: the state was left, or the host closed. */
  readonly effectsRunning: number
  readonly effectsCompleted: number
  readonly effectsFailed: number
  readonly effectsStopped: number
}

/** How many instances in trouble a report names. */
const FIRST = 10
/** The part of its limit from which a mailbox is nearly full. */
const CROWDED = 0.8

/** What is looked at. */
export interface Watchable {
  readonly instances: Iterable<Instance>
  readonly tally: Tally
  readonly accepting: boolean
  readonly mailbox: number
}

export function healthOf({ instances, tally, accepting, mailbox }: Watchable): Health {
  const parked = none<Ailing>()
  const paused = none<Health['paused']['first'][number]>()
  const broken = none<Ailing>()
  const crowded = none<Health['crowded']['first'][number]>()
  let waiting = 0
  for (const { machine, id, phase, problem, queued, last } of instances) {
    if (last?.header.held === 'paused') add(paused, { machine: machine.id, id })
    if (problem) {
      const { code, message } = problem
      add(phase === 'broken' ? broken : parked, { machine: machine.id, id, code, message })
    }
    if (phase === 'waiting') waiting++
    if (queued >= mailbox * CROWDED) add(crowded, { machine: machine.id, id, waiting: queued })
  }
  const { journalFailing: failing, journalError: lastError } = tally
  const reasons: string[] = []
  if (!accepting) reasons.push('the host is closed')
  if (failing) reasons.push(`the journal refused the last append: ${lastError!.message}`)
  if (waiting) reasons.push(`${waiting} wait for the journal`)
  if (parked.count) reasons.push(`${parked.count} parked`)
  if (broken.count) reasons.push(`${broken.count} can't be rebuilt`)
  if (crowded.count) reasons.push(`${crowded.count} with a mailbox that is nearly full`)
  return {
    status: accepting ? (failing ? 'failing' : reasons.length ? 'degraded' : 'ok') : 'closed',
    reasons,
    parked,
    paused,
    broken,
    journal: { failing, waiting, ...(lastError && { lastError }) },
    crowded,
  }
}

export function statsOf(instances: Iterable<Instance>, counts: Counts): HostStats {
  let live = 0
  let mailbox = 0
  let timersWaiting = 0
  for (const { queued, tree } of instances) {
    live++
    mailbox += queued
    timersWaiting += tree.timers.size
  }
  let rejected = 0
  for (const times of counts.rejected.values()) rejected += times
  const { events, duplicates, commits, appends } = counts
  return {
    live,
    events,
    duplicates,
    rejected,
    commits,
    appends,
    commitsPerAppend: appends ? commits / appends : 0,
    mailbox,
    timersWaiting,
    timersFired: counts.timers,
    effectsRunning: counts.running,
    effectsCompleted: counts.completed,
    effectsFailed: counts.failed,
    effectsStopped: counts.stopped,
  }
}

const none = <T>(): { count: number; first: T[] } => ({ count: 0, first: [] })

function add<T>(to: { count: number; first: T[] }, one: T): void {
  if (++to.count <= FIRST) to.first.push(one)
}
