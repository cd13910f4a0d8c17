// Which of the devices that are plugged in is meant: by vendor and product, and by serial number where one is known.
//
// D7 A device is known again by its serial number, never taken for another. Its facts are copied once: a device of the package
// throws when it is asked anything while a transfer is pending, and is `{}` as JSON.
import type { DeviceIdentity } from '../../ports/device.ts'
import { usbError } from './errors.ts'
import type { Device, UsbPackage } from './load.ts'

/** What is looked for. */
export interface Wanted {
  readonly vendor: number
  readonly product: number
  readonly serial: string | undefined
}

/** A device that is plugged in. */
export interface Found {
  readonly device: Device
  /** Changes with each time it is plugged in. */
  readonly handle: string
  readonly serial: string | null
  /** Where it is plugged in, `1-4.2`: bus, then the ports on the way; and the folder of that name in /sys/bus/usb/devices. */
  readonly place: string
  /** Its address on the bus; changes with each time it is plugged in. */
  readonly address: number
  readonly identity: DeviceIdentity
}

/** `1162:2201`, with the serial number where one is given. */
export function nameOf({ vendor, product, serial }: Wanted): string {
  return [hex(vendor), hex(product), ...(serial === undefined ? [] : [serial])].join(':')
}

/** The first that fits, in the order of the ports; undefined where none is plugged in. USB_ABSENT, IO. */
export async function find(usb: UsbPackage, wanted: Wanted): Promise<Found | undefined> {
  try {
    const fits = (await usb.getDevices()).filter(
      ({ vendorId, productId, serialNumber }) =>
        vendorId === wanted.vendor &&
        productId === wanted.product &&
        (wanted.serial === undefined || serialNumber === wanted.serial),
    )
    return fits.map(factsOf).sort((a, b) => a.place.localeCompare(b.place, 'en', { numeric: true }))[0]
  } catch (error) {
    throw usbError(error, nameOf(wanted))
  }
}

function factsOf(device: Device): Found {
  const {
    handle,
    bus,
    address,
    ports,
    serialNumber: serial,
    manufacturerName,
    productName,
    vendorId,
    productId,
  } = device
  const name = [manufacturerName, productName].filter(Boolean).join(' ') || `${hex(vendorId)}:${hex(productId)}`
  const node = process.platform === 'linux' ? `/dev/bus/usb/${bus}/${String(address).padStart(3, '0')}` : null
  const place = `${/^\d+$/.test(bus) ? Number(bus) : bus}-${ports.join('.')}`
  return { device, handle, serial, place, address, identity: { name, serial, node } }
}

export const hex = (id: number) => id.toString(16).padStart(4, '0')
