// The state of an instance's actors as plain data. XState's own persisted snapshot loses references to anything but an
// actor's own children, shares its objects with the live context, and forgets stopped children; hence an own format, in
// which an actor is its address.
//
// K3: a checkpoint is a cache: with it and the records behind it, a state comes out as it does from all records.
import { Actor, type AnyActorRef } from 'xstate'
import type { Timer } from './turn.ts'

/** One actor of a machine, or what else can be a child. */
export interface ActorState {
  readonly status: string
  readonly children?: Readonly<Record<string, unknown>>
  readonly value?: unknown
  readonly [other: string]: unknown
}

export interface ChildState {
  readonly src: string
  readonly systemId?: string
  readonly syncSnapshot?: boolean
  readonly address: string
  /** It has ended and is still among the children. */
  readonly stopped?: true
  readonly snapshot: ActorState
}

/** What is left of an actor that is gone. */
export interface TombState {
  readonly id: string
  readonly src: string
  readonly systemId?: string
  /** Its parent: `{ $actor: address }`. */
  readonly parent: unknown
  /** Its children are `{ $actor: address }`. */
  readonly snapshot: ActorState
}

/** All actors of an instance. */
export interface TreeState {
  readonly root: ActorState
  /** Actors that are gone and to which someone still holds a reference, by address. */
  readonly tombs: Readonly<Record<string, TombState>>
  readonly timers: readonly Timer[]
}

/**
 * Copies values so that actors in them are `{ $actor: address }`; `met` hears of each. What is one object stays one, also
 * among the copies of several calls.
 */
export function addressing(met: (actor: AnyActorRef) => void): (value: unknown) => unknown {
  const copies = new Map<object, unknown>()
  const copy = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return value
    const known = copies.get(value)
    if (known !== undefined) return known
    const made = (empty: object) => {
      copies.set(value, empty) // before what is in it, which may hold it again
      return empty
    }
    if (value instanceof Actor) {
      met(value)
      return made({ $actor: value.sessionId })
    }
    if (Array.isArray(value)) {
      const items = made(new Array(value.length)) as unknown[]
      for (const key of Object.keys(value)) items[key as never] = copy(value[key as never]) as never
      return items
    }
    if (value instanceof Map) {
      const entries = made(new Map()) as Map<unknown, unknown>
      for (const [key, item] of value) entries.set(copy(key), copy(item))
      return entries
    }
    if (value instanceof Set) {
      const items = made(new Set()) as Set<unknown>
      for (const item of value) items.add(copy(item))
      return items
    }
    // what the codec can't keep is left for it to refuse
    if (Object.getPrototypeOf(value) !== Object.prototype || Object.getOwnPropertySymbols(value).length > 0)
      return value
    const object = {}
    made('$actor' in value || '$plain' in value ? { $plain: object } : object)
    for (const [key, item] of Object.entries(value))
      Object.defineProperty(object, key, { value: copy(item), writable: true, enumerable: true, configurable: true })
    return copies.get(value)
  }
  return copy
}

/** The opposite; works in place, except for the value itself, which it answers. `seen`: objects that are done. */
export function withActors(value: unknown, actor: (address: string) => unknown, seen = new Set<unknown>()): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Actor) return value
  if ('$actor' in value && !seen.has(value)) return actor(String(value.$actor))
  const plain = '$plain' in value && !seen.has(value) ? value.$plain : value
  if (seen.has(plain)) return plain
  seen.add(plain)
  const revive = (item: unknown) => withActors(item, actor, seen)
  if (plain instanceof Map) {
    const entries = [...plain].map(([key, item]) => [revive(key), revive(item)])
    plain.clear()
    for (const [key, item] of entries) plain.set(key, item)
  } else if (plain instanceof Set) {
    const items = [...plain].map(revive)
    plain.clear()
    for (const item of items) plain.add(item)
  } else if (Array.isArray(plain) || Object.getPrototypeOf(plain) === Object.prototype) {
    const object = plain as Record<string, unknown>
    for (const key of Object.keys(object)) object[key] = revive(object[key])
  }
  return plain
}
