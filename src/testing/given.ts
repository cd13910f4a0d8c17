// given(machine, history).when(event).then(what came of it), on the real kernel with a memory journal and a virtual clock.
import { AssertionError } from 'node:assert'
import { inspect } from 'node:util'
import type { AnyStateMachine, EventFromLogic, InputFrom } from 'xstate'
import { memoryJournal } from '../journal/memory.ts'
import { type DuramenErrorCode, isDuramenError } from '../ports/errors.ts'
import { assertNames, optionsGiven } from '../ports/given.ts'
import type { DurableActor } from '../runtime/actor.ts'
import type { DurableMachine } from '../runtime/durable.ts'
import type { Duration } from '../runtime/duration.ts'
import { type ActorArguments, type Host, openHost } from '../runtime/host.ts'
import { type VirtualClock, virtualClock } from './clock.ts'
import { type Came, compare, type Expected, waitingTimers } from './expected.ts'
import { frozen } from './frozen.ts'
import { quietLogger } from './logger.ts'
import { settle } from './settle.ts'
import { Stage } from './stage.ts'
import { Happening, nameOfStep } from './steps.ts'

/** What happens to the machine: an event, or what `after`, `resolved`, `rejected` and `sent` make. */
export type Step<TMachine extends AnyStateMachine> = EventFromLogic<TMachine> | Happening

/** Settings of `given`. */
export interface GivenOptions<TMachine extends AnyStateMachine> {
  /** The machine's input. Default: none. */
  input?: InputFrom<TMachine>
  /** The time at which it begins, ms since the epoch. Default 1,000,000. */
  at?: number
  /** Whether contexts are frozen, so that a machine which writes into its own is found out (`frozen`). Default true. */
  freeze?: boolean
}

/** The end of the sentence. */
export interface Then<TMachine extends AnyStateMachine> {
  /**
   * Runs it all, and compares what came with what was expected. Rejects with an AssertionError that names each difference,
   * and with what the machine threw.
   */
  then(expected: Expected<TMachine>): Promise<void>
}

/** The middle of the sentence, and its end. */
export interface WhenThen<TMachine extends AnyStateMachine> extends Then<TMachine> {
  /** What happens, and is looked at: effects and emitted events of the history before do not count. */
  when(...steps: [Step<TMachine>, ...Step<TMachine>[]]): ThenOrRefused<TMachine>
}

/** The end of the sentence after something has happened. */
export interface ThenOrRefused<TMachine extends AnyStateMachine> extends Then<TMachine> {
  /** The last step was refused with this code: BAD_EVENT by its schema, MACHINE_THREW by the machine. The state is as before. */
  thenRefused(code: DuramenErrorCode): Promise<void>
}

/**
 * Begins a sentence about a machine: `await given(order, [{ type: 'PAY' }]).when(after('1d')).then({ state: 'expired' })`.
 *
 * Each sentence runs from the start on a host of its own, with the real kernel, a journal in memory and a virtual clock.
 * Effects do not run: they are noted by name, actions count as done, and promises, callbacks and observables wait for
 * `resolved`, `rejected` and `sent`. Without `when`, `then` looks at all of the history.
 */
export function given<TMachine extends AnyStateMachine>(
  machine: DurableMachine<TMachine>,
  history: readonly Step<TMachine>[] = [],
  options: GivenOptions<TMachine> = {},
): WhenThen<TMachine> {
  assertNames('given', optionsGiven('given', options, 'Leave it out, or give { input }.'), ['input', 'at', 'freeze'])
  return {
    ...ending(machine, history, undefined, options),
    when: (...steps) => ending(machine, history, steps, options),
  }
}

