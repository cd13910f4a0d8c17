// One GET, and one handshake of a WebSocket, each with a limit; never a rejection.
import { createHash, randomBytes } from 'node:crypto'
import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'

export type Answer =
  | { readonly outcome: 'answered'; readonly status: number; readonly body: string }
  | { readonly outcome: 'refused' }
  | { readonly outcome: 'hangs'; readonly limit: number }
  /** `code` says why nothing came: the connection broke, its name is not known, its certificate is refused, it is no HTTP. */
  | { readonly outcome: 'broken'; readonly code: string }

export interface Asking {
  /** ms until the whole answer is there. */
  readonly limit: number
  readonly signal?: AbortSignal
}

/** What is kept of a body; no answer to a health check is longer. */
const MOST = 1 << 18

export async function get(url: URL, { limit, signal }: Asking): Promise<Answer> {
  const timeout = AbortSignal.timeout(limit)
  const stop = signal ? AbortSignal.any([timeout, signal]) : timeout
  try {
    const { status, body } = await begun(url, stop)
    const pieces: Buffer[] = []
    let size = 0
    for await (const piece of body) {
      pieces.push(piece)
      if ((size += piece.length) > MOST) break
    }
    return { outcome: 'answered', status, body: Buffer.concat(pieces).toString('utf8', 0, MOST) }
  } catch (error) {
    if (stop.aborted) return { outcome: 'hangs', limit }
    const { code = 'no HTTP' } = error as NodeJS.ErrnoException
    return code === 'ECONNREFUSED' ? { outcome: 'refused' } : { outcome: 'broken', code }
  }
}

interface Begun {
  readonly status: number
  readonly body: AsyncIterable<Buffer> | readonly Buffer[]
}

/** Not by `fetch`: that has ports which it never asks, and hides why it failed. */
const begun = (url: URL, signal: AbortSignal): Promise<Begun> =>
  new Promise((resolve, reject) => {
    const request = url.protocol === 'https:' ? requestHttps : requestHttp
    request(url, { agent: false, signal, headers: { accept: 'application/json' } })
      .on('response', (response) => resolve({ status: response.statusCode ?? 0, body: response }))
      .on('upgrade', ({ statusCode = 0 }, socket) => {
        socket.destroy() // another protocol, that nobody has asked for
        resolve({ status: statusCode, body: [] })
      })
      .on('error', reject)
      .on('close', () => reject(new Error('closed without an answer'))) // where none of these came
      .end()
  })

/** The body as an object; undefined where it is none. */
export function objectIn(answer: Answer): Record<string, unknown> | undefined {
  if (answer.outcome !== 'answered') return undefined
  try {
    const value: unknown = JSON.parse(answer.body)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined
  } catch {
    return undefined
  }
}

/** `opened`: a WebSocket was, and is closed again. */
export type Handshake =
  | { readonly outcome: 'opened' | 'refused' }
  | { readonly outcome: 'answered'; readonly status: number }
  | { readonly outcome: 'hangs'; readonly limit: number }
  | { readonly outcome: 'broken'; readonly code: string }

/** As RFC 6455 has it; by hand, for Node 20 has no WebSocket, and a WebSocket does not tell why it was refused. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

export function handshake(url: URL, { limit, signal }: Asking): Promise<Handshake> {
  const key = randomBytes(16).toString('base64')
  const expected = createHash('sha1')
    .update(key + GUID)
    .digest('base64')
  return new Promise((resolve) => {
    const request = url.protocol === 'https:' ? requestHttps : requestHttp
    const asking = request(url, {
      agent: false,
      headers: {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': key,
        origin: url.origin,
      },
    })
    const done = (handshake: Handshake) => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', hangs)
      asking.destroy()
      resolve(handshake)
    }
    const hangs = () => done({ outcome: 'hangs', limit })
    const timer = setTimeout(hangs, limit)
    signal?.addEventListener('abort', hangs)
    asking.on('upgrade', ({ headers }, socket) => {
      socket.destroy()
      const right = headers['sec-websocket-accept'] === expected
      done(right ? { outcome: 'opened' } : { outcome: 'broken', code: 'wrong Sec-WebSocket-Accept' })
    })
    asking.on('response', ({ statusCode = 0 }) => done({ outcome: 'answered', status: statusCode }))
    asking.on('error', ({ code = 'no HTTP' }: NodeJS.ErrnoException) =>
      done(code === 'ECONNREFUSED' ? { outcome: 'refused' } : { outcome: 'broken', code }),
    )
    asking.end()
  })
}
