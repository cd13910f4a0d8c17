// The part of a commit that is understood without the machine's code, as text.
import type { StateValue } from 'xstate'
import type { CommitOutcome, EffectRecord, TimerRecord } from '../journal/records.ts'
import type { DurableMachine } from './durable.ts'
import { pinned } from './pin.ts'
import { type Effect, ROOT, type Timer, type Turn } from './turn.ts'
import type { ActorTree } from './xstate/tree.ts'

/** A delayed transition as a commit names it. */
export const timerRecord = ({ key, due, target, event }: Timer): TimerRecord => ({
  key,
  due,
  ...(target !== ROOT && { target }),
  type: event.type,
})

/** Work as a commit names it; nothing for other effects. */
export function effectRecord(effect: Effect): EffectRecord | undefined {
  if (effect.kind === 'start') return { key: effect.key, kind: effect.logic, src: effect.src }
  if (effect.kind !== 'action') return undefined
  return { key: effect.key, kind: effect.kind, src: effect.src, ...(effect.path !== ROOT && { path: effect.path }) }
}

/** What a turn, or a mark, made of the machine. The same turn gives the same text, always. */
export function outcomeText(
  machine: DurableMachine,
  place: { seq: number; at: number; host?: string | undefined },
  tree: ActorTree,
  turn: Turn | undefined,
): string {
  const root = tree.decided
  const outcome: { -readonly [K in keyof CommitOutcome]: CommitOutcome[K] } = { value: root.value as StateValue }
  if (root.status !== 'active') outcome.status = root.status
  if (root.tags?.size) outcome.tags = [...root.tags]
  if (turn) {
    if (!turn.handled) outcome.handled = false
    if (turn.set.length || turn.gone.length)
      outcome.timers = {
        ...(turn.set.length && { set: turn.set.map(timerRecord) }),
        ...(turn.gone.length && { gone: turn.gone }),
      }
    const started = turn.effects.length ? turn.effects.map(effectRecord).filter((e) => e !== undefined) : []
    if (started.length || turn.ended.length)
      outcome.effects = { ...(started.length && { started }), ...(turn.ended.length && { ended: turn.ended }) }
  }
  if (tree.due !== undefined) outcome.due = tree.due
  if (tree.running) outcome.running = tree.running
  const { attributes } = machine.options
  if (attributes)
    outcome.attributes = pinned(place.at, { host: place.host, seq: place.seq, stream: tree.chance }, () =>
      attributes(root as never),
    )
  return JSON.stringify(outcome)
}