function ending<TMachine extends AnyStateMachine>(
  machine: DurableMachine<TMachine>,
  history: readonly Step<TMachine>[],
  steps: readonly Step<TMachine>[] | undefined,
  options: GivenOptions<TMachine>,
): ThenOrRefused<TMachine> {
  const story = [
    `${machine.id}: given ${history.map(nameOfStep).join(', ') || 'its start'}`,
    ...(steps ? [`when ${steps.map(nameOfStep).join(', ')}`] : []),
    'then',
  ].join('; ')
  const run = () => withMachine(machine, options, (play) => play.whole(history, steps))
  return {
    // biome-ignore lint/suspicious/noThenProperty: it is the word for it; awaited without being called it says so
    then(expected) {
      if (typeof expected === 'function') throw new TypeError('say what is expected: .then({ state: … })')
      return run().then(({ refusal, came }) => {
        if (refusal !== undefined) throw refusal
        compare(story, expected, came)
      })
    },
    async thenRefused(code) {
      const { refusal, came } = await run()
      const answer = codeOf(refusal)
      if (answer === code) return
      const instead =
        refusal === undefined ? `it came to ${inspect(came.state)}` : `with ${answer ?? 'no code'}: ${refusal}`
      throw new AssertionError({
        message: `${story} refused with ${code}, but ${instead}`,
        expected: code,
        actual: answer,
        operator: 'thenRefused',
      })
    },
  }
}

const codeOf = (error: unknown) => (isDuramenError(error) ? error.code : undefined)

async function withMachine<TMachine extends AnyStateMachine, A>(
  machine: DurableMachine<TMachine>,
  { input, at, freeze = true }: GivenOptions<TMachine>,
  play: (play: Play<TMachine>) => Promise<A>,
): Promise<A> {
  const stage = new Stage()
  const clock = virtualClock(at)
  const subject = { ...(freeze ? frozen(machine) : machine), standIn: stage }
  const host = await openHost({ journal: memoryJournal(), machines: [subject], clock, logger: quietLogger })
  try {
    const actor = await host.actor(subject, 'given', ...([{ input }] as ActorArguments<TMachine>))
    await settle()
    return await play(new Play(host, actor, stage, clock))
  } finally {
    await host.close()
  }
}

/** One sentence while it runs. */
class Play<TMachine extends AnyStateMachine> {
  private readonly host: Host
  private readonly actor: DurableActor<TMachine>
  private readonly stage: Stage
  private readonly clock: VirtualClock
  private emitted: unknown[] = []
  private handled: boolean | undefined

  constructor(host: Host, actor: DurableActor<TMachine>, stage: Stage, clock: VirtualClock) {
    this.host = host
    this.actor = actor
    this.stage = stage
    this.clock = clock
    actor.on('*', (event) => void this.emitted.push(event))
  }

  /** The history, then the steps that are looked at. Throws what the history is refused with. */
  async whole(history: readonly Step<TMachine>[], steps: readonly Step<TMachine>[] | undefined) {
    for (const step of history) await this.step(step)
    if (!steps) return { refusal: undefined, came: await this.came() }
    this.emitted = []
    this.stage.effects = []
    for (const step of steps.slice(0, -1)) await this.step(step)
    const refusal: unknown = await this.step(steps.at(-1)!).then(
      () => undefined,
      (error) => error,
    )
    return { refusal, came: await this.came() }
  }

  private async step(step: Step<TMachine>): Promise<void> {
    if (!(step instanceof Happening)) this.handled = (await this.actor.send(step)).handled
    else if (step.kind === 'after') await this.clock.advance(step.value as Duration)
    else this.stage.give(step.src, step.kind, step.value)
    await settle()
    const [listed] = await this.host.list()
    if (listed?.problem) throw listed.problem
  }

  private async came(): Promise<Came> {
    const { value, status, context, output } = this.actor.getSnapshot()
    const now = this.clock.now()
    return {
      state: value,
      status,
      context,
      output,
      effects: this.stage.effects,
      emitted: this.emitted,
      timers: (await waitingTimers(this.actor.history())).map((due) => due - now),
      handled: this.handled,
    }
  }
}
