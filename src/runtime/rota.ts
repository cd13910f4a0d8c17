// Whose turn it is: instances with inputs to decide, instances with commits to give to the journal, and the event loop.
//
// K9: however many inputs wait, for one instance or for all, nobody waits for more than a share of them: an instance decides
//     `SHARE` inputs and goes to the end of the queue, and after `SLICE` ms the event loop has its turn.

/** Inputs that an instance decides in one go. */
export const SHARE = 64
/** Time until the event loop has its turn, ms. */
const SLICE = 5

/** An instance, as it waits for its turn. */
export interface Waiting {
  /** It is in the queue of those with inputs to decide. */
  inRota: boolean
  /** Decides a share of the inputs. */
  pump(): void
  /** Gives decided inputs to the journal. */
  flush(): void
}

export class Rota {
  private ready: Waiting[] = []
  private decided: Waiting[] = []
  private scheduled = false
  /** When the event loop last had its turn. */
  private since = 0

  /** It has more inputs to decide. */
  pumpSoon(instance: Waiting): void {
    if (instance.inRota) return
    instance.inRota = true
    this.ready.push(instance)
    this.schedule()
  }

  /** It has decided inputs; those of this tick go to the journal together. */
  flushSoon(instance: Waiting): void {
    this.decided.push(instance)
    this.schedule()
  }

  private schedule(): void {
    if (this.scheduled) return
    this.scheduled = true
    if (performance.now() - this.since < SLICE) queueMicrotask(this.run)
    else setImmediate(this.begin)
  }

  private readonly begin = (): void => {
    this.since = performance.now()
    this.run()
  }

  private readonly run = (): void => {
    this.scheduled = false
    const { ready } = this
    this.ready = []
    let nth = 0
    do {
      const instance = ready[nth++]
      if (!instance) break
      instance.inRota = false
      instance.pump()
    } while (performance.now() - this.since < SLICE)
    if (nth < ready.length) this.ready = [...ready.slice(nth), ...this.ready]
    const { decided } = this
    this.decided = []
    for (const instance of decided) instance.flush()
    if (this.ready.length) this.schedule()
  }
}
