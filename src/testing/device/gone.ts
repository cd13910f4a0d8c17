import { expect } from '../expect.ts'
import { done, failed } from '../images/results.ts'
import { onTestFinished, test } from '../suite.ts'
import { connected, perform, unhurried } from './calls.ts'
import { type DeviceWorld, eventually } from './world.ts'

/** A device that is unplugged and plugged in again. */
export function goneSuite(world: () => DeviceWorld): void {
  test('D7 what is unplugged is gone, is told of, and works once it is back and connected', async () => {
    const { driver, unplug, plug } = await connected(world())
    const told: string[] = []
    onTestFinished(driver.watch((change) => told.push(change)))
    await unplug()
    await eventually('detached', () => told.includes('detached'))
    expect((await failed(perform(world()))).code).toBe('USB_GONE')
    expect((await failed(driver.connect(unhurried()))).code).toBe('USB_GONE')
    expect(await done(driver.access(unhurried()))).toEqual({ state: 'absent' })
    await plug()
    await eventually('attached', () => told.includes('attached'))
    expect(told).toEqual(['detached', 'attached'])
    await connected(world())
    await done(perform(world()))
  })

  test('D7 an operation under way when the plug is pulled ends with USB_GONE', async () => {
    const { hang, unplug } = await connected(world())
    await hang()
    const operation = failed(perform(world()))
    await unplug()
    expect((await operation).code).toBe('USB_GONE')
  })

  test('who does not watch any more is told nothing', async () => {
    const { driver, unplug } = await connected(world())
    const told: string[] = []
    const ended = driver.watch((change) => told.push(change))
    const others: string[] = []
    onTestFinished(driver.watch((change) => others.push(change)))
    ended()
    await unplug()
    await eventually('detached', () => others.includes('detached'))
    expect(told).toEqual([])
  })
}
