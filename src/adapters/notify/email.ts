// Telling by mail. nodemailer is an optional peer, loaded with the first mail.
import type { DuramenError } from '../../ports/errors.ts'
import { assertNames, badOption, optionsGiven } from '../../ports/given.ts'
import type { Notice, Notifier } from '../../ports/notifier.ts'
import { printable } from '../../ports/printable.ts'
import { partOf, textOf } from '../../ports/thrown.ts'
import { type Duration, milliseconds } from '../../runtime/duration.ts'
import { smtpTransport } from './smtp.ts'
import { notTaken, taken } from './taken.ts'

/** A mail as it is given to a transport. */
export interface MailMessage {
  from: string
  to: string[]
  subject: string
  text: string
  date: Date
  headers: { [name: string]: string }
  signal: AbortSignal
}

/** What sends mails: a transporter of nodemailer's `createTransport`, or what is shaped like it. */
export interface MailTransport {
  /** Rejects where nobody takes the mail; resolves with `rejected`, addresses that were refused, where some do. */
  sendMail(message: MailMessage): Promise<unknown>
}

/** Options of `email`. */
export interface EmailOptions {
  /** Who it is from: `'reader@example.org'`, or `'Reader 7 <reader@example.org>'`. */
  readonly from: string
  /** Who it is for, one or several. */
  readonly to: string | readonly string[]
  /**
   * The mail server: `smtp://user:password@mail.example.org:587` or `smtps://…`, shown nowhere. With a password the
   * connection must be encrypted, unless it stays on this machine. Default none: then `transport` is wanted.
   */
  readonly url?: string
  /** In place of `url`, where that can't say it: `nodemailer.createTransport(…)`. Default none. */
  readonly transport?: MailTransport
  /** How long one mail may take. Default 30 s. */
  readonly timeout?: Duration
}

/** Most characters of a subject. */
const SUBJECT = 200
const URL_HINT = "Give url: 'smtp://user:password@host:587', or transport: nodemailer.createTransport(…)."

/**
 * A Notifier that sends a mail to all of `to`. It is taken once the server has taken it for each of them. NOTIFY_FAILED says
 * what came instead, with `retryable`; MISSING_PACKAGE where nodemailer is not installed; ABORTED when the signal was used.
 * Throws BAD_OPTION.
 */
export function email(options: EmailOptions): Notifier {
  const given = optionsGiven('email', options, 'Give { from, to, url }.')
  assertNames('email', given, ['from', 'to', 'url', 'transport', 'timeout'])
  const from = address('email from', given.from)
  const to = (Array.isArray(given.to) ? given.to : [given.to]).map((one) => address('email to', one))
  if (to.length === 0) throw badOption('email to', given.to, 'is nobody', 'Give an address.')
  const limit = milliseconds(given.timeout ?? '30s', 'email timeout')
  const transport = transportOf(given, limit)
  const name = `email to ${to.join(', ')}`
  return {
    name,
    notify: (notice, signal) =>
      taken(name, limit, signal, async (signal) => {
        const sender = await transport()
        const sent = await sender.sendMail(mailOf(notice, from, to, signal)).catch((error: unknown) => {
          throw refused(name, error)
        })
        const rejected = partOf(sent, 'rejected')
        if (Array.isArray(rejected) && rejected.length > 0)
          throw notTaken(name, `not taken for ${rejected.join(', ')}`, 'The others have got it; mend the address.', {
            retryable: false,
          })
      }),
  }
}

function transportOf({ url, transport }: Partial<EmailOptions>, limit: number): () => Promise<MailTransport> {
  if (transport === undefined) return smtpTransport(url, limit, URL_HINT)
  if (url !== undefined || typeof transport?.sendMail !== 'function')
    throw badOption('email transport', typeof transport, url ? 'beside a url' : 'has no sendMail', URL_HINT)
  return async () => transport
}

/** A line of its own in a header would be another header. */
function address(name: string, given: unknown): string {
  if (typeof given === 'string' && given.includes('@') && printable(given) === given) return given
  throw badOption(name, given, 'is no address', "Give one like 'ops@example.org'.")
}

const mailOf = ({ title, text, at }: Notice, from: string, to: string[], signal: AbortSignal): MailMessage => ({
  from,
  to,
  subject: printable(title).slice(0, SUBJECT),
  text: `${title}\n\n${text}\n\n${new Date(at).toISOString()}\n`,
  date: new Date(at),
  headers: { 'Auto-Submitted': 'auto-generated' }, // no "I am on holiday" comes back
  signal,
})

/** What the server said (4xx: later, 5xx: never), or why there was none. */
function refused(name: string, error: unknown): DuramenError {
  const status = partOf(error, 'responseCode')
  const code = partOf(error, 'code')
  const retryable = typeof status === 'number' ? status < 500 : code !== 'EAUTH' && code !== 'ENOAUTH'
  return notTaken(name, textOf(error), hintFor(code), { retryable, cause: error })
}

function hintFor(code: unknown): string {
  switch (code) {
    case 'EAUTH':
    case 'ENOAUTH':
      return 'The mail server wants another user or password.'
    case 'ETLS':
      return 'The mail server offers no encryption, or has a certificate that nobody vouches for (NODE_EXTRA_CA_CERTS).'
    case 'EENVELOPE':
      return 'The mail server refuses the sender or a recipient.'
    default:
      return 'Look whether the mail server can be reached.'
  }
}
