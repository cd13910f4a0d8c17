// An open device with its interface claimed, from opening to closing.
//
// - A kernel driver that has the interface is detached, and attached again at the end.
// - The end has one order: nothing pending, interface released, device closed. A device that is closed with its interface
//   claimed, or with a transfer pending, stays open in the kernel, and the next connection finds it busy.
import { DuramenError } from '../../ports/errors.ts'
import { badOption } from '../../ports/given.ts'
import { usbError } from './errors.ts'
import type { Device } from './load.ts'
import type { Found } from './select.ts'
import { type Endpoint, Transfers } from './transfers.ts'

/** Which part of a device is used. */
export interface Part {
  readonly interface: number
  /** Undefined: the one that is in force. */
  readonly configuration: number | undefined
}

export interface Connection {
  readonly found: Found
  readonly transfers: Transfers
  /** Frees all. Rejects with the first of what went wrong, unless it is that the device is gone. */
  close(): Promise<void>
}

export async function openConnection(found: Found, name: string, part: Part): Promise<Connection> {
  const { device } = found
  try {
    await device.open()
    const { endpoints, detached } = await prepare(device, name, part).catch(async (error) => {
      await device.close().catch(() => {}) // the first error is the one that tells
      throw error
    })
    const transfers = new Transfers(device, name, endpoints)
    return { found, transfers, close: () => closeConnection(device, name, part, detached, transfers) }
  } catch (error) {
    throw usbError(error, name)
  }
}

async function prepare(device: Device, name: string, part: Part) {
  const { configuration } = part
  if (configuration !== undefined && device.configuration?.configurationValue !== configuration)
    await device.selectConfiguration(configuration)
  // This getter talks to the device, and blocks meanwhile: once for a connection.
  const endpoints = endpointsOf(device.configuration, name, part.interface)
  return { endpoints, detached: await claim(device, part.interface) }
}

function endpointsOf(configuration: USBConfiguration | undefined, name: string, number: number): Endpoint[] {
  // seen before the kernel was done with it, or switched off: reopening finds it configured
  if (!configuration)
    throw new DuramenError('IO', `${name} has no configuration in force`, {
      retryable: true,
      hint: 'It is tried again by itself; where it stays so, give usbDriver the configuration to select.',
    })
  const { interfaces } = configuration
  const found = interfaces.find(({ interfaceNumber }) => interfaceNumber === number)
  if (found)
    return found.alternate.endpoints
      .filter(({ type }) => type !== 'isochronous')
      .map(({ endpointNumber, direction, packetSize }) => ({ number: endpointNumber, direction, packetSize }))
  const there = interfaces.map(({ interfaceNumber }) => interfaceNumber).join(', ')
  throw badOption('interface', number, 'is none of this device', `It has ${there || 'none'}.`)
}

/** True: a kernel driver had it. */
async function claim(device: Device, number: number): Promise<boolean> {
  try {
    await device.claimInterface(number)
    return false
  } catch (busy) {
    if (usbError(busy, '').code !== 'USB_BUSY') throw busy
    await device.detachKernelDriver(number).catch(() => {
      throw busy // no kernel driver has it, but another program
    })
    await device.claimInterface(number).catch(async (error) => {
      await device.attachKernelDriver(number).catch(() => {})
      throw error
    })
    return true
  }
}

async function closeConnection(
  device: Device,
  name: string,
  part: Part,
  detached: boolean,
  transfers: Transfers,
): Promise<void> {
  await transfers.end()
  const wrong: DuramenError[] = []
  const step = async (call: () => Promise<void>) => {
    try {
      await call()
    } catch (thrown) {
      const error = usbError(thrown, name)
      if (error.code !== 'USB_GONE') wrong.push(error)
    }
  }
  await step(() => device.releaseInterface(part.interface))
  if (detached) await step(() => device.attachKernelDriver(part.interface))
  await step(() => device.close())
  if (wrong[0]) throw wrong[0]
}
