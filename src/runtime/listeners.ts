// Who listens to an instance: observers of committed states and handlers of emitted events, by the actor's address, so
// that they outlive the actors when the instance is loaded anew.
import type { AnyEventObject } from 'xstate'
import type { DuramenError } from '../ports/errors.ts'
import type { Logger } from '../ports/logger.ts'
import { NO_ENTRIES, own } from './empty.ts'
import type { ActorSnapshot, Observing } from './turn.ts'

type Handler = { type: string; handler: (event: AnyEventObject, seq: number | undefined) => void }

export class Listeners {
  private observers: Map<string, Set<Observing>> = NO_ENTRIES
  private handlers: Map<string, Set<Handler>> = NO_ENTRIES
  /** Nothing more will come. */
  private over = false
  private waiters: Set<(problem: DuramenError) => void> | undefined
  private readonly logger: Logger
  private readonly turned: () => void

  /** `turned`: there was nobody and now is somebody who listens, or the other way round. */
  constructor(logger: Logger, turned: () => void) {
    this.logger = logger
    this.turned = turned
  }

  /** Somebody listens. */
  get any(): boolean {
    return this.observers.size > 0 || this.handlers.size > 0
  }

  /** An observer of what will come; it completes at once where nothing will. */
  observe(address: string, observer: Observing) {
    if (this.over) {
      observer.complete?.()
      return { unsubscribe() {} }
    }
    return this.add((this.observers = own(this.observers)), address, observer)
  }

  listen(address: string, type: string, handler: (event: AnyEventObject) => void) {
    return this.hear(address, type, (event) => handler(event))
  }

  /** As `listen`; the handler also hears the seq of the commit that emitted the event. */
  hear(address: string, type: string, handler: Handler['handler']) {
    return this.add((this.handlers = own(this.handlers)), address, { type, handler })
  }

  /** Calls back when the instance is parked. */
  whenParked(handler: (problem: DuramenError) => void) {
    this.waiters ??= new Set()
    this.waiters.add(handler)
    return { unsubscribe: () => void this.waiters?.delete(handler) }
  }

  parked(problem: DuramenError): void {
    for (const waiter of [...(this.waiters ?? [])]) waiter(problem)
  }

  changed(address: string, snapshot: ActorSnapshot): void {
    const observers = this.observers.get(address)
    if (!observers) return
    for (const observer of [...observers]) {
      if (snapshot.status === 'error') this.call(() => observer.error?.(snapshot.error))
      else this.call(() => observer.next?.(snapshot))
      if (snapshot.status === 'done' || snapshot.status === 'stopped') this.call(() => observer.complete?.())
    }
    if (snapshot.status !== 'active') this.observers.delete(address)
  }

  /** All may have changed, by what another host did: what each shows now, undefined for one that is gone. */
  caughtUp(shown: (address: string) => ActorSnapshot | undefined): void {
    for (const [address, observers] of [...this.observers]) {
      const snapshot = shown(address)
      if (snapshot) this.changed(address, snapshot)
      else {
        this.observers.delete(address)
        for (const observer of [...observers]) this.call(() => observer.complete?.())
      }
    }
  }

  /** `seq`: of the commit that emits it; none where work outside of a turn does. */
  emit(address: string, event: AnyEventObject, seq?: number): void {
    for (const { type, handler } of [...(this.handlers.get(address) ?? [])])
      if (type === event.type || type === '*') this.call(() => handler(event, seq))
  }

  /** The host closes, or the instance is gone or can't be rebuilt: nothing more will come. */
  complete(): void {
    this.over = true
    for (const observers of this.observers.values())
      for (const observer of observers) this.call(() => observer.complete?.())
    this.observers.clear()
    this.handlers.clear()
  }

  private add<T>(map: Map<string, Set<T>>, address: string, item: T) {
    const first = !this.any
    const set = map.get(address) ?? new Set()
    map.set(address, set.add(item))
    if (first) this.turned()
    const unsubscribe = () => {
      set.delete(item)
      if (set.size === 0 && map.get(address) === set) map.delete(address)
      if (!this.any) this.turned()
    }
    return { unsubscribe }
  }

  /** A listener that throws harms nobody but itself. */
  private call(fn: () => void): void {
    try {
      fn()
    } catch (error) {
      this.logger.error('a listener threw', error as object)
    }
  }
}
