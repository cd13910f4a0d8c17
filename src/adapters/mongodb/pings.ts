// Behind a load balancer the driver watches no server, and takes none for gone: pings tell whether the database answers (C1).
import { setTimeout as sleep } from 'node:timers/promises'
import type { Db } from 'mongodb'
import { untilAborted } from '../../ports/signal.ts'

/**
 * Pings the database of a load-balanced client every `heartbeatFrequencyMS`, while it is open, and tells of each ping that
 * comes to nothing and of the first that is answered again. The answer ends it.
 */
export function pingBalanced(db: Db, isOpen: () => boolean, listener: (change: 'up' | 'down') => void): () => void {
  const { options } = db.client
  const over = new AbortController()
  const ping = async () => {
    const limit = AbortSignal.timeout(options.connectTimeoutMS || options.heartbeatFrequencyMS)
    return await untilAborted(db.command({ ping: 1 }, { signal: limit }), limit).then(
      () => true,
      (error) => error?.name === 'MongoServerError', // that is an answer, too
    )
  }
  const beat = async () => {
    for (let wasUp = true; ; ) {
      await sleep(options.heartbeatFrequencyMS, undefined, { signal: over.signal, ref: false })
      // only now: it may stand in what DNS says of the name
      if (!options.loadBalanced || !isOpen()) continue
      const isUp = await ping()
      if (over.signal.aborted || !isOpen()) continue
      if (!isUp || !wasUp) listener(isUp ? 'up' : 'down')
      wasUp = isUp
    }
  }
  beat().catch(() => {}) // it is over
  return () => over.abort()
}
