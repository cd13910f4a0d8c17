// Who listens to an instance: observers of committed states and handlers of emitted events, by the actor's address, so
// that they outlive the actors when the instance is loaded anew.
import type { AnyEventObject } from 'xstate'
import type { Logger } from '../ports/logger.ts'
import type { ActorSnapshot, Observing } from './turn.ts'

type Handler = { type: string; handler: (event: AnyEventObject) => void }

export class Listeners {
  private readonly observers = new Map<string, Set<Observing>>()
  private readonly handlers = new Map<string, Set<Handler>>()
  private readonly logger: Logger

  constructor(logger: Logger) {
    this.logger = logger
  }

  observe(address: string, observer: Observing) {
    return add(this.observers, address, observer)
  }

  listen(address: string, type: string, handler: Handler['handler']) {
    return add(this.handlers, address, { type, handler })
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

  emit(address: string, event: AnyEventObject): void {
    for (const { type, handler } of [...(this.handlers.get(address) ?? [])])
      if (type === event.type || type === '*') this.call(() => handler(event))
  }

  /** The host closes: nothing more will come. */
  complete(): void {
    for (const observers of this.observers.values())
      for (const observer of observers) this.call(() => observer.complete?.())
    this.observers.clear()
    this.handlers.clear()
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

function add<T>(map: Map<string, Set<T>>, address: string, item: T) {
  let set = map.get(address)
  if (!set) map.set(address, (set = new Set()))
  set.add(item)
  return { unsubscribe: () => void set.delete(item) }
}
