// What no real bus does when it is asked to: an interface that somebody else takes between two calls.
import { expect, test } from 'vitest'
import { openConnection } from '../../src/adapters/usb/connection.ts'
import type { Found } from '../../src/adapters/usb/select.ts'

test('a kernel driver that was detached in vain has its interface again, and nothing stays open; the first error is told', async () => {
  const calls: string[] = []
  const said = (call: string, error?: string) => async () => {
    calls.push(call)
    if (error) throw new Error(error)
  }
  const device = {
    open: said('open'),
    configuration: { interfaces: [{ interfaceNumber: 0, alternate: { endpoints: [] } }] },
    claimInterface: said('claim', 'claimInterface error: interface is busy (errno 16)'),
    detachKernelDriver: said('detach'),
    attachKernelDriver: said('attach'),
    close: said('close', 'close error: invalid state'),
  }
  const opening = openConnection({ device } as unknown as Found, 'reader', { interface: 0, configuration: undefined })
  await expect(opening).rejects.toMatchObject({ code: 'USB_BUSY' })
  expect(calls).toEqual(['open', 'claim', 'detach', 'claim', 'attach', 'close'])
})

test('a device that the kernel has not configured yet is a fault that recovery mends; an interface it does not have is the caller’s error', async () => {
  const opening = (configuration: unknown) => {
    const device = { open: async () => {}, close: async () => {}, configuration }
    return openConnection({ device } as unknown as Found, 'reader', { interface: 3, configuration: undefined })
  }
  await expect(opening(undefined)).rejects.toMatchObject({ code: 'IO', retryable: true })
  await expect(opening({ interfaces: [] })).rejects.toMatchObject({ code: 'BAD_OPTION' })
})
