import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { accessTo, openOnce } from '../../src/adapters/usb/access.ts'

const wanted = { vendor: 0x1162, product: 0x2201, serial: undefined }
const saying = (code: string) => () => Promise.reject(Object.assign(new Error(code), { code }))

test('D6 a node whose mode allows it, and that the system refuses, is denied without a udev rule; nothing else that opening says is', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'duramen-access-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const node = join(folder, 'node')
  await writeFile(node, '', { mode: 0o600 })
  const granted = { state: 'granted', node }
  expect(await accessTo(node, wanted, openOnce)).toEqual(granted)
  expect(await accessTo(node, wanted)).toEqual(granted)
  expect(await accessTo(node, wanted, saying('EPERM'))).toMatchObject({
    state: 'denied',
    node,
    mode: '0600',
    rule: null,
  })
  for (const code of ['ENODEV', 'EBUSY', 'EIO']) expect(await accessTo(node, wanted, saying(code))).toEqual(granted)
  const missing = join(folder, 'missing')
  expect(await accessTo(missing, wanted, openOnce)).toMatchObject({
    state: 'denied',
    mode: null,
    rule: expect.stringContaining('SUBSYSTEM'),
  })
})
