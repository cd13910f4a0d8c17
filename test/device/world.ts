// A simulated reader on a host with a virtual clock, and what tests ask of it.
import { left, right } from 'fp-ts/lib/Either.js'
import { type ReaderOperations, type SimulatedDriver, simulatedDriver } from '../../src/adapters/usb/index.ts'
import { DuramenError, type DuramenErrorCode, type HostOptions } from '../../src/index.ts'
import { createDevice, type Device, type DeviceDriver, type DeviceOptions } from '../../src/machines/index.ts'
import { settle, type World, world } from '../support/host.ts'

export interface Place extends World {
  readonly driver: SimulatedDriver
  /** Lets time go by in steps, and all that comes of each settle. */
  pass(ms: number, step?: number): Promise<void>
  start(options?: DeviceOptions & { driver?: DeviceDriver<any>; host?: Partial<HostOptions> }): Promise<Started>
}

interface Started {
  readonly device: Device<ReaderOperations>
  readonly host: Awaited<ReturnType<World['open']>>
  state(): string
}

export function place(): Place {
  const driver = simulatedDriver()
  const here = world()
  return {
    ...here,
    driver,
    async pass(ms, step = 500) {
      for (let left = ms; left > 0; left -= step) {
        await here.clock.advance(Math.min(step, left))
        await settle(12)
      }
    },
    async start({ driver: other = driver, host: hostOptions, ...options } = {}) {
      const host = await here.open([], { closeTimeout: 200, ...hostOptions })
      const device = await createDevice<ReaderOperations>(host, { driver: other, id: 'reader', ...options })
      await settle()
      return { device, host, state: () => device.diagnosis().device_status }
    },
  }
}

type Calls = Omit<DeviceDriver<ReaderOperations>, 'name' | 'operations'>

/** A driver some of whose calls are others. */
export const but = (driver: DeviceDriver<ReaderOperations>, calls: Partial<Calls>): DeviceDriver<ReaderOperations> => ({
  ...driver,
  ...calls,
})

export const fails = (code: DuramenErrorCode) => async () => left(new DuramenError(code, 'no'))
export const answers =
  <A>(value: A) =>
  async () =>
    right(value)
/** Never settles, whatever its signal says. */
export const hangs = () => () => new Promise<never>(() => {})
