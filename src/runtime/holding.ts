// What holds one instance, by its last record or in memory alone, and what becomes of operators' inputs.
//
// K8: where nobody waits for the answer the instance is parked. That is a record, made on a clean state; only what the journal
//     refuses to take is kept in memory.
import type { DuramenError } from '../ports/errors.ts'
import type { Decided } from './commits.ts'
import { parked, paused, withSkip } from './failures.ts'
import { plainProblem, problemOf } from './hold.ts'
import { afresh, type Input, type Ruling } from './inputs.ts'
import type { Instance } from './instance.ts'
import { type Mailbox, nameOf } from './mailbox.ts'
import { type Operation, operatorInput, rule } from './operators.ts'

/** What is decided while the instance is held by what is in the journal, and while it is parked in memory. */
const WHILE_HELD = ['operator', 'mark'] as const
const WHILE_STUCK = ['operator'] as const

export class Holding {
  /** Why the instance takes no more events, where that is not, or not yet, in the journal. */
  stuck: DuramenError | undefined
  private readonly instance: Instance
  private readonly mailbox: Mailbox

  constructor(instance: Instance, mailbox: Mailbox) {
    this.instance = instance
    this.mailbox = mailbox
  }

  /** It takes nothing but what operators do, and marks. */
  get held(): boolean {
    return this.stuck !== undefined || this.instance.last?.header.held !== undefined
  }

  /** It is parked, broken or gone. */
  get troubled(): boolean {
    return this.stuck !== undefined || this.instance.last?.header.problem !== undefined
  }

  /** Why it is parked, broken or gone, where it is. */
  get problem(): DuramenError | undefined {
    const plain = this.instance.last?.header.problem
    return this.stuck ?? (plain && problemOf(plain))
  }

  /** Why events from outside are refused. */
  get refusal(): DuramenError {
    const { problem } = this
    return problem ? parked(this.instance.where, problem) : paused(this.instance.where)
  }

  /** The next that is decided all the same. */
  next(): Input | undefined {
    return this.mailbox.nextOf(this.stuck ? WHILE_STUCK : WHILE_HELD)
  }

  /** Whether there is one. */
  get waits(): boolean {
    return this.mailbox.has(this.stuck ? WHILE_STUCK : WHILE_HELD)
  }

  /** What becomes of an operator's input, as all is now. */
  rule(input: Input): Ruling | 'nothing' | DuramenError {
    const { where, tree, runner, last } = this.instance
    const waits = (key: string) => this.mailbox.waiting(key).length > 0
    return rule(input.payload.value as Operation, {
      where,
      tree,
      runner,
      header: last?.header,
      stuck: this.stuck,
      waits,
    })
  }

  /** What an operator wanted is durable. */
  operated({ input, header, turn }: Decided): void {
    const { runner, listeners } = this.instance
    const { op, key } = header
    if (key !== undefined) {
      for (const waiting of this.mailbox.waiting(key)) this.mailbox.remove(waiting)
      if (op === 'retry') runner.retry(key)
    }
    for (const ended of [...(turn?.ended ?? []), ...(input.ruling?.finished ?? [])]) runner.drop(ended)
    this.stuck = undefined
    this.settle()
    if (op === 'park' && header.problem) listeners.parked(problemOf(header.problem))
    if (!runner.held) runner.resume()
  }

  /** What is durable says whether the instance is held. */
  settle(): void {
    const { runner, last } = this.instance
    runner.held = last?.header.held !== undefined
    if (runner.held) this.mailbox.refuseCallers(this.refusal)
  }

  /** An operator has to see to it; until then the instance takes nothing but what nobody can send again. */
  park(error: DuramenError, input?: Input): void {
    const { where, last } = this.instance
    if (input) this.mailbox.putBack(afresh(input))
    if (this.stuck || last?.header.held === 'parked') return
    const problem = input ? withSkip(where, error, nameOf(input)) : error
    this.stick(problem)
    const operation: Operation = { op: 'park', who: 'duramen', why: error.message, problem: plainProblem(problem) }
    this.instance.accept({ ...operatorInput(where, operation, Number.POSITIVE_INFINITY), keep: true })
  }

  /** It is parked, as far as memory goes: the journal has not taken it yet, or won't. */
  stick(error: DuramenError): void {
    const { instance } = this
    this.stuck = error
    instance.host.logger.error(`${instance.stream} is parked: ${error.message}`, error)
    this.mailbox.refuseCallers(parked(instance.where, error))
    instance.listeners.parked(error)
    instance.host.finished(instance)
  }
}
