// The workers of one host: one durable machine for all of them, and which of them this process has declared.
//
// A run that is due before its worker was declared waits for that.
import { fromPromise } from 'xstate'
import { type DurableMachine, durable, slotless } from '../../runtime/durable.ts'
import { perHost, UNCOUNTED } from '../hosting.ts'
import { Openings } from '../openings.ts'
import type { Desk } from './desk.ts'
import type { Worker } from './index.ts'
import { workerMachine } from './machine.ts'
import type { WorkerContext } from './types.ts'

export class Workers {
  readonly machine: DurableMachine<typeof workerMachine>
  /** Those that were asked for, as they are answered. */
  readonly known = new Map<string, Promise<Worker>>()
  /** Those that may run. */
  readonly openings = new Openings<Desk>()
  readonly desks = new Map<string, Desk>()

  constructor() {
    const machine = durable(
      workerMachine.provide({
        actors: {
          run: fromPromise(async ({ input: { id }, signal }) => (await this.openings.opened(id, signal)).run(signal)),
          // where this process has not declared it, no run goes on
          idle: fromPromise(async ({ input: { id } }) => this.desks.get(id)?.idle()),
        },
      }),
      { id: 'worker', attributes: ({ context }) => attributesOf(context), retry: UNCOUNTED },
    )
    this.machine = slotless(machine, 'run', 'idle')
  }
}

/** What `host.list` shows of a worker without running code. */
function attributesOf({ runs, failures, problem }: WorkerContext): Record<string, unknown> {
  return { runs, ...(failures > 0 && { failures }), ...(problem && { problem: problem.message }) }
}

export const workersOf = perHost(() => new Workers())
