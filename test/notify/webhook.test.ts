// V1: people are told by a webhook, against real servers on loopback that hang, refuse, break off and send elsewhere.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingHttpHeaders, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, createServer as createNetServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { inspect } from 'node:util'
import { isLeft } from 'fp-ts/lib/Either.js'
import { afterEach, describe, expect, it } from 'vitest'
import { type WebhookOptions, webhook } from '../../src/adapters/notify/index.ts'
import { type DuramenError, isDuramenError } from '../../src/index.ts'
import type { Notice } from '../../src/ports/notifier.ts'
import { cert, key } from '../support/certificate.ts'
import { noUnhandledRejections } from '../support/host.ts'

noUnhandledRejections()

const SECRET = 'T0/B0/s3cr3tPath'
const notice: Notice = { level: 'critical', title: 'CRITICAL: server', text: 'gave up', at: Date.UTC(2025, 11, 17) }
const servers: Server[] = []

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close()
    server.closeAllConnections()
  }
})

interface Taken {
  readonly method: string | undefined
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** A server that answers the nth request with the nth of `answers`, and the last one from then on. */
async function server(...answers: RequestListener[]) {
  const requests: Taken[] = []
  const it = createServer(async (request, response) => {
    let body = ''
    for await (const part of request) body += part
    requests.push({ method: request.method, headers: request.headers, body })
    answers[Math.min(requests.length, answers.length) - 1]!(request, response)
  })
  servers.push(it)
  await once(it.listen(0, '127.0.0.1'), 'listening')
  const url = `http://127.0.0.1:${(it.address() as AddressInfo).port}/services/${SECRET}`
  return { url, requests }
}

const answer =
  (status: number, headers: Record<string, string> = {}): RequestListener =>
  (_, response) =>
    void response.writeHead(status, headers).end(`no_service ${SECRET}`)

/** What `notify` came to: undefined, or the error, which must not show the secret. */
async function tell(options: WebhookOptions, signal?: AbortSignal, what = notice): Promise<DuramenError | undefined> {
  const notifier = webhook(options)
  expect(notifier.name).not.toContain(SECRET)
  const told = await notifier.notify(what, signal)()
  if (!isLeft(told)) return undefined
  const shown = inspect(told.left, { depth: 10, showHidden: true })
  for (const part of SECRET.split('/').filter((part) => part.length > 2)) expect(shown).not.toContain(part)
  return told.left
}

it('posts what Slack takes: bold title, text, and nothing that mentions everybody', async () => {
  const { url, requests } = await server(answer(200))
  const title = 'CRITICAL: <!channel> a&b'
  expect(await tell({ url }, undefined, { ...notice, title })).toBeUndefined()
  expect(requests).toHaveLength(1)
  expect(requests[0]).toMatchObject({ method: 'POST', headers: { 'content-type': 'application/json' } })
  expect(JSON.parse(requests[0]!.body)).toEqual({ text: '*CRITICAL: &lt;!channel&gt; a&amp;b*\ngave up' })
})

it('nobody can mention everybody, also where others take what is for Slack; a title is one line', async () => {
  const { url, requests } = await server(answer(200))
  const title = '@all\n@Channel down'
  const text = 'ask ann@\u200bhere.org, @everyone @allan'
  expect(await tell({ url }, undefined, { ...notice, title, text })).toBeUndefined()
  expect(JSON.parse(requests[0]!.body)).toEqual({
    text: '*@\u200ball\\u000a@\u200bChannel down*\nask ann@\u200bhere.org, @\u200beveryone @allan',
  })
})

it('a text is never cut within an entity, nor is a title of any length sent', async () => {
  const { url, requests } = await server(answer(200))
  for (let n = 0; n < 5; n++)
    expect(await tell({ url }, undefined, { ...notice, text: 'x'.repeat(n) + '&'.repeat(20_000) })).toBeUndefined()
  for (const { body } of requests) expect(JSON.parse(body).text).toMatch(/x*(&amp;)+…$/)
  for (const { body } of requests) expect(JSON.parse(body).text.replaceAll('&amp;', '')).not.toContain('&')
  const title = 'x'.repeat(1_000)
  for (const format of ['slack', 'json'] as const)
    expect(await tell({ url, format }, undefined, { ...notice, title })).toBeUndefined()
  expect(requests.slice(-2).map(({ body }) => body.match(/x{2,}/)![0].length)).toEqual([200, 200])
})

/** Node 24 gives the parser's words and no code. */
const NO_HTTP = /HPE_|does not match the HTTP/

it('an answer that is no HTTP is not shown: it may hold the url', async () => {
  const echo = createNetServer((socket) => void socket.once('data', (asked) => socket.end(asked)))
  await once(echo.listen(0, '127.0.0.1'), 'listening')
  const url = `http://127.0.0.1:${(echo.address() as AddressInfo).port}/services/${SECRET}`
  const error = await tell({ url, retries: 0 })
  echo.close()
  expect(error).toMatchObject({ code: 'NOTIFY_FAILED', retryable: true, message: expect.stringMatching(NO_HTTP) })
})

it('a timeout of months is no timer of one millisecond', async () => {
  const { url } = await server((_, response) => void setTimeout(() => response.end(), 50))
  expect(await tell({ url, timeout: '60d' })).toBeUndefined()
})

it('posts a notice as JSON, with headers', async () => {
  const { url, requests } = await server(answer(204))
  expect(await tell({ url, format: 'json', headers: { authorization: 'Bearer x' } })).toBeUndefined()
  expect(requests[0]!.headers.authorization).toBe('Bearer x')
  expect(JSON.parse(requests[0]!.body)).toEqual({ ...notice, at: '2025-12-17T00:00:00.000Z' })
})

it('a text of a megabyte is cut to what Slack takes', async () => {
  const { url, requests } = await server(answer(200))
  expect(await tell({ url }, undefined, { ...notice, text: 'x'.repeat(1e6) })).toBeUndefined()
  expect(requests[0]!.body.length).toBeLessThan(31_000)
})

it('tries again after 500, and after a connection that breaks off', async () => {
  const { url, requests } = await server(answer(500), (request) => request.socket.destroy(), answer(200))
  expect(await tell({ url })).toBeUndefined()
  expect(requests).toHaveLength(3)
})

it('gives up after its retries, with what was answered', async () => {
  const { url, requests } = await server(answer(503, { 'retry-after': '0' }))
  const error = await tell({ url, retries: 3 })
  expect(error).toMatchObject({ code: 'NOTIFY_FAILED', retryable: true })
  expect(error!.message).toBe(`webhook ${new URL(url).host}: it answered 503`)
  expect(requests).toHaveLength(4)
})

it('keeps to Retry-After, and gives up at once where that is later than its time', async () => {
  const patient = await server(answer(429, { 'retry-after': '1' }), answer(200))
  const before = performance.now()
  expect(await tell({ url: patient.url })).toBeUndefined()
  expect(performance.now() - before).toBeGreaterThanOrEqual(990)

  const late = await server(answer(429, { 'retry-after': new Date(Date.now() + 3_600_000).toUTCString() }))
  expect(await tell({ url: late.url })).toMatchObject({
    code: 'NOTIFY_FAILED',
    retryable: true,
    message: expect.stringContaining('429'),
  })
  expect(late.requests).toHaveLength(1)
})

it.each([400, 401, 404, 410])('does not try again after %i', async (status) => {
  const { url, requests } = await server(answer(status))
  expect(await tell({ url })).toMatchObject({ code: 'NOTIFY_FAILED', retryable: false, hint: expect.any(String) })
  expect(requests).toHaveLength(1)
})

it('follows no redirect: what is told goes nowhere else', async () => {
  const elsewhere = await server(answer(200))
  const { url } = await server(answer(307, { location: elsewhere.url }))
  expect(await tell({ url })).toMatchObject({ code: 'NOTIFY_FAILED', retryable: false })
  expect(elsewhere.requests).toEqual([])
})

it('a server that hangs is given up after the timeout, and its connection is closed', async () => {
  let closed: (() => void) | undefined
  const gone = new Promise<void>((go) => {
    closed = go
  })
  const { url, requests } = await server((request) => void request.socket.on('close', () => closed!()))
  expect(await tell({ url, timeout: 200 })).toMatchObject({
    code: 'NOTIFY_FAILED',
    retryable: true,
    message: expect.stringContaining('0.2 s'),
  })
  await gone
  expect(requests).toHaveLength(1)
})

it('ends by its signal with ABORTED, before, in the middle, and between attempts', async () => {
  expect(await tell({ url: 'http://127.0.0.1:1' }, AbortSignal.abort())).toMatchObject({ code: 'ABORTED' })
  for (const reply of [() => {}, answer(503, { 'retry-after': '5' })]) {
    const controller = new AbortController()
    const { url } = await server((request, response) => {
      reply(request, response)
      setTimeout(() => controller.abort(), 20)
    })
    expect(await tell({ url }, controller.signal)).toMatchObject({ code: 'ABORTED' })
  }
})

it('nobody listens', async () => {
  const { url } = await server(answer(200))
  servers.pop()!.close()
  const error = await tell({ url, retries: 0 })
  expect(error).toMatchObject({
    code: 'NOTIFY_FAILED',
    retryable: true,
    message: expect.stringContaining('ECONNREFUSED'),
  })
})

describe('https', () => {
  async function tls() {
    const requests: string[] = []
    const it = createTlsServer({ cert, key }, (request, response) => {
      requests.push(request.url!)
      response.end()
    })
    servers.push(it as unknown as Server)
    await once(it.listen(0, '127.0.0.1'), 'listening')
    return { url: `https://localhost:${(it.address() as AddressInfo).port}/${SECRET}`, requests }
  }

  it('a certificate that nobody vouches for is refused', async () => {
    const { url, requests } = await tls()
    const error = await tell({ url, retries: 0 })
    expect(error).toMatchObject({ code: 'NOTIFY_FAILED', message: expect.stringContaining('SELF_SIGNED') })
    expect(requests).toEqual([])
  })

  it('and taken where NODE_EXTRA_CA_CERTS vouches for it', async () => {
    const { url, requests } = await tls()
    const folder = await mkdtemp(join(tmpdir(), 'duramen-notify-'))
    await writeFile(join(folder, 'ca.pem'), cert)
    const script = `import { webhook } from ${JSON.stringify(`file://${resolve('dist/adapters/notify/index.js')}`)}
      console.log((await webhook({ url: process.argv[1] }).notify(${JSON.stringify(notice)})())._tag)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script, url], {
      env: { ...process.env, NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem') },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const said = (await child.stdout.setEncoding('utf8').toArray()).join('')
    expect({ said, requests }).toEqual({ said: 'Right\n', requests: [`/${SECRET}`] })
    await rm(folder, { recursive: true })
  })
})

it.each([
  'http://hooks.example.org/x',
  'http://127.0.0.1.example.org/x',
  'ftp://localhost/x',
  'https://user:pass@hooks.example.org/x',
  'hooks.example.org',
])('refuses %s without showing it', (url) => {
  const refused = () => webhook({ url: url + SECRET })
  expect(refused).toThrow(expect.objectContaining({ code: 'BAD_OPTION' }))
  try {
    refused()
  } catch (error) {
    expect(isDuramenError(error)).toBe(true)
    expect(inspect(error)).not.toContain(SECRET)
  }
})

it('takes http on this machine, by all its names', () => {
  for (const host of ['localhost:80', '127.0.0.1', '127.9.9.9', '[::1]:3000'])
    expect(webhook({ url: `http://${host}/x` }).name).toContain('webhook ')
})

it('headers that HTTP can not send are refused without showing them', () => {
  const refused = () => webhook({ url: 'https://x.org', headers: { authorization: `Bearer ${SECRET}\r\nx: y` } })
  expect(refused).toThrow(expect.objectContaining({ code: 'BAD_OPTION' }))
  expect(refused).not.toThrow(SECRET)
})
