// The images of a pipeline that are under way in this process: each with its actor, from its claim to its end.
//
// I2 a journal in trouble that may pass is asked again for as long as it takes.
// I5 equal content goes one after the other, so that the second finds the first one's in the store.
import type { Observer } from 'rxjs'
import type { SnapshotFrom } from 'xstate'
import type { DuramenError } from '../../ports/errors.ts'
import { sleep } from '../../ports/signal.ts'
import type { DurableActor } from '../../runtime/actor.ts'
import { systemClock } from '../../runtime/clock.ts'
import type { DurableMachine } from '../../runtime/durable.ts'
import type { Host } from '../../runtime/host.ts'
import { backoff } from '../problems.ts'
import { type imageMachine, preparedText, rejectedText, stateName } from './machine.ts'
import type { PipelineGiven } from './options.ts'
import { toldWith } from './resuming.ts'
import type { Active, ImageInput, ImageMessage, Outcome } from './types.ts'

export type ImageActor = DurableActor<typeof imageMachine>

/** Who hears what they say. */
type Events = Pick<Observer<ImageMessage & { readonly id: string }>, 'next'>

export class Running {
  readonly machine: DurableMachine<typeof imageMachine>
  readonly #host: Host
  readonly #given: PipelineGiven
  readonly #events: Events
  readonly #current = new Map<string, ImageActor>()
  /** The end of the last image of each content. */
  readonly #sameContent = new Map<string, Promise<void>>()
  /** Images that can't be asked yet: they wait for equal content, or for the journal. */
  readonly #behind = new Set<string>()

  constructor(host: Host, machine: DurableMachine<typeof imageMachine>, given: PipelineGiven, events: Events) {
    this.#host = host
    this.machine = machine
    this.#given = given
    this.#events = events
  }

  /** The actors of those that can be asked, in the same order. */
  of(active: readonly Active[]): ImageActor[] {
    return active.flatMap(({ id }) => this.#current.get(id) ?? [])
  }

  /** Resolves once all of them can be asked, or wait themselves, so that what comes next finds them; rejects with the signal's reason. */
  async known(active: () => readonly Active[], signal: AbortSignal): Promise<void> {
    const missing = () => active().some(({ id }) => !this.#current.has(id) && !this.#behind.has(id))
    while (missing()) await sleep(systemClock, 5, signal)
  }

  /** The image that was claimed, from its begin, or from where an earlier process has left it, to its end. */
  async run({ id, ...claimed }: Active, signal: AbortSignal): Promise<Outcome> {
    const { sha256 } = claimed
    const before = this.#sameContent.get(sha256)
    let done = () => {}
    const mine = new Promise<void>((resolve) => (done = resolve))
    this.#sameContent.set(sha256, mine)
    try {
      if (before) this.#behind.add(id)
      await before
      const { mode, retry, processAttempts } = this.#given
      const { actor, isNew } = await this.#actor(id, { ...claimed, mode, retry, processAttempts }, signal)
      return await this.#followed(actor, isNew, signal)
    } finally {
      this.#behind.delete(id)
      done()
      if (this.#sameContent.get(sha256) === mine) this.#sameContent.delete(sha256)
    }
  }

  async #actor(id: string, input: ImageInput, signal: AbortSignal) {
    for (let tries = 1; ; tries++) {
      try {
        return { actor: await this.#host.actor(this.machine, id, { input, create: 'only' }), isNew: true }
      } catch (error) {
        const { code, retryable } = error as DuramenError
        if (code === 'INSTANCE_EXISTS')
          return { actor: await this.#host.actor(this.machine, id, { create: false }), isNew: false }
        if (!retryable) throw error
        this.#behind.add(id)
        await sleep(systemClock, backoff(this.#given.retry, tries), signal)
      }
    }
  }

  async #followed(actor: ImageActor, isNew: boolean, signal: AbortSignal): Promise<Outcome> {
    const { id } = actor
    const tell = (message: ImageMessage) => this.#events.next({ ...message, id })
    this.#current.set(id, actor)
    this.#behind.delete(id)
    const listening = actor.on('*', (message) => tell(toldWith(this.#given.connection, message)))
    // what its first commit had to say went before anyone could listen
    const first = firstMessage(actor.getSnapshot(), isNew)
    if (first) tell(first)
    try {
      const end = await actor.waitFor(({ status }) => status === 'done', { signal })
      return end.context.outcome!
    } finally {
      listening.unsubscribe()
      this.#current.delete(id)
    }
  }
}

/** What an image has to say when it is taken, or waits when its pipeline is opened again. */
function firstMessage({ value, context }: SnapshotFrom<typeof imageMachine>, isNew: boolean): ImageMessage | undefined {
  const { name, problem } = context
  const said = { name, problem, awaiting_upload: false }
  const state = stateName(value)
  if (state === 'rejected' || (isNew && context.refused !== undefined))
    return { ...said, type: 'rejected', message: `${name}: ${rejectedText(context)}` }
  if (state !== 'prepared' && !isNew) return undefined
  return { ...said, type: 'prepared', message: `${name}: ${preparedText(context)}` }
}
