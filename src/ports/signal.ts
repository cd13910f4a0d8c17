// Waiting for as long as a signal allows.

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
