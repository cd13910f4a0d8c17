// What becomes of an instance and its inputs when the journal refuses an append, or can't give the instance back.
//
// K1: who waits for the answer is told; what nobody can send again goes back into the queue.
// K2 K11: after a conflict or an unknown outcome the instance is loaded anew, and the same inputs are decided again.
// K9: not for ever.
import type { DuramenError } from '../ports/errors.ts'
import type { Decided } from './commits.ts'
import { ofJournal, outcomeUnknown } from './failures.ts'
import type { InDoubt } from './in-doubt.ts'
import { afresh } from './inputs.ts'
import type { Instance } from './instance.ts'
import type { Mailbox } from './mailbox.ts'

/** How often in a row a conflict or an unknown outcome is decided again. */
const CONFLICTS = 10
/** Between tries while the journal is in trouble, ms. */
const RETRY_AFTER = 1000

export class Trouble {
  private readonly instance: Instance
  private readonly mailbox: Mailbox
  private readonly inDoubt: InDoubt
  private conflicts = 0

  constructor(instance: Instance, mailbox: Mailbox, inDoubt: InDoubt) {
    this.instance = instance
    this.mailbox = mailbox
    this.inDoubt = inDoubt
  }

  /** The journal has taken an append. */
  over(): void {
    this.conflicts = 0
  }

  /** An append failed: nothing that was decided since holds; the instance is loaded anew once it is asked to go on. */
  failed(all: Decided[], error: DuramenError): void {
    const { where, host, runner, holding } = this.instance
    host.tally.notAppended(error, host.clock.now())
    for (const { header, input } of all.toReversed()) runner.back(header, input.ruling)
    const again = (error.code === 'CONFLICT' || error.code === 'OUTCOME_UNKNOWN') && ++this.conflicts <= CONFLICTS
    if (again) return this.inDoubt.add(all, error.code === 'OUTCOME_UNKNOWN')
    for (const { input } of all) {
      if (input.keep) continue
      // a journal that has failed can't be asked any more about what was in doubt before
      const unknown = input.doubted && error.code === 'JOURNAL_FAILED'
      input.caller?.reject(unknown ? outcomeUnknown(where, error) : ofJournal(where, error))
    }
    let back = all.filter(({ input }) => input.keep)
    if (!error.retryable) back = back.filter(({ input }) => input.op === undefined) // parked in memory alone
    this.mailbox.putBack(...back.map((d) => afresh(d.input)))
    if (back.length === 0) return
    if (error.retryable) this.pause(error)
    else if (!holding.stuck) holding.stick(ofJournal(where, error))
  }

  /** The journal is in trouble that may pass: go on in a while. */
  pause(error: DuramenError): void {
    const { instance } = this
    const { host, stream } = instance
    host.logger.warn(`${stream}: ${error.message}; trying again in ${RETRY_AFTER} ms`, error)
    instance.phase = 'waiting'
    host.clock.after(RETRY_AFTER, () => {
      if (instance.phase !== 'waiting') return
      instance.phase = 'live'
      instance.pump()
    })
  }

  /** The instance can't be rebuilt: it takes nothing any more, the others go on. */
  broke(error: DuramenError): void {
    const { instance } = this
    instance.phase = 'broken'
    instance.holding.stuck = error
    instance.host.logger.error(`${instance.stream} can't be loaded: ${error.message}`, error)
    this.mailbox.refuse(error)
    instance.listeners.complete()
    instance.host.finished(instance)
  }
}
