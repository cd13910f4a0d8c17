// What was called off is kept as ABORTED, not as a failure of the device.
import { isLeft } from 'fp-ts/lib/Either.js'
import { expect, test } from 'vitest'
import { driverOver } from '../../src/adapters/usb/driver.ts'
import { readerProtocol, simulatedDriver } from '../../src/adapters/usb/index.ts'
import type { Desk } from '../../src/machines/device/desk.ts'
import { Driving } from '../../src/machines/device/driving.ts'
import { connect, type Opened, recover } from '../../src/machines/device/work.ts'
import { virtualClock } from '../../src/testing/index.ts'
import { quiet, refused, settle } from '../support/host.ts'
import { but, hangs } from './world.ts'

const calls = [connect, (opened: Opened, signal: AbortSignal) => recover(opened, 'reopen', signal)]

test.each(['before', 'meanwhile'])(
  'D9 to connect and to recover that was called off %s is ABORTED in the records',
  async (when) => {
    for (const call of calls) {
      const clock = virtualClock()
      const driver = but(simulatedDriver(), { connect: () => hangs(), recover: () => hangs() })
      const desk = { driving: new Driving(driver, clock, 60_000, quiet) } as Desk
      const opened = { desk, clock, logger: quiet, pace: { wait: 1, access: 1 }, isOnline: () => false }
      const caller = new AbortController()
      if (when === 'before') caller.abort()
      const answer = refused(call(opened, caller.signal))
      await settle()
      caller.abort()
      await clock.advance(10_000) // it is not waited for longer than its grace
      expect((await answer).code).toBe('ABORTED')
    }
  },
)

test('D9 a driver whose link ends by its signal says ABORTED, too', async () => {
  const stopped = async (signal: AbortSignal) => signal.throwIfAborted()
  const driver = driverOver({ name: 'reader', open: stopped, replug: stopped } as never, readerProtocol)
  for (const call of [driver.connect, (signal: AbortSignal) => driver.recover('replug', signal)]) {
    const answer = await call(AbortSignal.abort())()
    expect(isLeft(answer) && answer.left.code).toBe('ABORTED')
  }
})
