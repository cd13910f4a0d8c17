// The schedules of one machine on one host, and which of them this process has declared.
//
// T11 A schedule that nobody has declared since the host was opened makes no run; one host takes a schedule once.
import { type AnyStateMachine, fromPromise } from 'xstate'
import { DuramenError } from '../../ports/errors.ts'
import { type DurableMachine, durable, slotless } from '../../runtime/durable.ts'
import type { Host } from '../../runtime/host.ts'
import { perHost } from '../hosting.ts'
import { Openings } from '../openings.ts'
import { scheduleMachine, timeText } from './machine.ts'
import type { ScheduleContext } from './types.ts'
import { make, plan } from './work.ts'

/** What a process says of a schedule, and the journal does not keep. */
export interface Declared {
  /** Input of the run that is due then. */
  input(due: number): unknown
}

export class Schedules {
  readonly host: Host
  readonly machine: DurableMachine<AnyStateMachine>
  readonly schedule: DurableMachine<typeof scheduleMachine>
  private readonly taken = new Set<string>()
  private readonly openings = new Openings<Declared>()

  constructor(host: Host, machine: DurableMachine<AnyStateMachine>) {
    this.host = host
    this.machine = machine
    const schedule = durable(
      scheduleMachine.provide({
        actors: {
          plan: fromPromise(({ input, signal }) => plan(this, input, signal)),
          make: fromPromise(({ input, signal }) => make(this, input, signal)),
        },
      }),
      { id: `${machine.id}.schedule`, attributes: ({ context }) => attributesOf(context) },
    )
    this.schedule = slotless(schedule, 'plan', 'make')
  }

  /** Throws BAD_OPTION when the schedule is declared already, or about to be. */
  take(id: string): void {
    if (this.taken.has(id))
      throw new DuramenError('BAD_OPTION', `the schedule '${id}' of ${this.machine.id} is there already`, {
        where: { machine: this.schedule.id, instance: id },
        hint: 'Use what the first call has answered, or stop that one first.',
      })
    this.taken.add(id)
  }

  open(id: string, declared: Declared): void {
    this.openings.open(id, declared)
  }

  release(id: string): void {
    this.taken.delete(id)
    this.openings.close(id)
  }

  /** Resolves once this process has declared the schedule. */
  declared(id: string, signal: AbortSignal): Promise<Declared> {
    return this.openings.opened(id, signal)
  }
}

/** What a list of schedules shows without running code. */
function attributesOf({ next, problem }: ScheduleContext): Record<string, unknown> {
  return { ...(next !== null && { next: timeText(next) }), ...(problem && { problem: problem.message }) }
}

const byMachine = perHost(() => new Map<string, Schedules>())

export function schedulesOf(host: Host, machine: DurableMachine): Schedules {
  const known = byMachine(host)
  const schedules = known.get(machine.id) ?? new Schedules(host, machine)
  known.set(machine.id, schedules)
  return schedules
}
