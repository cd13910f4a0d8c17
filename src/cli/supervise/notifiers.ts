// Who is told when a supervisor gives up (V1): all of them at once, and one that fails keeps the others from nothing.
import { email, webhook } from '../../adapters/notify/index.ts'
import { DuramenError } from '../../ports/errors.ts'
import type { Logger } from '../../ports/logger.ts'
import type { Notifier } from '../../ports/notifier.ts'

export interface People {
  readonly webhook: string | undefined
  readonly email: readonly string[]
  readonly emailFrom: string | undefined
  readonly smtp: string | undefined
}

/** Undefined where nobody is to be told. Throws BAD_OPTION. */
export function notifierFor(
  { webhook: url, email: to, emailFrom, smtp }: People,
  logger: Logger,
): Notifier | undefined {
  const all: Notifier[] = []
  if (url !== undefined) all.push(webhook({ url }))
  if (to.length > 0) {
    if (smtp === undefined || emailFrom === undefined)
      throw new DuramenError('BAD_OPTION', '--email needs a mail server and a sender', {
        hint: 'Give --email-from and --smtp, or DURAMEN_SMTP in the environment, where nobody else sees its password.',
      })
    all.push(email({ to, from: emailFrom, url: smtp }))
  }
  return all.length === 0 ? undefined : together(all, logger)
}

/** Taken once one of them has taken it; what another one says is logged. */
function together(all: readonly Notifier[], logger: Logger): Notifier {
  return {
    name: all.map(({ name }) => name).join(', '),
    notify: (notice, signal) => async () => {
      const answers = await Promise.all(all.map((one) => one.notify(notice, signal)()))
      const taken = answers.find((answer) => answer._tag === 'Right')
      if (taken === undefined) return answers[0]!
      for (const answer of answers) if (answer._tag === 'Left') logger.warn(answer.left.message, answer.left)
      return taken
    },
  }
}
