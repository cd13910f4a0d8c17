// K9: instances at rest, for as long as somebody holds them: a held actor stays the same over sleep and waking, and an
// observer hears of what comes after. Those at their end have nothing more to say, and go with who holds them.
// K4: inputs that wait, because their instance could not be read when it was to wake, stay.
import type { Instance } from './instance.ts'

export class Resting {
  private readonly held = new Map<string, WeakRef<Instance>>()
  /** Nobody may hold these, but somebody listens or waits for what it sent. */
  private readonly kept = new Set<Instance>()
  private readonly dropped = new FinalizationRegistry<string>((stream) => {
    if (!this.held.get(stream)?.deref()) this.held.delete(stream)
  })

  get(stream: string): Instance | undefined {
    return this.held.get(stream)?.deref()
  }

  add(instance: Instance): void {
    this.held.set(instance.stream, new WeakRef(instance))
    this.dropped.register(instance, instance.stream, instance)
    if (wanted(instance)) this.kept.add(instance)
  }

  /** It wakes. */
  delete(instance: Instance): void {
    this.held.delete(instance.stream)
    this.dropped.unregister(instance)
    this.kept.delete(instance)
  }

  /** Somebody listens to it now, or nobody any more. */
  listened(instance: Instance): void {
    if (!wanted(instance)) this.kept.delete(instance)
    else if (this.get(instance.stream) === instance) this.kept.add(instance)
  }

  *[Symbol.iterator](): Generator<Instance> {
    for (const ref of this.held.values()) {
      const instance = ref.deref()
      if (instance) yield instance
    }
  }
}

const wanted = ({ active, listeners, queued }: Instance) => (active && listeners.any) || queued > 0
