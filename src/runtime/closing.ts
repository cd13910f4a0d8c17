// How a host leaves.
//
// K10: intake has stopped, callbacks and observables with it; what was accepted becomes durable, effects are aborted and
//      waited for, what has finished is recorded, and the journal is released; each wait has an end. Who comes into memory
//      meanwhile is told as those that are there.
import { must } from '../ports/answer.ts'
import type { Engine } from './engine.ts'
import type { Instance } from './instance.ts'

export class Closing {
  private readonly engine: Engine
  /** For all waits for instances together, ms; and once more for who follows the journal. */
  private readonly limit: number
  private over = false
  /** Effects are told to stop. */
  private aborting = false
  /** What did not come to its end within the limit. */
  private awaited = ''
  private goOn: (() => void) | undefined

  constructor(engine: Engine, limit: number) {
    this.engine = engine
    this.limit = limit
  }

  /** Something that is waited for may have come. */
  readonly changed = (): void => this.goOn?.()

  /** An instance is in memory while the host closes. */
  tell(instance: Instance): void {
    if (this.aborting) instance.abort()
    else instance.hush()
  }

  /** Rejects with what the journal answers. */
  async end(): Promise<void> {
    const { instances, clock, logger, pulse, journal, telemetry } = this.engine
    const cancel = clock.after(this.limit, () => {
      this.over = true
      this.changed()
    })
    for (const instance of instances.live.values()) this.tell(instance)
    await this.done('instances were still being loaded', instances.opened())
    await this.all('what was accepted was not durable yet', quiet)
    this.aborting = true
    for (const instance of instances.live.values()) this.tell(instance)
    await this.all('effects that were told to stop still ran', (i) => i.runner.idle && quiet(i))
    for (const instance of instances.live.values()) instance.mark()
    await this.all('what has finished was not on record yet', quiet)
    await this.done('the journal had not taken the time of the end', pulse.close())
    cancel()
    if (this.over) logger.warn(`close() has waited for ${this.limit} ms, then gone on: ${this.awaited}`)
    for (const instance of [...instances.live.values(), ...instances.held]) instance.close()
    telemetry?.unwatch(this.engine)
    await this.toldAll()
    await Promise.all([...this.engine.endings].map((end) => end()))
    await must('journal.close', journal.close())
  }

  /** `otherwise`: how it is called where it takes too long. */
  private all(otherwise: string, done: (instance: Instance) => boolean): Promise<void> {
    const { live } = this.engine.instances
    return this.until(otherwise, () => [...live.values()].every(done))
  }

  private done(otherwise: string, work: Promise<void>): Promise<void> {
    let done = false
    void work.then(() => {
      done = true
      this.changed()
    })
    return this.until(otherwise, () => done)
  }

  /** Waits until it is so, or for too long. */
  private async until(otherwise: string, so: () => boolean): Promise<void> {
    if (!this.over) this.awaited = otherwise
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
