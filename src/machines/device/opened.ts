// The devices of one host: one durable machine for all of them, and which of them this process has opened.
//
// D1 One host opens a device once, and a driver drives one device: its calls would overlap. What runs for a device that nobody has opened since the host was waits for somebody to.
import { fromCallback, fromPromise } from 'xstate'
import { DuramenError } from '../../ports/errors.ts'
import { type DurableMachine, durable, slotless } from '../../runtime/durable.ts'
import { perHost, UNCOUNTED } from '../hosting.ts'
import { Openings } from '../openings.ts'
import type { AnyDriver } from './driving.ts'
import { deviceMachine } from './machine.ts'
import type { DeviceContext, DeviceEvent } from './types.ts'
import { arrive, connect, type Opened, perform, permitted, probe, recover, refresh, watch } from './work.ts'

class Devices {
  readonly machine: DurableMachine<typeof deviceMachine>
  readonly #taken = new Map<string, AnyDriver>()
  readonly #openings = new Openings<Opened>()
  /** How the machine of a device hears of the world, and what ends that. */
  readonly #tell = new Map<string, (event: DeviceEvent) => void>()
  readonly #unwatch = new Map<string, () => void>()

  constructor() {
    const machine = durable(
      deviceMachine.provide({
        actors: {
          watch: fromCallback<DeviceEvent, { name: string }>(({ input: { name }, sendBack }) =>
            this.#watch(name, sendBack),
          ),
          connect: fromPromise(async ({ input: { name }, signal }) =>
            connect(await this.#openings.opened(name, signal), signal),
          ),
          perform: fromPromise(async ({ input: { name, request }, signal }) =>
            perform(await this.#openings.opened(name, signal), request, signal),
          ),
          probe: fromPromise(async ({ input: { name }, signal }) =>
            probe(await this.#openings.opened(name, signal), signal),
          ),
          refresh: fromPromise(async ({ input: { name }, signal }) =>
            refresh(await this.#openings.opened(name, signal), signal),
          ),
          recover: fromPromise(async ({ input: { name, rung }, signal }) =>
            recover(await this.#openings.opened(name, signal), rung, signal),
          ),
          arrive: fromPromise(async ({ input: { name }, signal }) =>
            arrive(await this.#openings.opened(name, signal), signal),
          ),
          permitted: fromPromise(async ({ input: { name }, signal }) =>
            permitted(await this.#openings.opened(name, signal), signal),
          ),
        },
      }),
      { id: 'device', attributes: ({ context }) => attributesOf(context), retry: UNCOUNTED },
    )
    this.machine = slotless(machine, 'connect', 'perform', 'probe', 'refresh', 'recover', 'arrive', 'permitted')
  }

  /** Throws BAD_OPTION when the device is open already, or about to be, or its driver drives another one. */
  take(id: string, driver: AnyDriver): void {
    if (this.#taken.has(id))
      throw new DuramenError('BAD_OPTION', `the device '${id}' is open already`, {
        where: { machine: this.machine.id, instance: id },
        hint: 'Use what the first call has answered, close that first, or give this one another id.',
      })
    if ([...this.#taken.values()].includes(driver))
      throw new DuramenError('BAD_OPTION', `the driver of '${id}' drives another device already`, {
        where: { machine: this.machine.id, instance: id },
        hint: 'Make one driver for each device, or close the other device first.',
      })
    this.#taken.set(id, driver)
  }

  open(id: string, opened: Opened): void {
    this.#openings.open(id, opened)
    this.#beginWatch(id)
  }

  /** Nothing begins for it any more. */
  leave(id: string): void {
    this.#endWatch(id)
    this.#openings.close(id)
  }

  /** It may be opened anew. */
  free(id: string): void {
    this.leave(id)
    this.#taken.delete(id)
  }

  #watch(id: string, tell: (event: DeviceEvent) => void): () => void {
    this.#tell.set(id, tell)
    this.#beginWatch(id)
    return () => {
      if (this.#tell.get(id) !== tell) return
      this.#tell.delete(id)
      this.#endWatch(id)
    }
  }

  #beginWatch(id: string): void {
    const opened = this.#openings.get(id)
    const tell = this.#tell.get(id)
    if (!opened || !tell) return
    this.#endWatch(id)
    this.#unwatch.set(id, watch(opened, tell))
  }

  #endWatch(id: string): void {
    this.#unwatch.get(id)?.()
    this.#unwatch.delete(id)
  }
}

/** What `host.list` shows of a device without running code. */
function attributesOf({ identity, problem, total }: DeviceContext): Record<string, unknown> {
  return { operations: total, ...(identity && { device: identity.name }), ...(problem && { problem: problem.message }) }
}

export const devicesOf = perHost(() => new Devices())
