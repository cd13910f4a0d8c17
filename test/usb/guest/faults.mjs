// D4 D5 What goes wrong with a capture is mended, and the caller only waits longer.
import assert from 'node:assert/strict'
import { statesOf, withDevice } from './support.mjs'

/** What goes wrong, and the code that is on record then. */
const FAULTS = {
  'a halted endpoint': [{ halted: true }, 'USB_STALL'],
  'a refused request': [{ stallControl: 1 }, 'USB_STALL'],
  'a transfer that is lost on the bus': [{ cut: 1 }, 'USB_PROTOCOL'],
  'garbage in place of a picture': [{ garbage: 1 }, 'USB_PROTOCOL'],
  'half a picture': [{ short: 1 }, 'USB_PROTOCOL'],
  'a picture that never comes': [{ mute: 1 }, 'USB_TIMEOUT'],
  'no answer any more, until it is reset': [{ hung: true }, 'USB_TIMEOUT'],
}

export const faultCases = (reader) => [
  ...Object.entries(FAULTS).map(([what, [faults, code]]) => ({
    name: `D4 D5 ${what}: recovered, the same capture() resolves, the LED is as before`,
    run: () =>
      withDevice(
        async (device) => {
          const states = statesOf(device)
          const codes = new Set()
          device.status$.subscribe(({ last_error }) => codes.add(last_error?.code))
          await device.led(true)
          await reader.set({ ...faults })
          const { pixels } = await device.capture()
          assert.equal(pixels.length, 78_000)
          const { device_status, recoveries } = device.diagnosis()
          assert.equal(device_status, 'online')
          assert.ok(states.includes('recovering'), states.join())
          // A reset that takes the device off the bus may look like an unplugging: then a new connection brings it back.
          const isBack = faults.hung && states.lastIndexOf('connecting') > states.indexOf('recovering')
          assert.ok(recoveries > 0 || isBack, states.join())
          assert.ok(codes.has(code), [...codes].join())
          assert.equal((await reader.state()).led, true)
        },
        { callTimeout: 3000 },
      ),
  })),
  {
    name: 'a slow device is waited for, and not recovered',
    run: () =>
      withDevice(async (device) => {
        await reader.set({ delay: 600 })
        await device.capture()
        assert.equal(device.diagnosis().recoveries, 0)
      }),
  },
]
