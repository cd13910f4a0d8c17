// S6 Who has started the process is told of each step, once that it is ready, once that it stops, and how long to wait.
import { printable } from '../../ports/printable.ts'
import type { ServiceManager } from '../../ports/service.ts'
import { type StartupSnapshot, statusLine } from './report.ts'

export class Telling {
  readonly #service: ServiceManager | undefined
  #line = ''
  #isReady = false
  #stops = false

  constructor(service: ServiceManager | undefined) {
    this.#service = service
  }

  status(snapshot: StartupSnapshot): void {
    if (!this.#service) return
    const line = statusLine(snapshot)
    if (line !== this.#line) this.#service.status(printable(line))
    this.#line = line
  }

  ready(): void {
    if (!this.#isReady) this.#service?.ready()
    this.#isReady = true
  }

  stopping(): void {
    if (!this.#stops) this.#service?.stopping()
    this.#stops = true
  }

  /** To be waited for, ms from now. */
  extend(ms: number): void {
    this.#service?.extend(ms)
  }

  /** Resolves once all that was told has gone out; it never rejects. */
  async close(): Promise<void> {
    await this.#service?.close().catch(() => {}) // what can't be told it logs itself
  }
}
