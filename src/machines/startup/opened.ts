// The start-ups of one host: one durable machine for all of them, and which this process has begun.
//
// S2 Effects of a former process begin again with the host, before anybody knows that it is one: they wait for a boot that never
//    comes, until the BEGIN of this process drops them. One host begins a start-up once.
import { fromPromise } from 'xstate'
import { DuramenError } from '../../ports/errors.ts'
import { type DurableMachine, durable, slotless } from '../../runtime/durable.ts'
import type { Host } from '../../runtime/host.ts'
import { bootKey, perHost, UNCOUNTED } from '../hosting.ts'
import { Openings } from '../openings.ts'
import type { Desk } from './desk.ts'
import { startupMachine } from './machine.ts'
import { Signals } from './signals.ts'
import type { StartupContext } from './types.ts'

/** A boot of a start-up. */
type Named = Pick<Desk, 'id' | 'boot'>

class Startups {
  readonly machine: DurableMachine<typeof startupMachine>
  readonly signals: Signals
  /** Boots that have begun, or are about to, by their start-ups. */
  readonly #taken = new Map<string, string>()
  readonly #openings = new Openings<Desk>()

  constructor(host: Host) {
    this.signals = new Signals(host)
    const machine = durable(
      startupMachine.provide({
        actors: {
          task: fromPromise(async ({ input, signal }) => (await this.#opened(input, signal)).run(input, signal)),
          stop: fromPromise(async ({ input, signal }) => (await this.#opened(input, signal)).stop(input, signal)),
        },
      }),
      { id: 'startup', attributes: ({ context }) => attributesOf(context), retry: UNCOUNTED },
    )
    this.machine = slotless(machine, 'task', 'stop')
  }

  /** Throws BAD_OPTION when it has begun already, and has not ended. */
  take({ id, boot }: Desk): void {
    if (this.#taken.has(id))
      throw new DuramenError('BAD_OPTION', `the start-up '${id}' has begun already`, {
        where: { machine: this.machine.id, instance: id },
        hint: 'Use what the first call has answered, shut that down first, or give this one another id.',
      })
    this.#taken.set(id, boot)
  }

  open(desk: Desk): void {
    this.#openings.open(bootKey(desk), desk)
  }

  /** May be called twice. */
  leave({ id, boot }: Desk): void {
    this.#openings.close(bootKey({ id, boot }))
    if (this.#taken.get(id) === boot) this.#taken.delete(id)
  }

  #opened(of: Named, signal: AbortSignal): Promise<Desk> {
    return this.#openings.opened(bootKey(of), signal)
  }
}

/** What `host.list` shows of a start-up without running code. */
function attributesOf({ tasks, failure }: StartupContext): Record<string, unknown> {
  return { tasks: tasks.length, ...(failure && { problem: `${failure.task}: ${failure.problem.message}` }) }
}

export const startupsOf = perHost((host) => new Startups(host))
