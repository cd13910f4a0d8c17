// One connection, for a moment: who answers there, and with what.
import { connect } from 'node:net'

/** `answered`: connected to `address`, and `reply` is what came first; empty where nothing was asked. */
export type Knock =
  | { readonly outcome: 'answered'; readonly reply: Buffer; readonly address: string }
  | { readonly outcome: 'refused' | 'hangs' | 'closed' }
  | { readonly outcome: 'failed'; readonly code: string }

/** Connects; with `ask`, sends that and waits for the first bytes. Never rejects. */
export function knock(
  host: string,
  port: number,
  { ask, limit, signal }: { ask?: Buffer; limit: number; signal?: AbortSignal },
): Promise<Knock> {
  return new Promise((resolve) => {
    const socket = connect({ host, port })
    let address = host
    const done = (knock: Knock) => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', hangs)
      socket.destroy()
      resolve(knock)
    }
    const hangs = () => done({ outcome: 'hangs' })
    const timer = setTimeout(hangs, limit)
    signal?.addEventListener('abort', hangs)
    socket.on('connect', () => {
      address = socket.remoteAddress ?? host
      if (ask) socket.write(ask)
      else done({ outcome: 'answered', reply: Buffer.alloc(0), address })
    })
    socket.on('data', (reply: Buffer) => done({ outcome: 'answered', reply, address }))
    socket.on('close', () => done({ outcome: 'closed' }))
    socket.on('error', ({ code = 'unknown' }: NodeJS.ErrnoException) =>
      done(code === 'ECONNREFUSED' ? { outcome: 'refused' } : { outcome: 'failed', code }),
    )
  })
}

/** The rest of a sentence that begins with who was asked. */
export function knockSaid(knock: Knock): string {
  switch (knock.outcome) {
    case 'answered':
      return 'answers'
    case 'refused':
      return 'refuses connections'
    case 'hangs':
      return 'does not answer'
    case 'closed':
      return 'closes the connection'
    case 'failed':
      return knock.code === 'ENOTFOUND' ? 'is a name that nobody knows' : `can't be reached: ${knock.code}`
  }
}
