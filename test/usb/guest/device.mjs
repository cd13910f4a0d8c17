// The device machine on a real USB stack, as long as nothing goes wrong.
import assert from 'node:assert/strict'
import { pictureOf } from '../../../dist/adapters/usb/reader/simulated-reader.js'
import { withDevice } from './support.mjs'

export const deviceCases = (reader) => [
  {
    name: 'a picture comes whole',
    run: () =>
      withDevice(async (device) => {
        const { pixels } = await device.capture()
        assert.deepEqual(Buffer.from(pixels), Buffer.from(pictureOf((await reader.state()).captures)))
        assert.equal(device.diagnosis().identity.name, 'SecuGen (virtual) Virtual fingerprint reader')
      }),
  },
  {
    name: 'D1 two captures and the LED, all at once: each in its turn',
    run: () =>
      withDevice(async (device) => {
        const order = []
        const note = (what) => () => order.push(what)
        await Promise.all([
          device.capture().then(note('first')),
          device.led(true).then(note('led')),
          device.capture().then(note('second')),
        ])
        assert.deepEqual(order, ['first', 'led', 'second'])
        assert.equal((await reader.state()).led, true)
      }),
  },
  {
    name: 'D1 a capture that is taken back ends at once, and the next one works',
    run: () =>
      withDevice(async (device) => {
        await reader.set({ mute: 1 })
        const called = new AbortController()
        const capture = device.capture({ signal: called.signal })
        setTimeout(() => called.abort(), 200)
        await assert.rejects(capture, { code: 'ABORTED' })
        await device.capture()
        assert.equal(device.diagnosis().recoveries, 0)
      }),
  },
  {
    name: 'D2 after its operations it is refreshed unseen; the LED is on as before',
    run: () =>
      withDevice(
        async (device) => {
          await device.led(true)
          for (let i = 0; i < 7; i++) await device.capture()
          assert.equal(device.diagnosis().refreshes, 2)
          assert.equal((await reader.state()).led, true)
        },
        { maxOperationsBeforeRefresh: 3 },
      ),
  },
]
