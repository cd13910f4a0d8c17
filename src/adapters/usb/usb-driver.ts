// A driver of a real device: a protocol over the package `usb`.
import { tmpdir } from 'node:os'
import type { DeviceDriver, Operations } from '../../ports/device.ts'
import { assertFunction, assertNames, assertPath, badOption, optionsGiven } from '../../ports/given.ts'
import { type Duration, milliseconds } from '../../runtime/duration.ts'
import { driverOver } from './driver.ts'
import type { UsbProtocol } from './protocol.ts'
import { PackageLink } from './usb-link.ts'

/** Which device, and how it is talked to. */
export interface UsbDriverOptions<Ops extends Operations<Ops>> {
  /** Vendor id, 0 to 0xffff; `lsusb` shows it. */
  vendor: number
  /** Product id, 0 to 0xffff. */
  product: number
  /**
   * Serial number. Default: the first one of that vendor and product; once it was connected, that very one is waited for.
   * Give it where more than one may be plugged in.
   */
  serial?: string
  /** How its operations are done. */
  protocol: UsbProtocol<Ops>
  /** The interface that is claimed. Default 0. */
  interface?: number
  /** The configuration that is selected. Default: the one that is in force. */
  configuration?: number
  /** Where processes agree on who drives the device; the same for all of them, and there. Default: the system's folder for temporary files. */
  lockFolder?: string
  /**
   * What happens while another process drives it: `'refuse'` rejects with LOCKED, `'wait'` waits some seconds before, and
   * tells whoever watches when it is free. Default `'refuse'`.
   */
  whenLocked?: 'refuse' | 'wait'
  /** How often it is looked for where no event says that it comes or goes, as in containers. Default 2 s. */
  poll?: Duration
}

/**
 * A driver over the package `usb`, for createDevice(). Does nothing before it is connected; the package is loaded then
 * (MISSING_PACKAGE where it is not installed). Throws BAD_OPTION.
 */
export function usbDriver<Ops extends Operations<Ops>>(options: UsbDriverOptions<Ops>): DeviceDriver<Ops> {
  const given: Partial<UsbDriverOptions<Ops>> = optionsGiven('usbDriver', options)
  assertNames('usbDriver', given, NAMES)
  const { serial, protocol, configuration, whenLocked = 'refuse', lockFolder = tmpdir() } = given
  if (serial !== undefined && (typeof serial !== 'string' || serial === ''))
    throw badOption('serial', serial, 'is no serial number', 'Leave it out, or give it as a string.')
  if (typeof protocol !== 'object' || protocol === null || typeof protocol.operations !== 'object')
    throw badOption('protocol', protocol, 'is no protocol', 'Give { operations, probe }, such as readerProtocol.')
  assertFunction('protocol.probe', protocol.probe, 'Give a function that rejects where the device does not answer.')
  if (whenLocked !== 'refuse' && whenLocked !== 'wait')
    throw badOption('whenLocked', whenLocked, 'is no choice', "Give 'refuse' or 'wait'.")
  assertPath('lockFolder', lockFolder)
  const poll = milliseconds(given.poll ?? '2s', 'poll')
  if (poll === 0) throw badOption('poll', given.poll, 'is no time', "Give one like '2s'.")
  const link = new PackageLink({
    wanted: { vendor: whole('vendor', given.vendor, 0xffff), product: whole('product', given.product, 0xffff), serial },
    part: {
      interface: whole('interface', given.interface ?? 0, 0xff),
      configuration: configuration === undefined ? undefined : whole('configuration', configuration, 0xff),
    },
    locking: { folder: lockFolder, whenLocked },
    poll,
  })
  return driverOver(link, protocol)
}

function whole(name: string, value: unknown, max: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max) return value
  throw badOption(name, value, 'is no id', `Give a whole number from 0 to 0x${max.toString(16)}.`)
}

const NAMES: readonly string[] = [
  'vendor',
  'product',
  'serial',
  'protocol',
  'interface',
  'configuration',
  'lockFolder',
  'whenLocked',
  'poll',
] satisfies (keyof UsbDriverOptions<never>)[]
