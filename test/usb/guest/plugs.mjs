// D7 The plug.
import assert from 'node:assert/strict'
import { readdir, readlink } from 'node:fs/promises'
import { spawnPeer } from '../../support/usb/peer.mjs'
import { forkReader } from '../../support/usb/reader-process.mjs'
import { statesOf, until, withDevice } from './support.mjs'

/** Descriptors of this process by what they are of; without numbers in their names. */
async function descriptors() {
  const found = {}
  for (const descriptor of await readdir('/proc/self/fd')) {
    const of = await readlink(`/proc/self/fd/${descriptor}`).catch(() => 'gone meanwhile')
    const kind = of.replace(/\d+/g, 'N')
    found[kind] = (found[kind] ?? 0) + 1
  }
  return found
}

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
    name: 'twenty times out and in again: a picture each time, and one open node in the end',
    run: () =>
      withDevice(async (device) => {
        const round = async () => {
          await reader.detach()
          const capture = device.capture()
          await reader.attach()
          await capture
        }
        for (let i = 0; i < 20; i++) await round()
        const { '/dev/bus/usb/N/N': nodes, 'anon_inode:[timerfd]': timers, ...others } = await descriptors()
        // the package opens both for each connection, and frees them when it is closed rightly
        assert.deepEqual({ nodes, timers }, { nodes: 1, timers: 1 }, JSON.stringify(others))
      }),
  },
]
