// The protocol of a fingerprint reader for tests, examples and demos. It is an invention of ours: real readers speak protocols
// of their vendors. Vendor requests to the device, the picture over bulk IN:
//
// LED 0x01 out      value 0 or 1
// STATUS 0x02 in    8 bytes: u8 version 1 | u8 LED | u16 pictures taken | u16 width | u16 height
// CAPTURE 0x03 out  value: a token. The device drops what was not read, and sends, over bulk IN, one message:
//                   "DRPI" | u16 token | u16 width | u16 height | u16 0 | u32 CRC-32 of the pixels | width x height grey pixels
//
// All numbers are little-endian. The token tells a picture that was asked for before, and came late, from the one that is
// wanted.
import { crc32 } from 'node:zlib'
import { DuramenError } from '../../../ports/errors.ts'
import type { TransferOptions, UsbIo } from '../link.ts'
import type { UsbProtocol } from '../protocol.ts'

export const LED = 0x01
export const STATUS = 0x02
export const CAPTURE = 0x03
const BULK_IN = 1
export const WIDTH = 260
export const HEIGHT = 300
const STATUS_BYTES = 8
const HEADER_BYTES = 16
const MAGIC = 'DRPI'
/** Transfers ask for whole packets. */
const PACKET_BYTES = 512
/** A message of a capture that nobody has read is passed over; so many at the most. */
const STALE = 4

/** A picture: one byte a pixel, 0 is black. */
export interface GreyImage {
  readonly width: number
  readonly height: number
  readonly pixels: Uint8Array
}

/** What the reader answers when it is asked how it is. */
export interface ReaderStatus {
  readonly led: boolean
  /** Pictures taken since it was plugged in. */
  readonly captures: number
}

/** What the reader can do. */
export type ReaderOperations = {
  capture: { input: undefined; output: GreyImage }
  led: { input: boolean; output: undefined }
  status: { input: undefined; output: ReaderStatus }
}

/** How the reader is talked to, for `usbDriver({ vendor: 0x1162, product: 0x2201, protocol: readerProtocol })`. */
export const readerProtocol: UsbProtocol<ReaderOperations> = {
  operations: {
    capture: {
      repeatable: true,
      timeout: 15_000,
      async perform(io, _, { signal }) {
        const token = 1 + Math.floor(Math.random() * 0xffff)
        await io.controlOut({ request: CAPTURE, value: token }, undefined, { signal })
        const output = await picture(io, token, { signal, timeout: 10_000 })
        return { output, bytes: output.pixels }
      },
    },
    led: {
      repeatable: true,
      setting: true,
      timeout: 5000,
      async perform(io, on, { signal }) {
        if (typeof on !== 'boolean') {
          throw new DuramenError('BAD_OPTION', `the LED can't be ${String(on)}`, { hint: 'Give true or false.' })
        }
        await io.controlOut({ request: LED, value: on ? 1 : 0 }, undefined, { signal })
        return { output: undefined }
      },
    },
    status: {
      repeatable: true,
      timeout: 5000,
      perform: async (io, _, { signal }) => ({ output: await statusOf(io, signal) }),
    },
  },
  async probe(io, signal) {
    await statusOf(io, signal)
  },
}

/** A message as the device sends it. */
export function encodePicture(token: number, pixels: Uint8Array): Buffer {
  const message = Buffer.alloc(HEADER_BYTES + pixels.length)
  message.write(MAGIC, 'latin1')
  message.writeUInt16LE(token, 4)
  message.writeUInt16LE(WIDTH, 6)
  message.writeUInt16LE(HEIGHT, 8)
  message.writeUInt32LE(crc32(pixels), 12)
  message.set(pixels, HEADER_BYTES)
  return message
}

async function picture(io: UsbIo, token: number, options: TransferOptions): Promise<GreyImage> {
  const length = Math.ceil((HEADER_BYTES + WIDTH * HEIGHT) / PACKET_BYTES) * PACKET_BYTES
  for (let stale = 0; stale <= STALE; stale++) {
    const message = Buffer.from(await io.bulkIn(BULK_IN, length, options))
    if (message.length < HEADER_BYTES || message.toString('latin1', 0, 4) !== MAGIC) throw wrong('no picture has come')
    if (message.readUInt16LE(4) !== token) continue
    const width = message.readUInt16LE(6)
    const height = message.readUInt16LE(8)
    const pixels = message.subarray(HEADER_BYTES)
    if (pixels.length !== width * height) throw wrong(`${pixels.length} of ${width * height} pixels have come`)
    if (crc32(pixels) !== message.readUInt32LE(12)) throw wrong('the checksum of the picture is wrong')
    return { width, height, pixels: Uint8Array.from(pixels) }
  }
  throw wrong('only pictures have come that were asked for before')
}

async function statusOf(io: UsbIo, signal: AbortSignal): Promise<ReaderStatus> {
  const status = Buffer.from(await io.controlIn({ request: STATUS }, STATUS_BYTES, { signal }))
  if (status.length !== STATUS_BYTES || status[0] !== 1) throw wrong('its status is none')
  return { led: status[1] === 1, captures: status.readUInt16LE(2) }
}

const wrong = (what: string) =>
  new DuramenError('USB_PROTOCOL', `The reader does not answer as it should: ${what}`, {
    retryable: true,
    hint: 'It is recovered by itself; where it stays so, look at the cable and the firmware.',
  })
