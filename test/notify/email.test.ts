// V1: people are told by mail, against a real mail server on loopback that refuses, hangs, and breaks off.
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer, type Server } from 'node:net'
import { inspect } from 'node:util'
import { isLeft } from 'fp-ts/lib/Either.js'
import { createTransport } from 'nodemailer'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import { afterEach, expect, it } from 'vitest'
import { type EmailOptions, email } from '../../src/adapters/notify/index.ts'
import { smtpOptions } from '../../src/adapters/notify/smtp.ts'
import type { DuramenError } from '../../src/index.ts'
import type { Notice } from '../../src/ports/notifier.ts'
import { cert, key } from '../support/certificate.ts'
import { noUnhandledRejections } from '../support/host.ts'

noUnhandledRejections()

const PASSWORD = 's3cr3t'
const notice: Notice = { level: 'critical', title: 'CRITICAL: server', text: 'gave up', at: Date.UTC(2025, 11, 17) }
const closing: (() => void)[] = []

afterEach(() => {
  for (const close of closing.splice(0)) close()
})

interface Mail {
  readonly text: string
  readonly from: string
  readonly to: string[]
  readonly secure: boolean
  readonly user: string | undefined
}

/** A mail server; without STARTTLS unless it is asked for. */
async function server(options: SMTPServerOptions = {}) {
  const mails: Mail[] = []
  const it = new SMTPServer({
    authOptional: true,
    logger: false,
    cert,
    key,
    disabledCommands: ['STARTTLS'],
    onAuth({ username, password }, _, done) {
      if (password === PASSWORD) done(null, { user: username })
      else done(new Error('wrong password'))
    },
    async onData(stream, { envelope, secure, user }, done) {
      const text = (await stream.setEncoding('utf8').toArray()).join('')
      const from = envelope.mailFrom ? envelope.mailFrom.address : ''
      mails.push({ text, from, to: envelope.rcptTo.map(({ address }) => address), secure, user: user as string })
      done()
    },
    ...options,
  })
  it.on('error', () => {}) // clients break off
  const listening = it.listen(0, '127.0.0.1')
  closing.push(() => it.close())
  await once(listening, 'listening')
  return { host: `127.0.0.1:${(listening.address() as AddressInfo).port}`, mails, connections: it.connections }
}

/** A server that speaks no SMTP: `on` gets each connection. */
async function stranger(on: (socket: import('node:net').Socket) => void): Promise<string> {
  const it: Server = createServer(on)
  await once(it.listen(0, '127.0.0.1'), 'listening')
  closing.push(() => it.close())
  return `127.0.0.1:${(it.address() as AddressInfo).port}`
}

async function tell(options: Partial<EmailOptions>, what = notice, signal?: AbortSignal) {
  const notifier = email({ from: 'Reader 7 <reader@example.org>', to: 'ops@example.org', ...options })
  expect(notifier.name).not.toContain(PASSWORD)
  const told = await notifier.notify(what, signal)()
  if (!isLeft(told)) return undefined
  expect(inspect(told.left, { depth: 10, showHidden: true })).not.toContain(PASSWORD)
  return told.left as DuramenError
}

it('sends a mail to all of them', async () => {
  const { host, mails } = await server()
  expect(await tell({ url: `smtp://${host}`, to: ['ann@example.org', 'bob@example.org'] })).toBeUndefined()
  expect(mails).toHaveLength(1)
  const { text, ...envelope } = mails[0]!
  expect(envelope).toMatchObject({ from: 'reader@example.org', to: ['ann@example.org', 'bob@example.org'] })
  expect(text).toContain('Subject: CRITICAL: server\r\n')
  expect(text).toContain('gave up')
  expect(text).toContain('Auto-Submitted: auto-generated\r\n')
  expect(text).toContain('Date: Wed, 17 Dec 2025 00:00:00 +0000\r\n')
})

it('a title can not add a header, and a text of a dot does not end the mail', async () => {
  const { host, mails } = await server()
  const title = 'down\r\nBcc: eve@example.org\r\n\r\nbody\u2028x'
  expect(await tell({ url: `smtp://${host}` }, { ...notice, title, text: 'one\r\n.\r\ntwo' })).toBeUndefined()
  const [head] = mails[0]!.text.split('\r\n\r\n')
  expect(head).not.toMatch(/^Bcc:/m)
  expect(mails[0]!.to).toEqual(['ops@example.org'])
  expect(mails[0]!.text).toContain('two')
})

it('gives user and password, on this machine also without encryption', async () => {
  const { host, mails } = await server({ allowInsecureAuth: true })
  expect(await tell({ url: `smtp://ann%40x:${PASSWORD}@${host}` })).toBeUndefined()
  expect(mails[0]!.user).toBe('ann@x')
})

