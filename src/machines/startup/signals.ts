// S7 Signals of the process: the first one shuts down, a second one ends at once.
//
// A process ends once, and with it all start-ups of its host: the host is closed when the last of them has ended.
// `npm run` and terminals deliver one Ctrl+C twice within a few ms: that is one.
import { constants } from 'node:os'
import type { HostProcess, SignalName } from '../../ports/process.ts'
import type { Host } from '../../runtime/host.ts'

/** What comes sooner after the first is no second one, ms; also where the clock was put back meanwhile. */
const SAME = 250

/** A start-up of a host: shuts down, and answers the exit code. */
export type Member = (signal: SignalName) => Promise<number>

/** The way out of a process, for all start-ups of a host. */
export class Signals {
  readonly #host: Host
  readonly #members = new Set<Member>()
  readonly #listening = new Set<() => void>()
  /** When the first signal came. */
  #first: number | undefined
  #gone = false

  constructor(host: Host) {
    this.#host = host
  }

  /**
   * Listens from now on; also who listens for none is shut down by what another one has heard. The answer ends that, unless a
   * signal has come: then it lasts until the process has ended, so that a second one still counts.
   */
  listen(process: HostProcess, names: readonly SignalName[], member: Member): () => void {
    const listeners = names.map((name) => [name, () => this.#take(process, name)] as const)
    const off = () => {
      for (const [name, listener] of listeners) process.off(name, listener)
    }
    for (const [name, listener] of listeners) process.on(name, listener)
    this.#members.add(member)
    this.#listening.add(off)
    return () => {
      if (this.#first !== undefined) return
      this.#members.delete(member)
      this.#listening.delete(off)
      off()
    }
  }

  #take(process: HostProcess, name: SignalName): void {
    const now = this.#host.clock.now()
    if (this.#first === undefined) {
      this.#first = now
      void this.#end(name).then((code) => this.#exit(process, code))
    } else if (Math.abs(now - this.#first) >= SAME) this.#exit(process, 128 + (constants.signals[name] ?? 0))
  }

  /** Answers the highest exit code. Who begins meanwhile is shut down, too. */
  async #end(signal: SignalName): Promise<number> {
    const { logger } = this.#host
    logger.info(`${signal}: shutting down`)
    const codes: number[] = []
    for (let n = 0; n < this.#members.size; n = codes.length) {
      const next = [...this.#members].slice(n)
      codes.push(...(await Promise.all(next.map((shutdown) => shutdown(signal)))))
    }
    try {
      await this.#host.close()
    } catch (error) {
      logger.error('the host could not be closed', error as object)
      return 1
    }
    return Math.max(...codes)
  }

  #exit(process: HostProcess, code: number): void {
    if (this.#gone) return // each of the listeners hears a second one
    this.#gone = true
    for (const off of this.#listening) off()
    process.exit(code)
  }
}
