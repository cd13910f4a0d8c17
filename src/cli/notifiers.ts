// Whom a command tells, by what stands on its command line and in the environment.
import { email, webhook } from '../adapters/notify/index.ts'
import { DuramenError } from '../ports/errors.ts'
import type { Notifier } from '../ports/notifier.ts'
import type { People } from './commands/people.ts'

/** Throws BAD_OPTION. */
export function notifiersOf({ webhook: url, email: to = [], emailFrom, smtp }: People): readonly Notifier[] {
  const all: Notifier[] = []
  if (url !== undefined) all.push(webhook({ url }))
  if (to.length > 0) {
    if (smtp === undefined || emailFrom === undefined)
      throw new DuramenError('BAD_OPTION', '--email needs a mail server and a sender', {
        hint: 'Give --email-from and --smtp, or DURAMEN_SMTP in the environment, where nobody else sees its password.',
      })
    all.push(email({ to, from: emailFrom, url: smtp }))
  }
  return all
}
