// Waiting for as long as a signal or a limit allows, and signals that follow others.
import type { Clock } from './clock.ts'

/**
 * What a promise comes to, or the signal's reason where that is first. Who answers the same signal knows more of why, and has
 * until the next turn of the loop for it. What the promise comes to later is nobody's.
 */
export function untilAborted<A>(promise: Promise<A>, signal: AbortSignal): Promise<A> {
  return new Promise((resolve, reject) => {
    const aborted = () => setImmediate(reject, signal.reason)
    if (signal.aborted) aborted()
    else signal.addEventListener('abort', aborted, { once: true })
    void promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', aborted))
  })
}

/** Resolves after so many ms; rejects with the signal's reason where that is first. */
export function sleep(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason)
    const aborted = () => {
      cancel()
      reject(signal.reason)
    }
    const cancel = clock.after(ms, () => {
      signal.removeEventListener('abort', aborted)
      resolve()
    })
    signal.addEventListener('abort', aborted, { once: true })
  })
}

/** What a promise comes to, or, after so long, what `late` answers or throws. */
export async function within<A, B>(clock: Clock, ms: number, promise: Promise<A>, late: () => B): Promise<A | B> {
  let cancel = () => {}
  const passed = new Promise<void>((resolve) => {
    cancel = clock.after(ms, resolve)
  })
  return Promise.race([promise, passed.then(late)]).finally(cancel)
}

/** Aborts with the first of the signals; the answer ends that, which AbortSignal.any can't: it leaves something at those that last. */
export function linked(signals: readonly (AbortSignal | undefined)[], controller: AbortController): () => void {
  const links = signals.map((signal) => {
    const abort = () => controller.abort(signal?.reason)
    if (signal?.aborted) abort()
    else signal?.addEventListener('abort', abort, { once: true })
    return () => signal?.removeEventListener('abort', abort)
  })
  return () => {
    for (const unlink of links) unlink()
  }
}
