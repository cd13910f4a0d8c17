// Ten thousand operations, with a fault in one of twenty.
import { isRight } from 'fp-ts/lib/Either.js'
import { expect, test } from 'vitest'
import { simulatedDriver } from '../../src/adapters/usb/index.ts'
import { pictureOf, type ReaderFaults } from '../../src/adapters/usb/reader/simulated-reader.ts'
import { openHost } from '../../src/index.ts'
import { memoryJournal } from '../../src/journal/index.ts'
import { createDevice } from '../../src/machines/index.ts'
import { noUnhandledRejections, quiet, settle, texts } from '../support/host.ts'
import { gc } from '../support/memory.ts'
import { but } from './world.ts'

noUnhandledRejections()

const OPERATIONS = 10_000
const FAULTS: readonly ReaderFaults[] = [
  { halted: true },
  { stallControl: 1 },
  { cut: 1 },
  { garbage: 1 },
  { short: 1 },
  { halted: true, stubborn: 1 },
]

/** Numbers from 0 to 1 that are the same each time (mulberry32). */
function chance(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

test('D1 D2 D4 10,000 operations, a fault in one of 20: each answered once, in order, with its own picture; nothing grows', async () => {
  const driver = simulatedDriver()
  const { reader } = driver
  const random = chance(7)
  const numbers: number[] = []
  let faults = 0
  const spoiled = but(driver, {
    perform: (op, input, attempt) => async () => {
      if (attempt.attempt === 1 && random() < 1 / 20) {
        faults++
        reader.faults = { ...FAULTS[Math.floor(random() * FAULTS.length)]! }
      }
      const answer = await driver.perform(op, input, attempt)()
      if (op === 'capture' && answer._tag === 'Right') numbers.push(reader.captures)
      return answer
    },
  })
  const journal = memoryJournal()
  const host = await openHost({ journal, logger: quiet })
  const device = await createDevice(host, { driver: spoiled, id: 'reader', ladder: { first: 0 } })
  const heap: number[] = []

  // in the records: never more than 50 good operations on one connection; what was looked at is let go of
  let good = 0
  let counted = 0
  const looked = async () => {
    for (const text of await texts(journal, 'device/reader')) {
      const [header, outcome, payload] = text.split('\n') as [string, string, string]
      if (header.includes('/perform@') && payload.includes('"op"')) {
        good++
        counted++
      }
      expect(good).toBeLessThanOrEqual(50)
      if (header.includes('/refresh@') || (header.includes('/recover@') && payload.includes('serial'))) good = 0
      if (outcome.includes('"refreshing"')) expect(good).toBe(50)
    }
    const { seq } = (await journal.head('device/reader'))!
    expect(isRight(await journal.trim('device/reader', seq)())).toBe(true)
  }

  const answered: number[] = []
  const asked: Promise<unknown>[] = []
  let captures = 0
  for (let i = 0; i < OPERATIONS; i++) {
    const operation =
      i % 5 < 3
        ? device.led(i % 2 === 0)
        : device.capture().then(({ pixels }) => {
            // what came is the picture that was taken for this very caller
            const expected = numbers[captures++]!
            if (Buffer.compare(pixels, pictureOf(expected)) !== 0) throw new Error(`another picture than ${expected}`)
          })
    asked.push(operation.then(() => void answered.push(i)))
    if (asked.length === 20) await Promise.all(asked.splice(0))
    if (asked.length === 0 && i % 2500 === 2499) {
      await settle()
      await looked()
      gc()
      heap.push(process.memoryUsage().heapUsed)
    }
  }
  expect(answered).toEqual(Array.from({ length: OPERATIONS }, (_, i) => i))
  expect(faults).toBeGreaterThan(400)
  const { refreshes, operations_total, recoveries, operation_count } = device.diagnosis()
  expect(operations_total).toBe(OPERATIONS)
  expect(recoveries).toBeGreaterThan(300)
  expect(reader).toMatchObject({ handles: 1, listeners: 1 })
  // of 2,500 operations not a byte in a thousand of their pictures stays
  expect(heap.at(-1)! - heap[0]!).toBeLessThan(4_000_000)
  expect(counted).toBe(OPERATIONS)
  expect(refreshes).toBeGreaterThan(OPERATIONS / 50 / 2)
  expect(operation_count).toBe(good)
  await device.close()
  expect(reader).toMatchObject({ handles: 0, listeners: 0 })
  await host.close()
}, 120_000)
