// The process dies at each of its writes (DURAMEN_SOAK=1: and at each of its recovery); and for real, by SIGKILL in mid-operation.
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { simulatedDriver } from '../../src/adapters/usb/index.ts'
import { openHost } from '../../src/index.ts'
import { fileJournal } from '../../src/journal/index.ts'
import { createDevice } from '../../src/machines/index.ts'
import { everyCrashPoint } from '../../src/testing/index.ts'
import { quiet } from '../support/host.ts'

const CALLS = 4

/** What the outside knows: the reader, which stays plugged in, and how often a caller had an answer. */
const outside = () => ({ driver: simulatedDriver(), answered: 0 })

test('K5 D4 a crash at each write: the device works again, all that was answered is recorded', async () => {
  const tried = await everyCrashPoint(
    async ({ journal, clock, outside: told, nth }) => {
      const { driver } = told
      const host = await openHost({ journal, clock, logger: quiet, closeTimeout: 100 })
      const device = await createDevice(host, {
        driver,
        id: 'reader',
        maxOperationsBeforeRefresh: 2,
        ladder: { first: 0 },
      })
      driver.reader.faults = nth === 1 ? { cut: 1 } : {}
      for (const call of [device.led(true), device.capture(), device.capture(), device.led(false)]) {
        await call
        told.answered++
      }
      await device.close()
      await host.close()
    },
    async ({ journal, clock, outside: { driver, answered } }) => {
      const host = await openHost({ journal, clock, logger: quiet })
      const device = await createDevice(host, { driver, id: 'reader' })
      const { operations_total, interrupted, queue_length, last_error } = device.diagnosis()
      expect(operations_total).toBeGreaterThanOrEqual(answered)
      expect(operations_total - answered).toBeLessThanOrEqual(2) // recorded, and the process died before it could say so
      expect(interrupted).toBeLessThanOrEqual(2 * CALLS)
      expect(queue_length).toBe(0)
      if (interrupted > 0) expect(['INTERRUPTED', 'USB_PROTOCOL']).toContain(last_error?.code)
      expect((await device.capture()).width).toBe(260)
      expect(driver.reader.led).toBe(false)
      await device.close()
      await host.close()
      expect(driver.reader).toMatchObject({ handles: 0 })
    },
    { outside, again: process.env.DURAMEN_SOAK !== undefined },
  )
  expect(tried).toBeGreaterThan(20)
})

test('a process is killed in mid-capture: the capture is recorded as interrupted, and the next process captures', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'duramen-device-'))
  try {
    const script = fileURLToPath(new URL('./child.mjs', import.meta.url))
    const child = spawn(process.execPath, [script, folder], { stdio: ['ignore', 'pipe', 'inherit'] })
    for await (const line of createInterface(child.stdout)) if (line === 'capturing') child.kill('SIGKILL')
    const host = await openHost({ journal: await fileJournal(folder, { logger: quiet }), logger: quiet })
    const device = await createDevice(host, { driver: simulatedDriver(), id: 'reader' })
    expect(device.diagnosis()).toMatchObject({
      operations_total: 1,
      interrupted: 2,
      last_error: { code: 'INTERRUPTED', message: '2 operations (capture, led) cut off: the process has ended' },
    })
    expect((await device.capture()).height).toBe(300)
    await device.close()
    await host.close()
  } finally {
    await rm(folder, { recursive: true })
  }
})
