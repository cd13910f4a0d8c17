// What takes the place of XState's own actor prototype.
//
// K1: nothing that a turn does is visible outside it before `show`: getSnapshot and subscribers of every actor of the
//     system, held by whomever, see committed states only.
import { Actor, type AnyEventObject } from 'xstate'
import type { ActorSnapshot, Observing } from '../turn.ts'
import { type InnerActor, SHOWN, STARTING, TREE } from './inside.ts'

/** XState's own methods, to be called where it means them. */
export const base = Actor.prototype as unknown as Record<
  'getSnapshot' | 'subscribe' | 'update' | '_error' | 'start',
  (...args: any[]) => any
>

const nothing = { unsubscribe() {} }

/** The prototype of every actor of an instance. */
export const durableActor = Object.create(Actor.prototype, {
  getSnapshot: {
    value(this: InnerActor) {
      const tree = this[TREE]
      if (tree.turn) return this._snapshot
      return tree.owner.shown(this.sessionId) ?? this[SHOWN] ?? this._snapshot
    },
  },
  subscribe: {
    value(this: InnerActor, a: Observing | ((s: unknown) => void), b?: (e: unknown) => void, c?: () => void) {
      const tree = this[TREE]
      if (tree.turn) {
        if (!this[STARTING]) tree.watchedWithin(this) // else it is XState's own, for onSnapshot
        return base.subscribe.call(this, a, b, c)
      }
      const observer = typeof a === 'function' ? { next: a, ...(b && { error: b }), ...(c && { complete: c }) } : a
      const { status, error } = this.getSnapshot()
      if (status === 'active') return tree.owner.listeners.observe(this.sessionId, observer)
      if (status === 'error') observer.error?.(error)
      else observer.complete?.()
      return nothing
    },
  },
  start: {
    value(this: InnerActor) {
      this[STARTING] = true
      try {
        return base.start.call(this)
      } finally {
        this[STARTING] = false
      }
    },
  },
  on: {
    value(this: InnerActor, type: string, handler: (event: AnyEventObject) => void) {
      if (this[TREE].turn) this[TREE].watchedWithin(this)
      return this[TREE].owner.listeners.listen(this.sessionId, type, handler)
    },
  },
  update: {
    value(this: InnerActor, snapshot: ActorSnapshot, event: AnyEventObject) {
      this[TREE].touch(this)
      base.update.call(this, snapshot, event)
    },
  },
  _error: {
    value(this: InnerActor, error: unknown) {
      this[TREE].touch(this)
      base._error.call(this, error)
    },
  },
})
