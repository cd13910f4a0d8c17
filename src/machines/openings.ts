// What this process has opened of a host's durable things, by id, and work that waits until it has.
//
// The journal keeps the machine of a device or a schedule, not the driver or the functions that it needs: after a restart its
// effects begin again before anybody has given those, and wait here.

export class Openings<A> {
  readonly #opened = new Map<string, A>()
  /** Those that wait for an id, to be told of it. */
  readonly #waiting = new Map<string, Set<(opened: A) => void>>()

  open(id: string, opened: A): void {
    this.#opened.set(id, opened)
    for (const tell of [...(this.#waiting.get(id) ?? [])]) tell(opened)
  }

  /** Who asks from now on waits until it is opened anew. */
  close(id: string): void {
    this.#opened.delete(id)
  }

  get(id: string): A | undefined {
    return this.#opened.get(id)
  }

  /** Resolves once this process has opened it, at once if it has; rejects with the signal's reason. */
  opened(id: string, signal: AbortSignal): Promise<A> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason)
      const opened = this.#opened.get(id)
      if (opened !== undefined) return resolve(opened)
      const end = () => {
        this.#forget(id, tell)
        signal.removeEventListener('abort', aborted)
      }
      const tell = (opened: A) => {
        end()
        resolve(opened)
      }
      const aborted = () => {
        end()
        reject(signal.reason)
      }
      signal.addEventListener('abort', aborted)
      this.#waiting.set(id, (this.#waiting.get(id) ?? new Set()).add(tell))
    })
  }

  #forget(id: string, tell: (opened: A) => void): void {
    const waiting = this.#waiting.get(id)
    waiting?.delete(tell)
    if (waiting?.size === 0) this.#waiting.delete(id)
  }
}
