// Which programs run, and which of them listens on a port, as far as this user may see.
import { networkInterfaces } from 'node:os'
import si from 'systeminformation'

export interface Program {
  readonly pid: number
  readonly parent: number
  /** With its arguments. */
  readonly line: string
  /** Percent of one processor. */
  readonly cpu: number
  /** Bytes. */
  readonly memory: number
  readonly state: string
}

export async function programs(): Promise<readonly Program[]> {
  const { list } = await si.processes()
  return list.map(({ pid, parentPid, command, params, cpu, memRss, state }) => ({
    pid,
    parent: parentPid,
    line: `${command} ${params}`.trim(),
    cpu,
    memory: memRss * 1024,
    state,
  }))
}

/** What listens at an address of this machine. */
interface Listener {
  readonly address: string
  readonly pid: number | null
  readonly name: string
}

/**
 * Who listens at this numeric address and port; undefined where nobody tells, or the address is another machine's. Two
 * programs may have one port at two addresses, and none of them is to be taken for the other.
 */
export async function listenerAt(
  address: string,
  port: number,
): Promise<{ readonly pid: number; readonly name: string } | undefined> {
  if (!isHere(address)) return undefined
  const found = (await si.networkConnections())
    .filter(({ localPort, state }) => localPort === String(port) && state === 'LISTEN')
    .map(({ localAddress, pid, process }) => ({ address: localAddress, pid, name: process }))
  const { pid, name } = listening(found, address) ?? {}
  return pid && name !== undefined ? { pid, name } : undefined
}

/** Who of them gets a connection to the address: who has it, before who has them all. To have all is to be in each's way. */
export function listening<T extends Pick<Listener, 'address'>>(those: readonly T[], address: string): T | undefined {
  const wanted = plain(address)
  const isAll = (one: string) => one === '*' || one === '0.0.0.0' || one === '::'
  // who listens at :: has the addresses of IPv4, too
  const all = wanted.includes(':') ? ['::', '*'] : ['0.0.0.0', '*', '::']
  const found = [wanted, ...all].map((one) => those.find(({ address }) => plain(address) === one))
  return found.find((one) => one !== undefined) ?? (isAll(wanted) ? those[0] : undefined)
}

/** `[::1]`, `127.0.0.53%lo` and `::ffff:127.0.0.1`, as tools of the system write them. */
const plain = (address: string): string =>
  address
    .replace(/^\[|\]$/g, '')
    .replace(/%.*$/, '')
    .replace(/^::ffff:(?=\d+\.)/i, '')
    .toLowerCase()

function isHere(address: string): boolean {
  const own = Object.values(networkInterfaces()).flatMap((those) => those ?? [])
  const wanted = plain(address)
  return /^(127\..*|::1|0\.0\.0\.0|::)$/.test(wanted) || own.some(({ address }) => plain(address) === wanted)
}
