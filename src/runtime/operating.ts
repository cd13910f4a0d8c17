// What operators call on a host.
//
// K4: what was delivered before a purge is not delivered again after it.
import type { AnyStateMachine } from 'xstate'
import { streamOf } from '../journal/records.ts'
import { DuramenError } from '../ports/errors.ts'
import { assertNames, shown } from '../ports/given.ts'
import { DurableActor } from './actor.ts'
import type { DurableMachine } from './durable.ts'
import type { Engine } from './engine.ts'
import { assertId } from './failures.ts'
import { forkOf } from './fork.ts'
import type { Receipt } from './inputs.ts'
import { type By, type Operation, operatorInput } from './operators.ts'
import { purgeUnloaded } from './purge.ts'
import { dropBefore } from './retention.ts'

/** The operators' part of a host. Every call is a record in the instance's history, with who and why. */
export abstract class Operating {
  protected readonly engine: Engine

  /** @internal */
  constructor(engine: Engine) {
    this.engine = engine
  }

  /**
   * Holds an instance: its effects that run go on, nothing else begins, timers and results wait, events are refused with
   * PAUSED. `handled: false`: it was held already, or has ended; nothing was recorded.
   *
   * This and all that follow take a machine or its id, and reject with BAD_OPTION (no who or why), UNKNOWN_MACHINE, UNKNOWN_INSTANCE, CLOSED, or what the
   * journal answers.
   */
  pause(machine: DurableMachine | string, id: string, by: By): Promise<Receipt> {
    return this.operate(machine, id, 'pause', by)
  }

  /** As `pause`, and the instance is listed as parked: somebody has to see to it. Events are refused with PARKED. */
  park(machine: DurableMachine | string, id: string, by: By): Promise<Receipt> {
    return this.operate(machine, id, 'park', by)
  }

  /** Lets a paused or parked instance go on; what failed is tried again. `handled: false`: it was not held. */
  resume(machine: DurableMachine | string, id: string, by: By): Promise<Receipt> {
    return this.operate(machine, id, 'resume', by)
  }

  /**
   * Ends an instance as XState's `stop` does: invoked work is aborted, timers are called off, the status is `stopped`. Actions
   * that run go on to their end, those that have failed are given up. `handled: false`: it has ended already.
   */
  stop(machine: DurableMachine | string, id: string, by: By): Promise<Receipt> {
    return this.operate(machine, id, 'stop', by)
  }

  /** Tries one failed effect again, now; an instance that is held stays so. Rejects with UNKNOWN_EFFECT: it has not failed. */
  retry(machine: DurableMachine | string, id: string, key: string, by: By): Promise<Receipt> {
    return this.operate(machine, id, 'retry', by, { key })
  }

  /**
   * Does without an effect or a timer: an action counts as done, a promise resolves with `output`, a timer is called off; an
   * input for which the instance is parked is dropped. An instance that is held stays so. Rejects with UNKNOWN_EFFECT, or with
   * MACHINE_THREW where the machine can't take the output.
   */
  skip(machine: DurableMachine | string, id: string, key: string, by: By & { output?: unknown }): Promise<Receipt> {
    const { output } = by ?? {}
    return this.operate(machine, id, 'skip', by, { key, ...(output !== undefined && { output }) })
  }

  /**
   * Ends an effect: its signal is aborted; an action counts as done, a promise, callback or observable fails with ABORTED.
   * Rejects with UNKNOWN_EFFECT, or with MACHINE_THREW where the machine has no `onError` for it.
   */
  cancel(machine: DurableMachine | string, id: string, key: string, by: By): Promise<Receipt> {
    const said = (word: unknown) => (typeof word === 'string' ? word : shown(word))
    const error = new DuramenError('ABORTED', `${said(by?.who)} has cancelled ${said(key)}: ${said(by?.why)}`)
    return this.operate(machine, id, 'cancel', by, { key, error })
  }

