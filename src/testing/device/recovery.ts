import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from '../expect.ts'
import { done, failed } from '../images/results.ts'
import { test } from '../suite.ts'
import { connected, perform, unhurried } from './calls.ts'
import type { DeviceWorld } from './world.ts'

/** Long enough for an operation to be under way, ms. */
const UNDER_WAY = 100
/** What recovery may mend, as far as the device machine knows. */
const FAULT = /^(USB_STALL|USB_TIMEOUT|USB_PROTOCOL|USB_BUSY|IO)$/

/** The ladder, and operations that are ended. That reopening mends a halt can't be asked for: real devices keep it. */
export function recoverySuite(world: () => DeviceWorld): void {
  for (const rung of ['clearHalt', 'reset', 'replug'] as const)
    test(`D5 after a halt it works again by ${rung}`, async () => {
      const { driver, halt } = await connected(world())
      await halt()
      expect((await failed(perform(world()))).code).toMatch(FAULT)
      await done(driver.recover(rung, unhurried()))
      await done(driver.probe(unhurried()))
      await done(perform(world()))
    })

  test('D5 reopening, and replugging, need no connection before', async () => {
    for (const rung of ['reopen', 'replug'] as const) {
      const { driver } = world()
      await done(driver.recover(rung, unhurried()))
      await done(perform(world()))
      await done(driver.close())
    }
  })

  test('D1 an operation that is aborted ends, and after a reset the device works', async () => {
    const { driver, hang } = await connected(world())
    await hang()
    const called = new AbortController()
    const operation = failed(perform(world(), called.signal))
    await sleep(UNDER_WAY)
    called.abort()
    expect((await operation).code).toBe('ABORTED')
    await done(driver.recover('reset', unhurried()))
    await done(driver.probe(unhurried()))
    await done(perform(world()))
  })

  test('closing ends what is under way', async () => {
    const { driver, hang } = await connected(world())
    await hang()
    const operation = failed(perform(world()))
    await sleep(UNDER_WAY)
    await done(driver.close())
    expect((await operation).code).toBe('USB_GONE')
  })
}
