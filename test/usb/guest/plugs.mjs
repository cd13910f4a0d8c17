// D7 The plug.
import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { spawnPeer } from '../../support/usb/peer.mjs'
import { forkReader } from '../../support/usb/reader-process.mjs'
import { statesOf, until, withDevice } from './support.mjs'

const descriptors = async () => (await readdir('/proc/self/fd')).length

export const plugCases = (reader) => [
  {
    name: 'D7 unplugged in the middle of a capture and plugged in again: the same capture() resolves',
    run: () =>
      withDevice(async (device) => {
        const states = statesOf(device)
        await device.led(true)
        await reader.set({ unplugInTransfer: true })
        const capture = device.capture()
        await until('disconnected', () => device.diagnosis().device_status === 'disconnected')
        await reader.attach()
        const { pixels } = await capture
        assert.equal(pixels.length, 78_000)
        assert.ok(states.includes('disconnected'))
        assert.equal((await reader.state()).led, true)
      }),
  },
  {
    name: 'D7 another device of the same make is not taken for it',
    run: () =>
      withDevice(async (device) => {
        await reader.detach()
        await until('disconnected', () => device.diagnosis().device_status === 'disconnected')
        const other = forkReader({ serial: 'VR-0002' })
        await other.attach()
        const capture = device.capture()
        await reader.attach()
        await capture
        assert.equal((await other.state()).captures, 0)
        await other.stop()
      }),
  },
  {
    name: 'D7 where no event comes (another network namespace, as in a container) it is seen all the same',
    async run() {
      const peer = spawnPeer({ within: ['unshare', '-n'] })
      await peer.ask('driver')
      await peer.ask('watch')
      await peer.ask('access')
      await until('the first look', () => peer.ask('access'))
      await reader.detach()
      await until('detached', async () => (await peer.ask('told')).includes('detached'))
      await reader.attach()
      await until('attached', async () => (await peer.ask('told')).includes('attached'))
      assert.deepEqual(await peer.ask('told'), ['detached', 'attached'])
      await peer.kill()
    },
  },
  {
    name: 'twenty times out and in again: a picture each time, no descriptor more',
    run: () =>
      withDevice(async (device) => {
        const round = async () => {
          await reader.detach()
          const capture = device.capture()
          await reader.attach()
          await capture
        }
        for (let i = 0; i < 3; i++) await round()
        const before = await descriptors()
        for (let i = 0; i < 17; i++) await round()
        await until(`${before} descriptors`, async () => (await descriptors()) <= before)
      }),
  },
]
