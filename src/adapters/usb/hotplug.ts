// D7 When a device comes and goes. Events of the package only say that it is time to look; so nothing depends on their order,
// or on whether they come at all: without udev and in most containers they never do, and nothing says so.
import type { UsbPackage } from './load.ts'

/** How a device is looked for. */
export interface Watched {
  load(): Promise<UsbPackage>
  /** What tells this plugging-in of the device from others; undefined while it is away. */
  look(): Promise<string | undefined>
  /** Which plugging-in is connected, if any; the first look is compared with nothing else. */
  connected(): string | undefined
  /** ms between two looks that no event has asked for. */
  readonly poll: number
}

/** Never throws, and never rejects. The answer ends it. */
export function watchDevice(
  { load, look, connected, poll }: Watched,
  listener: (change: 'attached' | 'detached') => void,
): () => void {
  let ended = false
  let looking: Promise<void> | undefined
  let again = false
  /** Undefined while it is away, null while that is unknown. */
  let known: string | undefined | null = null

  const compare = async () => {
    const now = await look()
    if (ended || now === known) return
    const open = connected()
    const last = known === null ? (open ?? null) : known
    known = now
    if (last === null) return
    // unplugged and plugged in between two looks, and connected anew by now: told of it, one would connect once more
    if (last !== undefined && now !== undefined && now === open) return
    if (last !== undefined) listener('detached')
    if (now !== undefined) listener('attached')
  }
  /** One look at a time; what is asked for meanwhile is one more. */
  const lookOnce = () => {
    if (ended) return
    if (looking) {
      again = true
      return
    }
    looking = compare()
      .catch(() => {}) // what can't be looked at now may be there the next time; connecting says what is wrong
      .then(() => {
        looking = undefined
        if (!again) return
        again = false
        lookOnce()
      })
  }

  lookOnce()
  const polling = setInterval(lookOnce, poll)
  const listening = listen(load, lookOnce).catch(() => undefined) // then there is the polling
  return () => {
    ended = true
    clearInterval(polling)
    listening.then((end) => end?.()).catch(() => {})
  }
}

/** Resolves once events come, with what ends them. */
async function listen(load: () => Promise<UsbPackage>, changed: () => void): Promise<() => Promise<void>> {
  const { Emitter } = await load()
  const emitter = new Emitter()
  const end = async () => {
    await emitter.removeAttach()
    await emitter.removeDetach()
  }
  try {
    await emitter.addAttach(changed)
    await emitter.addDetach(changed)
  } catch (error) {
    await end() // one that is left keeps the process alive
    throw error
  }
  changed() // what has happened before
  return end
}