  /**
   * Drops the records of an instance that has ended, is paused or parked, or can't be rebuilt; its id is free again. A
   * machine that is given by its id need not be registered any more. Rejects with STILL_ACTIVE.
   */
  async purge(machine: DurableMachine | string, id: string, by: By): Promise<Receipt> {
    this.engine.assertOpen()
    assertBy('purge', by)
    const name = typeof machine === 'string' ? machine : machine?.id
    if (typeof name !== 'string') this.engine.registry.assertKnown(machine as DurableMachine)
    assertId(name, id)
    const operation: Operation = { op: 'purge', who: by?.who, why: by?.why }
    const { engine } = this
    const where = { machine: name, instance: id }
    const input = operatorInput(where, operation, engine.limits.maxBinary)
    const stream = streamOf(name, id)
    const known = engine.machine(name)
    const orBroken = (error: unknown) => {
      if (!engine.broken(stream)) throw error
      return undefined
    }
    const instance = known && (await this.engine.instances.find(known, id).catch(orBroken))
    const receipt = instance ? await instance.ask(input) : await purgeUnloaded(engine, where, operation)
    if (!instance) this.engine.instances.forget(stream) // else it has said so itself, and its id may be taken again
    await this.engine.instances.trim(stream, receipt.seq)
    return receipt
  }

  /**
   * Drops the history of an instance: a checkpoint, one record with all that it is, takes its place, and loading begins there.
   * Ids of events, deliveries, timers and invoked work stay known. Before anything is dropped, the history is decided once more
   * and must come to the same. `handled: false`: nothing has happened since the last checkpoint.
   *
   * Rejects with NOT_TRIMMABLE (actions are not finished, or its state can't be kept), REPLAY_DIVERGED, or what the journal
   * answers; what a checkpoint was made of stays then, and goes with the next trim (or when a host is opened, where nothing has
   * followed). A file journal gives their bytes back by itself, later, or at once by `journal.reclaim()`.
   */
  async trim(machine: DurableMachine | string, id: string, by: By): Promise<Receipt> {
    const receipt = await this.operate(machine, id, 'trim', by)
    await dropBefore(this.engine, this.known(machine), id, receipt.seq)
    return receipt
  }

  /**
   * A new instance `id` from the first `seq` records of another, paused, so that it can be looked at first; `resume` lets it go
   * on, with the timers and invoked work that it has. Actions that were not finished count as done, or run with
   * `effects: 'run'`. Rejects with INSTANCE_EXISTS, BAD_OPTION (no such seq), TRIMMED (its first records are gone), BAD_ID,
   * REPLAY_DIVERGED, and BAD_INPUT for a history that is too long for one append.
   */
  async fork<TMachine extends AnyStateMachine>(
    actor: DurableActor<TMachine>,
    seq: number,
    options: By & {
      /** Id of the new instance. */
      id: string
      /** What becomes of actions that were not finished: they count as done, or they run. Default `'skip'`. */
      effects?: 'skip' | 'run'
    },
  ): Promise<DurableActor<TMachine>> {
    this.engine.assertOpen()
    const { engine } = this
    assertBy('fork', options, 'id', 'effects')
    const { id, who, why, effects = 'skip' } = options ?? {}
    if (!(actor instanceof DurableActor))
      throw new DuramenError('BAD_OPTION', 'fork: what is to be forked is no actor of a host', {
        hint: 'Hold it first: host.fork(await host.actor(machine, id), seq, { id, who, why }).',
      })
    const machine = engine.registry.named(actor.machine)
    assertId(machine.id, id)
    await forkOf(engine, machine, { of: actor.id, seq, id, effects, who, why })
    return new DurableActor<TMachine>(await this.engine.instances.find(machine, id))
  }

  /** Throws UNKNOWN_MACHINE, BAD_MACHINE. */
  private known(machine: DurableMachine | string): DurableMachine {
    const { registry } = this.engine
    if (typeof machine === 'string') return registry.named(machine)
    registry.assertKnown(machine)
    return machine
  }

  private async operate(
    given: DurableMachine | string,
    id: string,
    op: Operation['op'],
    by: By,
    more: Partial<Operation> = {},
  ): Promise<Receipt> {
    this.engine.assertOpen()
    assertBy(op, by, ...(op === 'skip' ? ['output'] : []))
    const machine = this.known(given)
    assertId(machine.id, id)
    const where = { machine: machine.id, instance: id }
    const input = operatorInput(where, { op, who: by?.who, why: by?.why, ...more }, this.engine.limits.maxBinary)
    return (await this.engine.instances.find(machine, id)).ask(input)
  }
}

/** Throws BAD_OPTION for what an operator's call does not know: `outputs` would be a promise that resolves with nothing. */
function assertBy(op: string, by: object | undefined, ...more: string[]): void {
  if (typeof by === 'object' && by !== null) assertNames(`host.${op}`, by, ['who', 'why', ...more])
}
