// A mail server by its url. The password never goes over a network in plain text: STARTTLS is insisted on where there is one.
import { DuramenError } from '../../ports/errors.ts'
import { optional } from '../../ports/optional.ts'
import { isLoopback } from './address.ts'
import type { MailTransport } from './email.ts'

/** Options of nodemailer for a server. */
export interface SmtpOptions {
  host: string
  port: number
  secure: boolean
  requireTLS: boolean
  auth?: { user: string; pass: string }
  connectionTimeout: number
  greetingTimeout: number
  socketTimeout: number
}

/** A function that gives the transport, made when it is first called. Throws BAD_OPTION, without the url: it holds a password. */
export function smtpTransport(url: unknown, limit: number, hint: string): () => Promise<MailTransport> {
  const options = smtpOptions(url, limit, hint)
  let made: MailTransport | undefined
  return async () => {
    const { createTransport } = await optional('nodemailer', () => import('nodemailer'), 'nodemailer')
    return (made ??= createTransport(options))
  }
}

/** What a url says. */
export function smtpOptions(given: unknown, limit: number, hint: string): SmtpOptions {
  const url = parsed(given)
  if (url === undefined || !/^smtps?:$/.test(url.protocol) || url.hostname === '')
    throw new DuramenError('BAD_OPTION', 'email url: it is no URL that begins with smtp:// or smtps://', { hint })
  if (url.behind !== '')
    throw new DuramenError('BAD_OPTION', 'email url: what it says behind the host is known to nobody here', { hint })
  const secure = url.protocol === 'smtps:'
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const options = {
    host,
    port: Number(url.port) || (secure ? 465 : 587),
    secure,
    requireTLS: url.username !== '' && !secure && !isLoopback(host),
    connectionTimeout: limit,
    greetingTimeout: limit,
    socketTimeout: limit,
  }
  if (url.username === '') return options
  return { ...options, auth: { user: url.username, pass: url.password } }
}

/** User and password as they are, no longer as they are written in a url. */
function parsed(given: unknown) {
  try {
    const { protocol, hostname, port, username, password, pathname, search, hash } = new URL(given as string)
    return {
      protocol,
      hostname,
      port,
      username: decodeURIComponent(username),
      password: decodeURIComponent(password),
      behind: pathname.replace(/^\/$/, '') + search + hash,
    }
  } catch {
    return undefined
  }
}
