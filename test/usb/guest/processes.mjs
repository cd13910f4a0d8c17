// Several processes, and one that is killed.
import assert from 'node:assert/strict'
import { readlink } from 'node:fs/promises'
import { basename } from 'node:path'
import { driverOf, openDevice, spawnPeer } from '../../support/usb/peer.mjs'
import { forkReader } from '../../support/usb/reader-process.mjs'
import { until, withFolder } from './support.mjs'

/** Calls `use` with a process that holds the device. */
async function withHolder(use) {
  const peer = spawnPeer()
  try {
    await peer.ask('driver')
    await peer.ask('connect')
    await use(peer)
  } finally {
    await peer.kill()
  }
}

export const processCases = (reader) => [
  {
    name: 'a process is killed in the middle of a capture: the next one works, and the operation is recorded as interrupted',
    run: () =>
      withFolder(async (folder) => {
        const peer = spawnPeer()
        await peer.ask('open', { folder })
        await reader.set({ mute: 1 })
        await peer.ask('begin', { op: 'capture' })
        await until('the reader is being read', async () => (await reader.state()).captures > 0)
        await peer.kill()
        const { device, close } = await openDevice(folder)
        try {
          const { pixels } = await device.capture()
          assert.equal(pixels.length, 78_000)
          assert.equal(device.diagnosis().interrupted, 1)
        } finally {
          await close()
        }
      }),
  },
  {
    name: 'D1 a second process is refused, and told who has the device',
    run: () =>
      withHolder(async ({ pid }) => {
        const second = spawnPeer()
        await second.ask('driver')
        await assert.rejects(second.ask('connect'), ({ code, message, where }) => {
          assert.equal(code, 'LOCKED')
          assert.equal(where.pid, pid)
          assert.match(message, new RegExp(`driven by process ${pid}`))
          return true
        })
        await second.kill()
      }),
  },
  {
    name: 'D1 a second process that waits has the device once the first one has freed it',
    run: () =>
      withHolder(async (holder) => {
        const second = spawnPeer()
        await second.ask('driver', { whenLocked: 'wait' })
        const connected = second.ask('connect')
        await holder.ask('free')
        assert.equal((await connected).serial, 'VR-0001')
        await second.kill()
      }),
  },
  {
    name: 'D1 a device whose driver waits is unavailable, says who has it, and comes by itself when that one is killed',
    run: () =>
      withHolder((holder) =>
        withFolder(async (folder) => {
          const { device, close } = await openDevice(folder, {
            driver: { whenLocked: 'wait' },
            unavailable: { first: 600_000, max: 600_000 },
          })
          try {
            await until('unavailable', () => device.diagnosis().device_status === 'unavailable')
            assert.match(device.diagnosis().last_error.message, new RegExp(`process ${holder.pid}`))
            await holder.kill()
            await device.capture()
          } finally {
            await close()
          }
        }),
      ),
  },
  {
    name: 'a kernel driver that has the interface gives it, and has it again afterwards',
    async run() {
      const converter = forkReader({ vendor: 0x0403, product: 0x6001, serial: 'FT-1' }) // ftdi_sio takes it for its own
      const { busid } = await converter.attach()
      const bound = async () => basename(await readlink(`/sys/bus/usb/devices/${busid}:1.0/driver`).catch(() => 'none'))
      await until('bound', async () => (await bound()) === 'ftdi_sio')
      const driver = driverOf({ vendor: 0x0403, product: 0x6001 })
      const { signal } = new AbortController()
      assert.equal((await driver.connect(signal)())._tag, 'Right')
      assert.equal(await bound(), 'usbfs')
      assert.equal((await driver.probe(signal)())._tag, 'Right')
      assert.equal((await driver.close()())._tag, 'Right')
      assert.equal(await bound(), 'ftdi_sio')
      await converter.stop()
    },
  },
]
