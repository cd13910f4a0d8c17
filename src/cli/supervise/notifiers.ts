// Who is told when a supervisor gives up (V1): all of them at once, and one that fails keeps the others from nothing.
import type { Logger } from '../../ports/logger.ts'
import type { Notifier } from '../../ports/notifier.ts'
import type { People } from '../commands/people.ts'
import { notifiersOf } from '../notifiers.ts'

/** Undefined where nobody is to be told. Throws BAD_OPTION. */
export function notifierFor(people: People, logger: Logger): Notifier | undefined {
  const all = notifiersOf(people)
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
