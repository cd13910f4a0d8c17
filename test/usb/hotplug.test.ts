// D7 What is told of a device that comes and goes, by what is seen of it. That it is seen at all is shown in the guest.
import { expect, onTestFinished, test } from 'vitest'
import { watchDevice } from '../../src/adapters/usb/hotplug.ts'
import type { UsbPackage } from '../../src/adapters/usb/load.ts'
import { settle } from '../support/host.ts'

/** A bus on which something happens only when it is said so. */
function bus(plugged: string | undefined, connected?: string) {
  const state = { plugged, connected }
  const told: string[] = []
  let event = () => {}
  class Emitter {
    async addAttach(changed: () => void) {
      event = changed
    }
    async addDetach() {}
    async removeAttach() {}
    async removeDetach() {}
  }
  const end = watchDevice(
    {
      load: async () => ({ Emitter, getDevices: async () => [] }) as unknown as UsbPackage,
      look: async () => state.plugged,
      connected: () => state.connected,
      poll: 1_000_000,
    },
    (change) => told.push(change),
  )
  onTestFinished(end)
  return {
    told,
    async becomes(change: Partial<typeof state>) {
      await settle()
      Object.assign(state, change)
      event()
      await settle()
    },
  }
}

test.each([
  ['unplugged and plugged in', 'H1', [{ plugged: undefined }, { plugged: 'H2' }], ['detached', 'attached']],
  ['both between two looks', 'H1', [{ plugged: 'H2' }], ['detached', 'attached']],
  ['both between two looks, and connected anew', 'H1', [{ plugged: 'H2', connected: 'H2' }], []],
  ['gone for a moment', 'H1', [{ plugged: undefined }, { plugged: 'H1' }], ['detached', 'attached']],
  ['nothing connected, and it comes', undefined, [{ plugged: undefined }, { plugged: 'H1' }], ['attached']],
])('D7 %s', async (_, connected, changes, expected) => {
  const { told, becomes } = bus(connected, connected)
  for (const change of changes) await becomes(change)
  expect(told).toEqual(expected)
})

test('D7 unplugged after it was connected and before the first look', async () => {
  const { told, becomes } = bus(undefined, 'H1')
  await becomes({})
  expect(told).toEqual(['detached'])
})

test('listening that fails half-way keeps nothing: a listener that is left would keep the process alive', async () => {
  const listeners = new Set<string>()
  class Emitter {
    async addAttach() {
      listeners.add('attach')
    }
    async addDetach() {
      throw new Error('no netlink')
    }
    async removeAttach() {
      listeners.delete('attach')
    }
    async removeDetach() {}
  }
  const load = async () => ({ Emitter, getDevices: async () => [] }) as unknown as UsbPackage
  onTestFinished(watchDevice({ load, look: async () => 'H1', connected: () => 'H1', poll: 1_000_000 }, () => {}))
  await settle()
  expect(listeners).toEqual(new Set())
})
