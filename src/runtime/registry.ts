// The machines of a host, by id.
import { inspect } from 'node:util'
import { DuramenError } from '../ports/errors.ts'
import type { DurableMachine } from './durable.ts'
import { unknownMachine } from './failures.ts'

export class Registry {
  readonly machines = new Map<string, DurableMachine>()
  /** Settled once what a machine has left unfinished is taken up. */
  private readonly registering = new Map<string, Promise<void>>()
  private readonly takeOn: (machines: readonly DurableMachine[]) => Promise<void>

  /** `takeOn`: sees to the instances of machines that are new. */
  constructor(takeOn: (machines: readonly DurableMachine[]) => Promise<void>) {
    this.takeOn = takeOn
  }

  /** Resolves once all are taken on. Rejects with BAD_MACHINE, or what the journal answers; they may be tried again then. */
  async register(machines: readonly DurableMachine[]): Promise<void> {
    const added = new Map<string, DurableMachine>()
    for (const machine of machines) {
      assertDurable(machine)
      const known = this.machines.get(machine.id) ?? added.get(machine.id)
      if (known && known !== machine) throw another(machine.id)
      if (!known) added.set(machine.id, machine)
    }
    for (const [id, machine] of added) this.machines.set(id, machine)
    if (added.size) {
      const registering = this.takeOn([...added.values()])
      for (const id of added.keys()) this.registering.set(id, registering)
    }
    try {
      await Promise.all(machines.map(({ id }) => this.registering.get(id)))
    } catch (error) {
      for (const id of added.keys()) {
        this.machines.delete(id)
        this.registering.delete(id)
      }
      throw error
    }
  }

  /** Throws UNKNOWN_MACHINE. */
  named(id: string): DurableMachine {
    const machine = this.machines.get(id)
    if (machine) return machine
    throw unknownMachine(id, [...this.machines.keys()])
  }

  /** Throws UNKNOWN_MACHINE, BAD_MACHINE. */
  assertKnown(machine: DurableMachine): void {
    assertDurable(machine)
    if (this.named(machine.id) !== machine) throw another(machine.id)
  }
}

/** Throws BAD_MACHINE. */
export function assertDurable(machine: Partial<DurableMachine> | undefined): void {
  if (typeof machine?.id === 'string' && machine.machine && machine.options) return
  throw new DuramenError('BAD_MACHINE', `${inspect(machine, { depth: 0 })} is no durable machine`, {
    hint: 'Wrap it once, `const order = durable(machine)`, and give that to openHost and to the host.',
  })
}

const another = (id: string) =>
  new DuramenError('BAD_MACHINE', `another machine is registered as '${id}'`, {
    where: { machine: id },
    hint: 'Use the very machine that was registered, or give one of them another id: durable(machine, { id }).',
  })
