// The supervisors of one host: one durable machine for all of them, and which of them this process has opened.
//
// V1g Opened is a program by a process: what an earlier one still asks for waits for a desk that never comes.
import { fromPromise } from 'xstate'
import { DuramenError } from '../../ports/errors.ts'
import { type DurableMachine, durable, slotless } from '../../runtime/durable.ts'
import { bootKey, perHost, UNCOUNTED } from '../hosting.ts'
import { Openings } from '../openings.ts'
import type { Desk } from './desk.ts'
import { supervisorMachine } from './machine.ts'
import type { Asked, SupervisorContext } from './types.ts'

export class Supervisors {
  readonly machine: DurableMachine<typeof supervisorMachine>
  readonly #taken = new Set<string>()
  readonly #openings = new Openings<Desk>()

  constructor() {
    const desk = (asked: Asked, signal: AbortSignal) => this.#openings.opened(bootKey(asked), signal)
    const machine = durable(
      supervisorMachine.provide({
        actors: {
          clear: fromPromise(async ({ input, signal }) => (await desk(input, signal)).clear(signal)),
          start: fromPromise(async ({ input, signal }) => (await desk(input, signal)).start(signal)),
          watch: fromPromise(async ({ input, signal }) => (await desk(input, signal)).watch(signal)),
          end: fromPromise(async ({ input, signal }) => (await desk(input, signal)).end()),
          tell: fromPromise(async ({ input, signal }) => (await desk(input, signal)).tell(input.notice, signal)),
        },
      }),
      { id: 'supervisor', attributes: ({ context }) => attributesOf(context), retry: UNCOUNTED },
    )
    this.machine = slotless(machine, 'clear', 'start', 'watch', 'end', 'tell')
  }

  /** Throws BAD_OPTION when it is looked after already, or about to be. */
  take(id: string): void {
    if (this.#taken.has(id))
      throw new DuramenError('BAD_OPTION', `'${id}' is supervised already`, {
        where: { machine: this.machine.id, instance: id },
        hint: 'Use what the first call has answered, stop that first, or give this one another id.',
      })
    this.#taken.add(id)
  }

  open(asked: Asked, desk: Desk): void {
    this.#openings.open(bootKey(asked), desk)
  }

  /** Nothing begins for it any more. */
  close(asked: Asked): void {
    this.#openings.close(bootKey(asked))
  }

  /** It may be looked after anew. */
  free(id: string): void {
    this.#taken.delete(id)
  }
}

/** What `host.list` shows of a supervisor without running code. */
function attributesOf({ restarts, total, outcome, problem }: SupervisorContext): Record<string, unknown> {
  return {
    restarts: restarts.length,
    restarts_total: total,
    ...(outcome && { outcome }),
    ...(problem && { problem: problem.message }),
  }
}

export const supervisorsOf = perHost(() => new Supervisors())
