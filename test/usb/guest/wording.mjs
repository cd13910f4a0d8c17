// What the package says, word by word, and what src/adapters/usb/errors.ts makes of it. A new version that words it
// differently fails here.
import assert from 'node:assert/strict'
import { chmod, rename } from 'node:fs/promises'
import { usb } from 'usb'
import { usbError } from '../../../dist/adapters/usb/errors.js'
import { spawnPeer } from '../../support/usb/peer.mjs'
import { until } from './support.mjs'

const STATUS = { requestType: 'vendor', recipient: 'device', request: 2, value: 0, index: 0 }
const UNKNOWN = { ...STATUS, request: 99 }
const NOTHING = new Uint8Array(0)
const NOBODY = 65534

/** What is done with a device whose interface is claimed: what it says, and its code. */
const CLAIMED = (reader) => [
  ['transferIn error: Stall', 'USB_STALL', { halted: true }, (device) => device.transferIn(1, 512, 1000)],
  [
    'transferOut error: Stall',
    'USB_STALL',
    { halted: true },
    (device) => device.transferOut(2, Buffer.from('x'), 1000),
  ],
  ['controlTransferIn error: endpoint stalled', 'USB_STALL', {}, (device) => device.controlTransferIn(UNKNOWN, 8)],
  [
    'controlTransferOut error: endpoint stalled',
    'USB_STALL',
    {},
    (device) => device.controlTransferOut(UNKNOWN, NOTHING),
  ],
  ['transferIn error: Cancelled', 'USB_TIMEOUT', {}, (device) => device.transferIn(1, 512, 100)],
  [
    'controlTransferIn error: transfer was cancelled',
    'USB_TIMEOUT',
    { hung: true },
    (device) => device.controlTransferIn(STATUS, 8, 100),
  ],
  [
    'transferIn error: Fault',
    'USB_PROTOCOL',
    { cut: 1 },
    async (device) => {
      await device.transferOut(2, Buffer.from('x'))
      await device.transferIn(1, 512)
    },
  ],
  [
    'transferIn error: Disconnected',
    'USB_GONE',
    {},
    async (device) => {
      const pending = device.transferIn(1, 512, 5000)
      const pulled = until('reading', async () => (await reader.state()).reading > 0).then(() => reader.detach())
      await Promise.all([pending, pulled])
    },
  ],
  ...[
    ['controlTransferIn error: device disconnected', (device) => device.controlTransferIn(STATUS, 8)],
    ['reset error: device disconnected (errno 19)', (device) => device.reset()],
    ['clearHalt error: device disconnected (errno 19)', (device) => device.clearHalt('in', 1)],
  ].map(([says, call]) => [
    says,
    'USB_GONE',
    {},
    async (device) => {
      await reader.detach()
      await call(device)
    },
  ]),
  [
    'claimInterface error: interface is busy (errno 16)',
    'USB_BUSY',
    {},
    async () => {
      const other = await plugged()
      await other.open()
      await other.claimInterface(0).finally(() => other.close())
    },
  ],
  ['transferIn error: endpoint not found', 'IO', {}, (device) => device.transferIn(9, 512)],
  [
    'detachKernelDriver error: no kernel driver attached (errno 61)',
    'IO',
    {},
    async (device) => {
      await device.releaseInterface(0)
      await device.detachKernelDriver(0).finally(() => device.claimInterface(0))
    },
  ],
  [
    'The same native value cannot be borrowed mutably while another borrow is active',
    'IO',
    {},
    async (device) => {
      const pending = device.transferIn(1, 512, 200).catch(() => {})
      try {
        await device.close()
      } finally {
        await pending
      }
    },
  ],
]

/** Of a process of its own: what it asks of its driver, and how it is started. */
const APART = [
  [
    'open error: permission denied (errno 13)',
    'USB_ACCESS',
    { user: NOBODY },
    (node, call) => chmod(node, 0o600).then(call),
  ],
  [
    'open error: device not found (errno 2)',
    'USB_GONE',
    {},
    async (node, call) => {
      await rename(node, `${node}.away`)
      await call().finally(() => rename(`${node}.away`, node))
    },
  ],
  [
    'getDevices error: /sys/bus/usb/devices/ not found (errno 2)',
    'USB_ABSENT',
    { within: ['unshare', '-m', 'sh', '-c', 'mount -t tmpfs none /sys/bus && exec "$0" "$@"'] },
    (_, call) => call(),
  ],
]

const plugged = () => usb.findDeviceByIds(0x1162, 0x2201)

export const wordingCases = (reader) => [
  ...CLAIMED(reader).map(([says, code, faults, call]) => ({
    name: `the package says '${says}': ${code}`,
    async run() {
      const device = await plugged()
      await device.open()
      await device.claimInterface(0)
      try {
        await reader.set({ ...faults })
        await assert.rejects(
          async () => call(device),
          (error) => {
            // One whose endpoints the kernel has taken away before the call has none.
            if (code === 'USB_GONE' && error.message.endsWith('error: endpoint not found')) return true
            assert.equal(error.message, says)
            assert.equal(usbError(error, 'reader').code, code)
            return true
          },
        )
      } finally {
        await device.releaseInterface(0)
        await device.close()
      }
    },
  })),
  ...APART.map(([says, code, how, prepared]) => ({
    name: `the package says '${says}': ${code}`,
    async run() {
      const { node } = await reader.state()
      const peer = spawnPeer(how)
      try {
        await peer.ask('driver')
        const call = () => assert.rejects(peer.ask('connect'), { code, message: `1162:2201: ${says}` })
        await prepared(node, call)
      } finally {
        await peer.kill()
      }
    },
  })),
]
