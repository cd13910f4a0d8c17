// Who holds a lock, as its file says, and whether that process lives.
//
// K2 Who can't be known to be dead is alive: one on another host, or in another container that can't be asked.
// K10 A holder is dead when its process is gone, when its pid belongs to another process by now, or when the machine was
//   started again. Containers count pids each for itself: of a process in another one its socket tells (presence.ts). So it
//   does of a thread of this very process that was terminated.
import { readlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import { procStat } from '../ports/proc-stat.ts'
import { contentOf } from './files.ts'
import { isAbandoned, isPresent } from './presence.ts'

/** What a lock says. */
export interface Holder {
  readonly pid: number
  readonly host: string
  /** When the process started, in ticks since the machine started; tells a reused pid. Only where there is /proc. */
  readonly processStart?: string
  /** Changes with every start of the machine. Only where there is /proc. */
  readonly bootId?: string
  /** Where its pid counts, which is each container by itself. Only on Linux. */
  readonly pidNamespace?: string
  /** The name of the socket that it listens at, beside the lock; absent where none could be made. */
  readonly socket?: string
  /** ISO time. */
  readonly since: string
  readonly id?: string
}

/** Where a holder is, seen from here: what its pid is worth. */
export type Whereabouts = 'here' | 'another container' | 'another host'

/** This process. */
export async function self(): Promise<Holder> {
  const bootId = await boot()
  const running = await processOf(process.pid)
  const pidNamespace = await namespace()
  return {
    pid: process.pid,
    host: hostname(),
    ...(running === undefined ? {} : { processStart: running.start }),
    ...(bootId === undefined ? {} : { bootId }),
    ...(pidNamespace === undefined ? {} : { pidNamespace }),
    since: new Date().toISOString(),
  }
}

/** Undefined for what no process wrote that took a lock: a file like that belongs to no one. */
export function holderIn(content: string): Holder | undefined {
  try {
    const holder = JSON.parse(content)
    return Number.isSafeInteger(holder.pid) && holder.pid > 0 && typeof holder.host === 'string' ? holder : undefined
  } catch {
    return undefined
  }
}

/** Where the holder of the lock `file` is, and whether it lives, as far as can be known. */
export async function look(
  file: string,
  holder: Holder,
): Promise<{ readonly where: Whereabouts; readonly alive: boolean }> {
  const where = await whereabouts(holder)
  return { where, alive: await lives(file, holder, where) }
}

/** A lock that says nothing of containers was taken where there are none, or by an earlier version. */
async function whereabouts({ host, pidNamespace }: Holder): Promise<Whereabouts> {
  if (host !== hostname()) return 'another host'
  return pidNamespace === undefined || pidNamespace === (await namespace()) ? 'here' : 'another container'
}

async function lives(file: string, holder: Holder, where: Whereabouts): Promise<boolean> {
  if (where === 'another host') return true
  const bootId = await boot()
  if (holder.bootId !== undefined && bootId !== undefined && holder.bootId !== bootId) return false
  if (where === 'another container') return typeof holder.socket !== 'string' || isPresent(file, holder.socket)
  if (!exists(holder.pid)) return false
  const running = await processOf(holder.pid)
  if (running === undefined) return true
  if (running.ended || (holder.processStart !== undefined && holder.processStart !== running.start)) return false
  return holder.pid !== process.pid || typeof holder.socket !== 'string' || !(await isAbandoned(file, holder.socket))
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** What the system tells; undefined where there is no /proc, or it does not say. */
const told = (file: string) => contentOf(file).catch(() => undefined)

const boot = async () => (await told('/proc/sys/kernel/random/boot_id'))?.trim()

const namespace = () => readlink('/proc/self/ns/pid').catch(() => undefined)

async function processOf(pid: number): Promise<{ start: string; ended: boolean } | undefined> {
  const stat = await told(`/proc/${pid}/stat`)
  const { start, ended } = procStat(stat ?? '')
  return start === undefined ? undefined : { start, ended }
}
