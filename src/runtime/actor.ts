import { Observable } from 'rxjs'
import type { AnyStateMachine, EmittedFrom, EventFromLogic, SnapshotFrom } from 'xstate'
import type { Range } from '../journal/port.ts'
import { assertFunction, badOption } from '../ports/given.ts'
import { type AskOptions, ask } from './ask.ts'
import { entryOf, type HistoryEntry } from './history.ts'
import { type InstanceInfo, infoOf } from './info.ts'
import type { Receipt } from './inputs.ts'
import type { Instance } from './instance.ts'
import { rangeGiven } from './records-stream.ts'
import { idGiven, sendTo } from './send.ts'
import { type PastState, stateAt } from './time-travel.ts'
import { ROOT } from './turn.ts'
import { type WaitOptions, waiting } from './waiting.ts'

/** An observer as RxJS and XState know it. */
export interface StateObserver<T> {
  next?(snapshot: T): void
  error?(error: unknown): void
  complete?(): void
}

/** A held instance. It stays valid for as long as its host is open; all it shows is committed (K1). */
export class DurableActor<TMachine extends AnyStateMachine> {
  /** Id of the instance. */
  readonly id: string
  /** Id of its durable machine. */
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
   * Rejects, and nothing has changed: BAD_OPTION, BAD_ID, BAD_EVENT, NOT_SERIALIZABLE, BINARY_TOO_LARGE, MACHINE_THREW, MAILBOX_FULL, PARKED,
   * CLOSED, NO_SPACE, IO. Rejects, and it may have happened: OUTCOME_UNKNOWN.
   */
  send(
    event: EventFromLogic<TMachine>,
    options?: {
      /** Id of the event; sent again with the same one it transitions once (K4). Default: none, each is a new event. */
      id?: string
    },
  ): Promise<Receipt> {
    try {
      return sendTo(this.instance, event, idGiven(options))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * Sends an event, and resolves with the emitted event that answers it: the first of type `reply` (that satisfies `match`)
   * from the event's own commit on. With an `id` the same question asked again has the same answer, also after a crash.
   *
   * Rejects as `send` does; with TIMEOUT (default after 30 s) or ABORTED, when the event may have been taken: ask again with
   * the same id; with CLOSED or PARKED when the instance ends, its host closes or it is parked without an answer.
   */
  async ask<const Type extends EmittedFrom<TMachine>['type']>(
    event: EventFromLogic<TMachine>,
    options: AskOptions<EmittedFrom<TMachine> & { type: Type }> & { reply: Type },
  ): Promise<EmittedFrom<TMachine> & { type: Type }> {
    return (await ask(this.instance, event, options as never)) as EmittedFrom<TMachine> & { type: Type }
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
    if (typeof observing !== 'object' || observing === null)
      throw badOption(
        'subscribe',
        observer,
        'is no observer',
        'Give a function, or an object with next, error and complete.',
      )
    if (!this.instance.active) {
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
    if (typeof type !== 'string')
      throw badOption('on', type, 'is no type of an event', "Name what the machine emits, or '*' for all.")
    assertFunction('on', handler, 'Give a function that is called with each event.')
    return this.instance.listeners.listen(ROOT, type, handler as never)
  }

  /**
   * The first committed state, from the present one on, that satisfies the predicate.
   * Rejects with TIMEOUT, ABORTED, or CLOSED when no other state can come.
   */
  async waitFor(
    predicate: (snapshot: SnapshotFrom<TMachine>) => boolean,
    options?: WaitOptions,
  ): Promise<SnapshotFrom<TMachine>> {
    assertFunction(
      'waitFor',
      predicate,
      "Give one that says whether a state will do: (state) => state.matches('paid').",
    )
    return waiting<SnapshotFrom<TMachine>>(this.instance, options, (wait) => {
      const check = (snapshot: SnapshotFrom<TMachine>) => {
        try {
          if (predicate(snapshot)) wait.resolve(snapshot)
        } catch (error) {
          wait.reject(error)
        }
      }
      check(this.getSnapshot())
      if (wait.over) return
      const subscription = this.subscribe({ next: check, complete: () => wait.giveUp('other state') })
      wait.atEnd(() => subscription.unsubscribe())
    })
  }

  /**
   * The instance as it was after commit `seq`, and what would have become of it: its `send` tries events, dry. Decided anew
   * from the log, so that it works whatever has become of the instance since.
   *
   * Rejects with BAD_OPTION when there is no such commit, REPLAY_DIVERGED when the machine can't decide the log that far.
   */
  async snapshotAt(seq: number): Promise<PastState<TMachine>> {
    const { host, machine, id } = this.instance
    return (await stateAt(
      { journal: host.journal, limits: host.limits, machine, id },
      seq,
    )) as unknown as PastState<TMachine>
  }

  /** What there is to know of the instance now, as plain data. Rejects with CLOSED, and UNKNOWN_INSTANCE when it was purged. */
  info(): Promise<InstanceInfo> {
    return infoOf(this.instance)
  }

  /** Every commit, oldest first, as far as it is durable when the reading begins. */
  async *history(range?: Range): AsyncGenerator<HistoryEntry> {
    for await (const record of this.instance.host.journal.read(this.instance.stream, rangeGiven('history', range)))
      yield entryOf(record)
  }
}
