// The processes of this machine, as the system counts them: /proc where there is one, else `ps`. V1j: a pid alone says nothing.
import { execFile, execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { procStat } from '../../ports/proc-stat.ts'

/** Which process it is: a pid alone is given to others once it has ended. */
export interface Identity {
  readonly pid: number
  /** When it began, as this system tells it; with the start of the machine, where times are counted from there. */
  readonly started: string
}

export interface Process extends Identity {
  readonly parent: number
  readonly group: number
  /** It does nothing any more: its parent has not yet asked how it ended. */
  readonly ended: boolean
}

/** Where processes can be told apart and found: by their files, or by a program. */
export interface ProcessTable {
  all(): Promise<Process[]>
  /** Undefined where there is none. At once: what follows must be about the same process. */
  one(pid: number): Process | undefined
}

export const procTable = (): ProcessTable => {
  const boot = bootId()
  const one = (pid: number) => {
    try {
      return fromStat(pid, boot, readFileSync(`/proc/${pid}/stat`, 'utf8'))
    } catch {
      return undefined // it has ended
    }
  }
  return {
    one,
    async all() {
      const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
      return pids.map((pid) => one(Number(pid))).filter((found) => found !== undefined)
    },
  }
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return '' // not all sandboxes tell
  }
}

export function fromStat(pid: number, boot: string, stat: string): Process {
  const { start, parent, group, ended } = procStat(stat)
  return { pid, started: `${boot}/${start}`, parent, group, ended }
}

const COLUMNS = ['-o', 'pid=', '-o', 'ppid=', '-o', 'pgid=', '-o', 'stat=', '-o', 'lstart=']
const ENV = { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' }

export const psTable = (): ProcessTable => ({
  one(pid) {
    try {
      const text = execFileSync('ps', [...COLUMNS, '-p', String(pid)], {
        env: ENV,
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      return fromPs(text.toString())[0]
    } catch {
      return undefined // ps ends with 1 where there is none
    }
  },
  async all() {
    const { stdout } = await promisify(execFile)('ps', ['-A', ...COLUMNS], { env: ENV, maxBuffer: 2 ** 26 })
    return fromPs(stdout)
  },
})

function fromPs(text: string): Process[] {
  return [...text.matchAll(/^ *(\d+) +(\d+) +(\d+) +(\S+) +(\S.*\S) *$/gm)].map(
    ([, pid, parent, group, state, at]) => ({
      pid: Number(pid),
      parent: Number(parent),
      group: Number(group),
      ended: state!.startsWith('Z'),
      started: at!,
    }),
  )
}

export const processTable = (): ProcessTable => (process.platform === 'linux' ? procTable() : psTable())
