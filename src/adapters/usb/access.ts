// D6 Whether this process may open a device: looked up at its node, which is not talked to.
//
// A container may lack the right to a device whose mode allows it (the cgroup of devices): that shows nowhere but in opening
// the node, with EPERM. So the node is opened, and closed at once, where the device is not open anyway.
import { access, constants, open, readFile, stat } from 'node:fs/promises'
import { fsError } from '../../journal/fs-error.ts'
import type { Access } from '../../ports/device.ts'
import { hex, type Wanted } from './select.ts'

/** Opens a node for a moment. */
export const openOnce = async (node: string): Promise<void> => (await open(node, 'r+')).close()

/**
 * Of a device that is plugged in. `node` is null where the system has no such thing; the package says it when it is opened then.
 * `opens` is left out where the device is open.
 */
export async function accessTo(
  node: string | null,
  wanted: Wanted,
  opens?: (node: string) => Promise<void>,
): Promise<Access> {
  if (node === null) return { state: 'granted', node }
  const allowed = await mayOpen(node)
  if (allowed && !(await isRefused(node, opens))) return { state: 'granted', node }
  const rule = allowed ? null : ruleFor(wanted)
  try {
    const { mode, uid, gid } = await stat(node)
    const owner = `${await nameIn('/etc/passwd', uid)}:${await nameIn('/etc/group', gid)}`
    return { state: 'denied', node, owner, mode: (mode & 0o7777).toString(8).padStart(4, '0'), rule }
  } catch (error) {
    // the kernel has the device, this process not its node: as in a container that was given one node, after a re-plug
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      return { state: 'denied', node, owner: null, mode: null, rule }
    throw fsError(error, `look at ${node}`, { file: node })
  }
}

/** The line for /etc/udev/rules.d that gives the device to the group plugdev, and to whoever is logged in at the machine. */
function ruleFor({ vendor, product }: Wanted): string {
  const device = `ATTR{idVendor}=="${hex(vendor)}", ATTR{idProduct}=="${hex(product)}"`
  return `SUBSYSTEM=="usb", ${device}, MODE="0660", GROUP="plugdev", TAG+="uaccess"`
}

async function mayOpen(node: string): Promise<boolean> {
  try {
    await access(node, constants.R_OK | constants.W_OK)
    return true
  } catch {
    return false
  }
}

/** By the system, not by its mode. What else is in its way, connecting tells. */
async function isRefused(node: string, opens: ((node: string) => Promise<void>) | undefined): Promise<boolean> {
  try {
    await opens?.(node)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** The name with that number; the number where there is none, as in many containers. */
async function nameIn(file: string, id: number): Promise<string> {
  const lines = (await readFile(file, 'utf8').catch(() => '')).split('\n')
  return lines.map((line) => line.split(':')).find((fields) => fields[2] === String(id))?.[0] ?? String(id)
}
