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

/** A copy of a value in which actors are `{ $actor: address }`; `met` hears of each. */
export function withAddresses(value: unknown, met: (actor: AnyActorRef) => void): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Actor) {
    met(value)
    return { $actor: value.sessionId }
  }
  if (Array.isArray(value)) return value.map((item) => withAddresses(item, met))
  if (value instanceof Map)
    return new Map([...value].map(([key, item]) => [withAddresses(key, met), withAddresses(item, met)]))
  if (value instanceof Set) return new Set([...value].map((item) => withAddresses(item, met)))
  if (Object.getPrototypeOf(value) !== Object.prototype) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withAddresses(item, met)]))
}

/** The opposite; works in place, except for the value itself, which it answers. */
export function withActors(value: unknown, actor: (address: string) => unknown): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Actor) return value
  if ('$actor' in value) return actor(String(value.$actor))
  if (value instanceof Map) {
    const entries = [...value].map(([key, item]) => [withActors(key, actor), withActors(item, actor)])
    value.clear()
    for (const [key, item] of entries) value.set(key, item)
  } else if (value instanceof Set) {
    const items = [...value].map((item) => withActors(item, actor))
    value.clear()
    for (const item of items) value.add(item)
  } else if (Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype) {
    const object = value as Record<string, unknown>
    for (const key of Object.keys(object)) object[key] = withActors(object[key], actor)
  }
  return value
}
