// The world of a machine in given/when/then: its effects are noted instead of run, its work waits for the results that the
// test gives.
import { Observable } from 'rxjs'
import {
  type AnyActorLogic,
  type AnyActorRef,
  type AnyEventObject,
  fromCallback,
  fromEventObservable,
  fromObservable,
  fromPromise,
} from 'xstate'
import type { StandIn } from '../runtime/turn.ts'
import { kindOf } from '../runtime/xstate/logic.ts'

/** An effect that would have begun. */
export interface CapturedEffect {
  /** Name of the action, or of the actor that was started. */
  readonly src: string
  /** Of an action. */
  readonly params?: unknown
  /** Of a promise, callback or observable that was started. */
  readonly input?: unknown
  /** That a callback was sent. */
  readonly event?: unknown
}

/** A promise, callback or observable that waits for what the test says. */
interface Running {
  readonly src: string
  readonly id: string
  resolved?(output: unknown): void
  rejected?(error: unknown): void
  sent?(value: unknown): void
}

export class Stage implements StandIn {
  /** In the order in which they began. */
  effects: CapturedEffect[] = []
  private readonly running = new Set<Running>()

  action(src: string, params: unknown): void {
    this.effects.push(params === undefined ? { src } : { src, params })
  }

  work(src: string, logic: AnyActorLogic): AnyActorLogic {
    const started = (input: unknown, self: AnyActorRef, ends: Omit<Running, 'src' | 'id'>) => {
      this.effects.push(input === undefined ? { src } : { src, input })
      const run: Running = { src, id: self.id, ...ends }
      this.running.add(run)
      return () => void this.running.delete(run)
    }
    const observe = ({ input, self }: { input: unknown; self: AnyActorRef }) =>
      new Observable<any>((subscriber) =>
        started(input, self, {
          resolved: () => subscriber.complete(),
          rejected: (error) => subscriber.error(error),
          sent: (value) => subscriber.next(value),
        }),
      )
    switch (kindOf(logic)) {
      case 'promise':
        return fromPromise<unknown, any>(
          ({ input, self, signal }) =>
            new Promise((resolve, reject) => {
              const over = started(input, self, { resolved: resolve, rejected: reject })
              signal.addEventListener('abort', () => {
                over()
                reject(signal.reason)
              })
            }),
        )
      case 'callback':
        return fromCallback<AnyEventObject, any>(({ input, self, sendBack, receive }) => {
          receive((event) => void this.effects.push({ src, event }))
          return started(input, self, { sent: (value) => sendBack(value as AnyEventObject) })
        })
      default:
        return logic.transition.toString() === eventObservable ? fromEventObservable(observe) : fromObservable(observe)
    }
  }

  /** Gives a result to what has run longest under this name. */
  give(name: string, kind: 'resolved' | 'rejected' | 'sent', value: unknown): void {
    const found = [...this.running].find(({ src, id }) => src === name || id === name)
    if (!found) {
      const names = [...this.running].map(({ src }) => `'${src}'`).join(', ') || 'nothing'
      throw new Error(`${kind} '${name}': it is not running; what runs: ${names}`)
    }
    const take = found[kind]
    if (!take) throw new Error(`${kind} '${name}': ${found.sent ? 'a callback' : 'a promise'} can't do that`)
    if (kind !== 'sent') this.running.delete(found)
    take(value)
  }
}

const eventObservable = fromEventObservable(() => new Observable<any>()).transition.toString()
