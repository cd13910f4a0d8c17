// What stands behind an option or an argument, read and refused in one place.
import { InvalidArgumentError } from 'commander'
import type { ChainHead } from '../../journal/index.ts'
import { bytesIn } from '../../ports/size.ts'
import { milliseconds } from '../../runtime/duration.ts'
import type { UsbId } from '../diagnose/usb.ts'
import { createScreen, type Screen } from '../screen.ts'

/** Where a command's report goes. */
export const screenOut = (): Screen => createScreen(process.stdout)

export function position(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Give the position of a record, such as 4711.')
}

export function wholeNumber(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Give a whole number, such as 2000.')
}

export function chainHead(text: string): ChainHead {
  const [, position, hash] = /^([1-9]\d{0,15}):([0-9a-f]{64})$/.exec(text) ?? []
  if (position !== undefined && hash !== undefined) return { position: Number(position), hash }
  throw new InvalidArgumentError('Give a position, a colon and the 64 digits of its hash, as check has printed them.')
}

export function port(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) > 0 && Number(text) < 65_536) return Number(text)
  throw new InvalidArgumentError('Give a port from 1 to 65535.')
}

/** Without credentials, which would be printed. */
export function address(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url && /^https?:$/.test(url.protocol) && !url.username && !url.password) return url
  throw new InvalidArgumentError('Give an address such as http://127.0.0.1:8000, without a name or password.')
}

export function usbId(text: string): UsbId {
  const [, vendor, product] = /^(?:0x)?([0-9a-f]{1,4}):(?:0x)?([0-9a-f]{1,4})$/i.exec(text) ?? []
  if (vendor !== undefined && product !== undefined)
    return { vendor: Number.parseInt(vendor, 16), product: Number.parseInt(product, 16) }
  throw new InvalidArgumentError('Give vendor and product as lsusb shows them, such as 1162:2201.')
}

/** An option that may stand several times. */
export const several =
  <T>(read: (text: string) => T) =>
  (text: string, before: readonly T[] = []): readonly T[] => [...before, read(text)]

/** In ms. */
export function duration(text: string): number {
  const [, count, unit] = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text) ?? []
  if (unit !== undefined) return milliseconds(`${Number(count)}${unit as 's'}`, 'time')
  throw new InvalidArgumentError('Give a number and its unit, such as 500ms, 3s, 5m or 1h.')
}

/** `10MB` → 10,000,000. */
export function bytes(text: string): number {
  const bytes = bytesIn(text)
  if (bytes !== undefined) return bytes
  throw new InvalidArgumentError('Give a number of bytes, such as 500000, 10MB or 1GB.')
}

export function seconds(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) > 0) return Number(text)
  throw new InvalidArgumentError('Give a whole number of seconds, such as 30.')
}
