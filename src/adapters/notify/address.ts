// Where a webhook is. Its path is its password: no error and no name may show it.
import { DuramenError } from '../../ports/errors.ts'

/** The url as it is called. Throws BAD_OPTION, without the url. */
export function webhookAddress(given: unknown): URL {
  const url = parsed(given)
  if (url === undefined) throw wrong('it is no URL', "Give it as a string: 'https://hooks.slack.com/services/…'.")
  if (url.username !== '' || url.password !== '')
    throw wrong('it has a user in it', 'Put it into a header: { headers: { authorization: … } }.')
  if (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname))) return url
  throw wrong(
    `it begins with ${url.protocol}//`,
    'What is told may be private: use https. http is for this machine only.',
  )
}

function parsed(given: unknown): URL | undefined {
  try {
    return typeof given === 'string' || given instanceof URL ? new URL(given) : undefined
  } catch {
    return undefined
  }
}

/** True where what is sent does not leave this machine. */
export const isLoopback = (hostname: string) =>
  hostname === 'localhost' || hostname === '[::1]' || hostname === '::1' || /^127(\.\d+){3}$/.test(hostname)

const wrong = (what: string, hint: string) => new DuramenError('BAD_OPTION', `webhook url: ${what}`, { hint })
