// How a host leaves.
//
// K10: intake has stopped; what was accepted becomes durable, effects are aborted and waited for, what has finished is
//      recorded, and the journal is released; each wait has an end.
import { isLeft } from 'fp-ts/lib/Either.js'
import type { Engine } from './engine.ts'
import type { Instance } from './instance.ts'

export class Closing {
  private readonly engine: Engine
  /** For all waits for instances together, ms; and once more for who follows the journal. */
  private readonly limit: number
  private over = false
  private goOn: (() => void) | undefined

  constructor(engine: Engine, limit: number) {
    this.engine = engine
    this.limit = limit
  }

  /** Something that is waited for may have come. */
  readonly changed = (): void => this.goOn?.()

  /** Rejects with what the journal answers. */
  async end(): Promise<void> {
    const { instances, clock, logger, pulse, journal, telemetry } = this.engine
    const cancel = clock.after(this.limit, () => {
      this.over = true
      this.changed()
    })
    await this.done(instances.opened())
    await this.all(quiet)
    for (const instance of instances.live.values()) instance.abort()
    await this.all((instance) => instance.runner.idle && quiet(instance))
    for (const instance of instances.live.values()) instance.mark()
    await this.all(quiet)
    await this.done(pulse.close())
    cancel()
    if (this.over) logger.warn(`effects were still running ${this.limit} ms after they were told to stop`)
    for (const instance of [...instances.live.values(), ...instances.held]) instance.close()
    telemetry?.unwatch(this.engine)
    await this.toldAll()
    const closed = await journal.close()()
    if (isLeft(closed)) throw closed.left
  }

  private all(done: (instance: Instance) => boolean): Promise<void> {
    const { live } = this.engine.instances
    return this.until(() => [...live.values()].every(done))
  }

  private done(work: Promise<void>): Promise<void> {
    let done = false
    void work.then(() => {
      done = true
      this.changed()
    })
    return this.until(() => done)
  }

  /** Waits until it is so, or for too long. */
  private async until(so: () => boolean): Promise<void> {
    while (!this.over && !so()) await new Promise<void>((resolve) => (this.goOn = resolve))
  }

  /** Who follows the journal has been told of all commits, or has taken too long. */
  private async toldAll(): Promise<void> {
    const { clock, tail } = this.engine
    let cancel: (() => void) | undefined
    const limit = new Promise<void>((resolve) => (cancel = clock.after(this.limit, resolve)))
    await Promise.race([tail.close(), limit])
    cancel?.()
  }
}

const quiet = (instance: Instance) => instance.quiet || instance.phase === 'broken'
