// Waits until a file may have changed: told by the file system where it can, and at intervals, for many can't (of other
// machines, say), and none tells that a process was killed.
import { type FSWatcher, watch } from 'node:fs'

export class Changes {
  readonly #path: string
  readonly #interval: number
  #watcher: FSWatcher | undefined
  #changed = false
  #wake = () => {}

  /** `interval`: in ms. */
  constructor(path: string, interval: number) {
    this.#path = path
    this.#interval = interval
  }

  /** Forgets what has changed so far: call it before the file is looked at. */
  begin(): void {
    this.#changed = false
    this.#watch()
  }

  /** Resolves once there was a change since `begin`, or the interval is over, or `signal` is aborted. */
  async next(signal: AbortSignal): Promise<void> {
    if (this.#changed || signal.aborted) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.#interval)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
      signal.addEventListener('abort', this.#wake)
    })
    signal.removeEventListener('abort', this.#wake)
    this.#wake = () => {}
  }

  close(): void {
    this.#watcher?.close()
    this.#watcher = undefined
  }

  /** Where that is not possible, or not any more, it is tried again at the next interval. */
  #watch(): void {
    if (this.#watcher !== undefined) return
    try {
      const watcher = watch(this.#path, { persistent: false }, (what) => {
        this.#changed = true
        if (what === 'rename') this.close()
        this.#wake()
      })
      watcher.on('error', () => this.close())
      this.#watcher = watcher
    } catch {
      this.close()
    }
  }
}
