// Images that wait for their store go on as soon as its connection is back, not when their backoff is over.
//
// I2, C1: in both modes only what has failed is tried again; what waits for `processFinal` goes on waiting.
import { distinctUntilChanged, filter, map, type Observable, Subscription } from 'rxjs'
import type { Logger } from '../../ports/logger.ts'
import { printable } from '../../ports/printable.ts'
import { textOf } from '../../ports/thrown.ts'
import type { Connection } from '../connection/index.ts'
import type { ImageActor } from './running.ts'
import type { ImageMessage } from './types.ts'

/** What an image says, with what it waits for beside its backoff. */
export function toldWith(connection: Connection<unknown> | undefined, message: ImageMessage): ImageMessage {
  const state = message.type === 'upload_failed' ? connection?.status().state : undefined
  if (state !== 'connecting' && state !== 'disconnected') return message
  return { ...message, message: `${message.message}, or as soon as the connection is back` }
}

/** What it needs of its pipeline. */
interface Pipeline {
  /** The images under way. */
  images(): readonly ImageActor[]
  /** Clears what interrupted uploads have left in the store. */
  sweep(): Promise<void>
  readonly logger: Logger
}

export class Resuming {
  readonly #pipeline: Pipeline
  readonly #listening = new Subscription()
  /** How often the connection has come. */
  #comes = 0
  /** How often it had when the upload of a content began. */
  readonly #began = new Map<string, number>()

  constructor(connection: Connection<unknown>, events: Observable<{ readonly type: string }>, pipeline: Pipeline) {
    this.#pipeline = pipeline
    const came = connection.status$.pipe(
      map(({ state }) => state),
      distinctUntilChanged(),
      filter((state) => state === 'connected'),
    )
    this.#listening.add(came.subscribe(() => this.#came()))
    // it may have come while an upload was on its way to failing
    const failed = events.pipe(filter(({ type }) => type === 'upload_failed'))
    this.#listening.add(failed.subscribe(() => this.#resume(this.#isNew)))
  }

  /** The upload of a content begins. */
  began(sha256: string): void {
    const known = new Set(this.#pipeline.images().map((image) => image.getSnapshot().context.sha256))
    for (const old of this.#began.keys()) if (!known.has(old)) this.#began.delete(old)
    this.#began.set(sha256, this.#comes)
  }

  end(): void {
    this.#listening.unsubscribe()
  }

  #came(): void {
    if (++this.#comes === 1) void this.#pipeline.sweep()
    this.#resume(() => true)
  }

  readonly #isNew = (sha256: string) => this.#began.get(sha256) !== this.#comes

  #resume(fits: (sha256: string) => boolean): void {
    for (const image of this.#pipeline.images()) {
      const snapshot = image.getSnapshot()
      const { problem, sha256, name } = snapshot.context
      if (problem === null || !snapshot.matches({ images_sources: 'awaitingUpload' }) || !fits(sha256)) continue
      image
        .send({ type: 'UPLOAD' })
        .catch((error) => this.#pipeline.logger.warn(printable(`${name}: waits for its backoff: ${textOf(error)}`)))
    }
  }
}
