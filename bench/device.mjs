// What a device under the kernel costs: captures of 100 ms through createDevice with the file journal, beside the same captures
// of the bare driver; and how many commits one of them is.
import { setTimeout as sleep } from 'node:timers/promises'
import { simulatedDriver } from '../dist/adapters/usb/index.js'
import { openHost } from '../dist/index.js'
import { fileJournal } from '../dist/journal/index.js'
import { createDevice } from '../dist/machines/index.js'
import { best, inFolder } from './side-by-side.mjs'

const CAPTURES = 20
const CAPTURE_MS = 100

/** A reader whose capture takes 100 ms: its two transfers take none. */
function reader() {
  const driver = simulatedDriver()
  const perform = (op, input, attempt) => async () => {
    await sleep(CAPTURE_MS)
    return driver.perform(op, input, attempt)()
  }
  return { ...driver, perform }
}

async function timed(capture) {
  await capture()
  const begin = performance.now()
  for (let n = 0; n < CAPTURES; n++) await capture()
  return (performance.now() - begin) / CAPTURES
}

const durable = () =>
  inFolder(async (dir) => {
    const host = await openHost({ journal: await fileJournal(dir) })
    const device = await createDevice(host, { driver: reader() })
    const ms = await timed(() => device.capture())
    await device.close()
    await host.close()
    return ms
  })

async function bare() {
  const driver = reader()
  const { signal } = new AbortController()
  await driver.connect(signal)()
  const ms = await timed(() => driver.perform('capture', undefined, { key: 'bench', attempt: 1, signal })())
  await driver.close()()
  return ms
}

export async function benchDevice() {
  const { ratio, rates } = await best(3, durable, bare)
  return [
    {
      name: `durable capture : bare capture of ${CAPTURE_MS} ms`,
      value: ratio,
      goal: 1.05,
      lowerIsBetter: true,
      rates,
      unit: 'ms each',
    },
  ]
}
