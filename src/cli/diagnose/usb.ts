// D6 Which USB devices are plugged in, and whether this process may open them: by what Linux says in its files, without the
// package usb and without a word to a device.
import { access, constants, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { accessTo, openOnce } from '../../adapters/usb/access.ts'
import { hex } from '../../adapters/usb/select.ts'
import type { Access } from '../../ports/device.ts'
import { counted } from '../text.ts'
import { type Finding, fail, ok } from './finding.ts'

export interface UsbId {
  readonly vendor: number
  readonly product: number
}

export interface UsbDevice extends UsbId {
  readonly name: string
  /** Its node. */
  readonly node: string
  readonly access: Exclude<Access, { state: 'absent' }>
}

const DEVICES = '/sys/bus/usb/devices'
const HUB = 0x09

export async function usb(wanted: readonly UsbId[], devices = DEVICES): Promise<Finding[]> {
  if (process.platform !== 'linux') return [ok('usb', 'is looked at on Linux only')]
  const names = await readdir(devices).catch(() => undefined)
  if (!names) return usbFindings(wanted, undefined)
  const found = await Promise.all(
    names.filter((name) => !name.includes(':')).map((name) => deviceIn(join(devices, name), wanted)),
  )
  return usbFindings(
    wanted,
    found.filter((device) => device !== undefined),
  )
}

/** Undefined for hubs, and for what has been unplugged meanwhile. */
async function deviceIn(folder: string, wanted: readonly UsbId[]): Promise<UsbDevice | undefined> {
  const text = (name: string) => readFile(join(folder, name), 'utf8').then((said) => said.trim())
  try {
    const [kind, idVendor, idProduct, bus, number] = await Promise.all(
      ['bDeviceClass', 'idVendor', 'idProduct', 'busnum', 'devnum'].map(text),
    )
    if (Number.parseInt(kind!, 16) === HUB) return undefined
    const id = { vendor: Number.parseInt(idVendor!, 16), product: Number.parseInt(idProduct!, 16) }
    const node = `/dev/bus/usb/${bus!.padStart(3, '0')}/${number!.padStart(3, '0')}`
    const asked = wanted.some((one) => same(one, id))
    const product = await text('product').catch(() => '')
    const name = `${hex(id.vendor)}:${hex(id.product)}${product && ` ${product}`}`
    // only what is asked for is opened for a moment: a container's refusal shows nowhere else
    const access = asked ? await accessTo(node, { ...id, serial: undefined }, openOnce) : await mayOpen(node)
    if (access.state === 'absent') return undefined
    return { ...id, name, node, access }
  } catch {
    return undefined
  }
}

const mayOpen = (node: string): Promise<Access> =>
  access(node, constants.R_OK | constants.W_OK).then(
    () => ({ state: 'granted', node }) as const,
    () => ({ state: 'denied', node, owner: null, mode: null, rule: null }) as const,
  )

const same = (a: UsbId, b: UsbId) => a.vendor === b.vendor && a.product === b.product

/** `devices`: undefined where the system tells of none. */
export function usbFindings(wanted: readonly UsbId[], devices: readonly UsbDevice[] | undefined): Finding[] {
  if (wanted.length === 0) {
    if (!devices) return [ok('usb', 'this system has none')]
    const open = devices.filter(({ access }) => access.state === 'granted').length
    return [ok('usb', `${counted(devices.length, 'device')}, ${open} of which can be opened`)]
  }
  return wanted.flatMap((id) => {
    const those = (devices ?? []).filter((device) => same(device, id))
    const name = `${hex(id.vendor)}:${hex(id.product)}`
    if (those.length === 0)
      return [fail('usb', `${name} is not plugged in`, 'plug it in; in a container, give it /sys and /dev/bus/usb')]
    return those.map(deviceFinding)
  })
}

function deviceFinding({ name, node, access }: UsbDevice): Finding {
  if (access.state === 'granted') return ok('usb', `${name} can be opened at ${node}`)
  const { owner, mode, rule } = access
  if (owner === null)
    return fail(
      'usb',
      `${name} has no node ${node} here`,
      "give the container /dev/bus/usb as a volume, and device_cgroup_rules: 'c 189:* rmw'",
    )
  const next = rule
    ? `add to /etc/udev/rules.d/70-duramen.rules: ${rule}`
    : "add to the container: device_cgroup_rules: 'c 189:* rmw'"
  return fail('usb', `${name} can't be opened: ${node} is of ${owner}, mode ${mode}`, next)
}
