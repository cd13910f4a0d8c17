// What a protocol asks for is looked at before the package is: it never gets as far as the device.
import { expect, test } from 'vitest'
import type { ControlRequest } from '../../src/adapters/usb/index.ts'
import type { Device } from '../../src/adapters/usb/load.ts'
import { Transfers } from '../../src/adapters/usb/transfers.ts'
import { faultOf } from '../../src/machines/device/faults.ts'
import { refused } from '../support/host.ts'

const options = { signal: new AbortController().signal }

test.each<[ControlRequest, number]>([
  [{ request: 256 }, 8],
  [{ request: -1 }, 8],
  [{ request: 'status' as never }, 8],
  [{ request: 1, value: 0x10000 }, 8],
  [{ request: 1, index: 0.5 }, 8],
  [{ request: 1 }, -1],
])('D4 a request that can’t be (%j, %d bytes) is an answer, and no fault of the device', async (request, length) => {
  const transfers = new Transfers({} as Device, 'reader', [])
  const error = await refused(transfers.controlIn(request, length, options))
  expect(error.code).toBe('BAD_OPTION')
  expect(faultOf(error)).toBe('answer')
})

test.each([
  [undefined, 5000],
  [0, 1],
  [Number.NaN, 1],
  [Number.POSITIVE_INFINITY, 2 ** 31 - 1],
])('a timeout of %s is %d ms for the package, which takes zero and Infinity for at once', async (timeout, expected) => {
  let limit: number | undefined
  const controlTransferOut = async (_: unknown, __: unknown, ms: number) => {
    limit = ms
  }
  const transfers = new Transfers({ controlTransferOut } as unknown as Device, 'reader', [])
  await transfers.controlOut({ request: 1 }, undefined, { ...options, ...(timeout !== undefined && { timeout }) })
  expect(limit).toBe(expected)
})
