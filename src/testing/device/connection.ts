import { expect } from '../expect.ts'
import { done, failed } from '../images/results.ts'
import { test } from '../suite.ts'
import { connected, perform, unhurried } from './calls.ts'
import type { DeviceWorld } from './world.ts'

/** Opening, working, closing. */
export function connectionSuite(world: () => DeviceWorld): void {
  test('it connects, says which device it is, works, and is freed', async () => {
    const { driver } = world()
    expect(await done(driver.access(unhurried()))).toMatchObject({ state: 'granted' })
    const identity = await done(driver.connect(unhurried()))
    expect(identity.name.length).toBeGreaterThan(0)
    await done(perform(world()))
    await done(driver.probe(unhurried()))
    await done(driver.close())
  })

  test('D2 it may be closed twice, and opened again', async () => {
    const { driver } = await connected(world())
    await done(driver.close())
    await done(driver.close())
    await connected(world())
    await done(perform(world()))
  })

  test('D2 connecting closes what is open', async () => {
    await connected(world())
    await connected(world())
    await done(perform(world()))
  })

  test('what is not connected answers USB_GONE, and throws nothing', async () => {
    const { driver } = world()
    expect(await failed(perform(world()))).toMatchObject({ code: 'USB_GONE' })
    expect(await failed(driver.probe(unhurried()))).toMatchObject({ code: 'USB_GONE' })
    expect(await failed(driver.recover('clearHalt', unhurried()))).toMatchObject({ code: 'USB_GONE' })
    expect(await failed(driver.recover('reset', unhurried()))).toMatchObject({ code: 'USB_GONE' })
  })

  test('D1 a signal that has fired: nothing is done', async () => {
    await connected(world())
    expect(await failed(perform(world(), AbortSignal.abort()))).toMatchObject({ code: 'ABORTED' })
    await done(perform(world()))
  })
}
