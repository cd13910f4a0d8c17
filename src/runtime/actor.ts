import { inspect } from 'node:util'
import { Observable } from 'rxjs'
import type { AnyStateMachine, EmittedFrom, EventFromLogic, SnapshotFrom } from 'xstate'
import type { Range } from '../journal/port.ts'
import { type CommitKind, type CommitOutcome, decodeCommit } from '../journal/records.ts'
import { DuramenError } from '../ports/errors.ts'
import { type Duration, milliseconds } from './duration.ts'
import { encodeEvent } from './events.ts'
import type { Receipt } from './inputs.ts'
import type { Instance } from './instance.ts'
import { ROOT } from './turn.ts'

/** One commit of an instance's history. */
export interface HistoryEntry extends Omit<CommitOutcome, 'status'> {
  readonly seq: number
  readonly position: number
  /** When it was decided, ms since the epoch. */
  readonly at: number
  readonly kind: CommitKind
  /** The event's id, where the sender gave one. */
  readonly id?: string
  /** Address of the actor that was reached; `@1` is the root. */
  readonly target: string
  readonly status: 'active' | 'done' | 'error' | 'stopped'
  /** The event, input or error. */
  readonly payload: unknown
}

/** An observer as RxJS and XState know it. */
export interface StateObserver<T> {
  next?(snapshot: T): void
  error?(error: unknown): void
  complete?(): void
}

/** A held instance. It stays valid for as long as its host is open; all it shows is committed (K1). */
export class DurableActor<TMachine extends AnyStateMachine> {
  readonly id: string
  readonly machine: string
  /** Committed states: the present one at once, then each that follows. */
  readonly snapshot$: Observable<SnapshotFrom<TMachine>>
  private readonly instance: Instance

  /** @internal Made by `host.actor`. */
  constructor(instance: Instance) {
    this.instance = instance
    this.id = instance.id
    this.machine = instance.machine.id
    this.snapshot$ = new Observable((subscriber) => {
      subscriber.next(this.getSnapshot())
      return this.subscribe(subscriber)
    })
  }

  /**
   * Sends an event; the promise resolves once the transition is durable. With an `id` it transitions once, however often
   * it is sent (K4).
   *
   * Rejects, and nothing has changed: BAD_EVENT, NOT_SERIALIZABLE, BINARY_TOO_LARGE, MACHINE_THREW, MAILBOX_FULL, PARKED,
   * CLOSED, NO_SPACE, IO. Rejects, and it may have happened: OUTCOME_UNKNOWN.
   */
  send(event: EventFromLogic<TMachine>, options?: { id?: string }): Promise<Receipt> {
    return sendTo(this.instance, event, options?.id)
  }

  /** The last committed state. */
  getSnapshot(): SnapshotFrom<TMachine> {
    return this.instance.snapshot() as SnapshotFrom<TMachine>
  }

  /** Calls back with every committed state from now on. */
  subscribe(observer: StateObserver<SnapshotFrom<TMachine>> | ((snapshot: SnapshotFrom<TMachine>) => void)): {
    unsubscribe(): void
  } {
    const observing = typeof observer === 'function' ? { next: observer } : observer
    const { phase } = this.instance
    if (this.instance.snapshot().status !== 'active' || phase === 'closed' || phase === 'broken') {
      observing.complete?.()
      return { unsubscribe() {} }
    }
    return this.instance.listeners.observe(ROOT, observing)
  }

  /** Calls back with events that the machine emits, once they are committed; `*` for all. Not kept for those who come later. */
  on<Type extends EmittedFrom<TMachine>['type'] | '*'>(
    type: Type,
    handler: (event: EmittedFrom<TMachine> & (Type extends '*' ? unknown : { type: Type })) => void,
  ): { unsubscribe(): void } {
    return this.instance.listeners.listen(ROOT, type, handler as never)
  }

  /**
   * The first committed state, from the present one on, that satisfies the predicate.
   * Rejects with TIMEOUT, ABORTED, or CLOSED when no other state can come.
   */
  waitFor(
    predicate: (snapshot: SnapshotFrom<TMachine>) => boolean,
    options: { timeout?: Duration; signal?: AbortSignal } = {},
  ): Promise<SnapshotFrom<TMachine>> {
    const limit = options.timeout === undefined ? undefined : milliseconds(options.timeout, 'timeout')
    return new Promise((resolve, reject) => {
      const where = { machine: this.machine, instance: this.id }
      let settled = false
      const end = (settle: () => void) => {
        if (settled) return
        settled = true
        subscription?.unsubscribe()
        cancel?.()
        options.signal?.removeEventListener('abort', aborted)
        settle()
      }
      const now = () => describe(this.instance)
      const fail = (code: 'TIMEOUT' | 'ABORTED' | 'CLOSED', message: string) =>
        end(() => reject(new DuramenError(code, `${this.machine}/${this.id}: ${message}`, { where })))
      const aborted = () => fail('ABORTED', 'waiting was called off')
      const check = (snapshot: SnapshotFrom<TMachine>) => {
        try {
          if (predicate(snapshot)) end(() => resolve(snapshot))
        } catch (error) {
          end(() => reject(error))
        }
      }
      let subscription: { unsubscribe(): void } | undefined
      let cancel: (() => void) | undefined
      if (options.signal?.aborted) return aborted()
      check(this.getSnapshot())
      if (settled) return
      options.signal?.addEventListener('abort', aborted)
      if (limit !== undefined)
        cancel = this.instance.host.clock.after(limit, () => fail('TIMEOUT', `${now()} after ${limit} ms`))
      subscription = this.subscribe({
        next: check,
        complete: () => fail('CLOSED', `${now()}, no other state will come`),
      })
    })
  }

  /** Every commit, oldest first, as far as it is durable when the reading begins. */
  async *history(range?: Range): AsyncGenerator<HistoryEntry> {
    for await (const record of this.instance.host.journal.read(this.instance.stream, range)) {
      const commit = decodeCommit(record)
      const { seq, position, at, kind, id, target = ROOT } = commit
      const { status = 'active', ...outcome } = commit.outcome()
      yield {
        seq,
        position,
        at,
        kind,
        ...(id !== undefined && { id }),
        target,
        status,
        ...outcome,
        payload: commit.payload(),
      }
    }
  }
}

/** Where an instance is, for those who wait for it in vain. */
function describe({ phase, problem, last }: Instance): string {
  const { value, status = 'active' } = JSON.parse(last?.outcome ?? '{}') as CommitOutcome & { status?: string }
  const state = `in ${JSON.stringify(value)}`
  if (phase === 'closed') return `its host was closed while it was ${state}`
  if (problem) return `it is ${phase === 'broken' ? 'broken' : 'parked'} ${state}: ${problem.message}`
  return status === 'active' ? `it is still ${state}` : `it has ended ${state}`
}

function assertEventId({ machine, id: instance }: Instance, id: unknown): void {
  if (id === undefined || (typeof id === 'string' && id !== '' && id.length <= 500)) return
  throw new DuramenError('BAD_ID', `${machine.id}/${instance}: ${inspect(id)} can't be the id of an event`, {
    where: { machine: machine.id, instance, path: 'id' },
    hint: 'Give a string of 1 to 500 characters, or no id.',
  })
}

/** The one way by which events from outside reach an instance. */
export function sendTo(instance: Instance, event: { type: string }, id?: string): Promise<Receipt> {
  try {
    assertEventId(instance, id)
    const payload = encodeEvent(instance.machine, instance.id, event, instance.host.limits.maxBinary)
    return instance.ask({ kind: 'event', payload, id })
  } catch (error) {
    return Promise.reject(error)
  }
}