it('a wrong password is not retryable, and is not shown', async () => {
  const { host } = await server({ allowInsecureAuth: true, onAuth: (_auth, _, done) => done(new Error('no')) })
  expect(await tell({ url: `smtp://ann:${PASSWORD}@${host}` })).toMatchObject({
    code: 'NOTIFY_FAILED',
    retryable: false,
    hint: expect.stringContaining('password'),
  })
})

it('STARTTLS with a certificate that nobody vouches for is refused; a transport may say otherwise', async () => {
  const { host, mails } = await server({ disabledCommands: [] })
  expect(await tell({ url: `smtp://${host}` })).toMatchObject({ code: 'NOTIFY_FAILED' })
  const [hostname, port] = host.split(':')
  const transport = createTransport({ host: hostname!, port: Number(port), tls: { ca: cert } })
  expect(await tell({ transport })).toBeUndefined()
  expect(mails).toEqual([expect.objectContaining({ secure: true })])
})

it('what the server says of sender and recipients: 4xx is retryable, 5xx is not', async () => {
  const refuse = (responseCode: number) =>
    server({ onRcptTo: (_, __, done) => done(Object.assign(new Error('not now'), { responseCode })) })
  for (const [status, retryable] of [
    [450, true],
    [550, false],
  ] as const) {
    const { host } = await refuse(status)
    expect(await tell({ url: `smtp://${host}` })).toMatchObject({ code: 'NOTIFY_FAILED', retryable })
  }
})

it('one recipient of two that is refused is said by name', async () => {
  const { host, mails } = await server({
    onRcptTo: ({ address }, _, done) => done(address.startsWith('bob') ? new Error('no bob') : null),
  })
  const error = await tell({ url: `smtp://${host}`, to: ['ann@example.org', 'bob@example.org'] })
  expect(error).toMatchObject({ code: 'NOTIFY_FAILED', retryable: false })
  expect(error!.message).toContain('not taken for bob@example.org')
  expect(mails).toHaveLength(1)
})

it('a server that never greets, and one that breaks off', async () => {
  const silent = await stranger((socket) => void closing.push(() => socket.destroy()))
  expect(await tell({ url: `smtp://${silent}`, timeout: 200 })).toMatchObject({
    code: 'NOTIFY_FAILED',
    retryable: true,
  })
  const rude = await stranger((socket) => socket.destroy())
  expect(await tell({ url: `smtp://${rude}` })).toMatchObject({ code: 'NOTIFY_FAILED', retryable: true })
})

it('a greeting that comes late is waited for', async () => {
  const { host, mails } = await server({ onConnect: (_, done) => setTimeout(done, 300) })
  expect(await tell({ url: `smtp://${host}` })).toBeUndefined()
  expect(mails).toHaveLength(1)
})

it('a server that hangs after the mail is given up, and its connection is closed; so by the signal', async () => {
  const { host, connections } = await server({ onData: (stream) => void stream.resume() })
  expect(await tell({ url: `smtp://${host}`, timeout: 300 })).toMatchObject({ code: 'NOTIFY_FAILED', retryable: true })
  const controller = new AbortController()
  setTimeout(() => controller.abort(), 100)
  expect(await tell({ url: `smtp://${host}` }, notice, controller.signal)).toMatchObject({ code: 'ABORTED' })
  while (connections.size > 0) await new Promise((go) => setTimeout(go, 5))
})

it('the password never goes over a network in plain text', () => {
  const options = (url: string) => smtpOptions(url, 1_000, '')
  expect(options('smtp://a:b@mail.example.org')).toMatchObject({ port: 587, secure: false, requireTLS: true })
  expect(options('smtps://a:b@mail.example.org')).toMatchObject({ port: 465, secure: true })
  expect(options('smtp://a:b@localhost:25')).toMatchObject({ port: 25, requireTLS: false })
  expect(options('smtp://mail.example.org')).toMatchObject({ requireTLS: false })
})

it.each([
  ['url', { url: `http://a:${PASSWORD}@mail.example.org` }],
  ['url', { url: `smtp://a:${PASSWORD}%@mail.example.org` }],
  ['url', {}],
  ['url', { url: `smtp://a:${PASSWORD}@mail.example.org?tls.rejectUnauthorized=false` }],
  ['url', { url: `smtp://a:${PASSWORD}@mail.example.org/inbox` }],
  ['transport', { url: 'smtp://x', transport: createTransport({}) }],
  ['to', { url: 'smtp://x', to: [] }],
  ['to', { url: 'smtp://x', to: 'ann@x.org\nBcc: eve@x.org' }],
])('refuses a wrong %s, without a password', (name, options) => {
  const make = () => email({ from: 'a@b.org', to: 'c@d.org', ...options })
  expect(make).toThrow(
    expect.objectContaining({ code: 'BAD_OPTION', message: expect.stringContaining(`email ${name}`) }),
  )
  expect(make).not.toThrow(PASSWORD)
})
