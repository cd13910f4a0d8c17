// A question: an event, and the emitted event that answers it.
//
// K1: an answer is heard once its commit is durable, and counts from the question's own commit on.
// K4: a question that is repeated with its id finds its first answer in the log, by deciding the log again.
import { inspect } from 'node:util'
import type { AnyEventObject } from 'xstate'
import { DuramenError } from '../ports/errors.ts'
import { assertFunction, assertNames, optionsGiven } from '../ports/given.ts'
import { Caller } from './caller.ts'
import type { Duration } from './duration.ts'
import { parked, trimmed } from './failures.ts'
import type { Receipt } from './inputs.ts'
import type { Instance } from './instance.ts'
import { replay } from './replay.ts'
import { calmly, scratchTree } from './scratch.ts'
import { give } from './send.ts'
import { ROOT } from './turn.ts'
import { type Wait, waiting } from './waiting.ts'

/** How to ask. */
export interface AskOptions<Reply extends AnyEventObject = AnyEventObject> {
  /** Type of the emitted event that answers. */
  reply: Reply['type']
  /** Whether it answers this question and not another's. Default: the first of its type does. */
  match?: (event: Reply) => boolean
  /** The event's id: asked again with the same one, the machine is not asked again and the answer is the same (K4). Default: none, each is a new question. */
  id?: string
  /** How long to wait for the answer; then TIMEOUT. Default 30 s. */
  timeout?: Duration
  /** Calls the waiting off; then ABORTED. Default: none. */
  signal?: AbortSignal
}

/** Sends an event and waits for its answer. */
export function ask(instance: Instance, event: { type: string }, options: AskOptions): Promise<AnyEventObject> {
  const given = optionsGiven('ask', options)
  assertNames('ask', given, ['reply', 'match', 'id', 'timeout', 'signal'])
  const { reply, match, id, timeout = '30s', signal } = given
  if (typeof reply !== 'string' || reply === '')
    throw new DuramenError('BAD_OPTION', `reply: ${inspect(reply)} is no type of an event`, {
      where: instance.where,
      hint: "Name the emitted event that answers: { reply: 'QUOTED' }.",
    })
  if (match !== undefined) assertFunction('match', match, 'Give one that says whether an event answers this question.')
  return waiting<AnyEventObject>(instance, { timeout, signal }, (wait) => {
    const question = new Question(instance, wait, reply, match)
    const { listeners } = instance
    const hearing = listeners.hear(ROOT, reply, (answer, seq) => question.heard(answer, seq))
    const parking = listeners.whenParked((problem) => wait.reject(parked(instance.where, problem)))
    for (const each of [hearing, parking]) wait.atEnd(() => each.unsubscribe())
    give(instance, event, id, new Caller(instance.counts, (receipt) => question.durable(receipt), wait.reject))
    // after it was given: why it is refused is said better by the refusal
    const observing = listeners.observe(ROOT, { complete: () => question.ended(), error: () => question.ended() })
    wait.atEnd(() => observing.unsubscribe())
  })
}

class Question {
  /** The seq of its own commit. */
  private from: number | undefined
  private looking = false
  /** Heard while the log was being looked through, in which an earlier one may be. */
  private meanwhile: AnyEventObject | undefined
  private readonly instance: Instance
  private readonly wait: Wait<AnyEventObject>
  private readonly reply: string
  private readonly match: ((event: AnyEventObject) => boolean) | undefined

  constructor(
    instance: Instance,
    wait: Wait<AnyEventObject>,
    reply: string,
    match: ((event: AnyEventObject) => boolean) | undefined,
  ) {
    this.instance = instance
    this.wait = wait
    this.reply = reply
    this.match = match
  }

  /** The question is on record; what it emits is heard after this. */
  durable({ seq, duplicate }: Receipt): void {
    this.from = seq
    if (duplicate) void this.lookBack()
    else if (this.instance.snapshot().status !== 'active') this.ended()
  }

  /** An event of the wanted type, and the seq of the commit that emitted it. */
  heard(event: AnyEventObject, seq: number | undefined): void {
    if (this.from === undefined || (seq ?? this.from) < this.from) return
    try {
      if (this.match?.(event) === false) return
    } catch (error) {
      return this.wait.reject(error)
    }
    if (this.looking) this.meanwhile ??= event
    else this.wait.resolve(event)
  }

  /** No other commit will come, or nobody can know of it. */
  ended(): void {
    const { phase } = this.instance
    if (phase === 'closed' || phase === 'broken' || phase === 'purged') return this.wait.giveUp('answer')
    if (this.from === undefined) return // its receipt is on the way
    // the last commit may emit the answer: that is heard within this turn, or is to be found in the log
    queueMicrotask(() => void this.lookBack())
  }

  /** Looks for the answer in what is on record. */
  private async lookBack(): Promise<void> {
    const { instance, wait, from } = this
    if (this.looking || wait.over || from === undefined) return
    this.looking = true
    let found: AnyEventObject | undefined
    let begins = from
    try {
      const tree = scratchTree(instance.machine, instance.id, instance.host.limits.maxRelays)
      const records = calmly(instance.host.journal.read(instance.stream), () => found !== undefined || wait.over)
      await replay(tree, instance.machine, records, ({ seq }, turn) => {
        if (turn?.kept) begins = seq
        if (seq < from || !turn) return
        for (const effect of turn.effects)
          if (effect.kind === 'emit' && effect.path === ROOT && effect.event.type === this.reply)
            if (this.match?.(effect.event) !== false) found ??= effect.event
      })
    } catch (error) {
      return wait.reject(error)
    }
    this.looking = false
    if (!found && begins > from) return wait.reject(trimmed(instance.where, begins)) // it may have been before
    const answer = found ?? this.meanwhile
    if (answer) wait.resolve(answer)
    else if (instance.snapshot().status !== 'active') wait.giveUp('answer')
  }
}
