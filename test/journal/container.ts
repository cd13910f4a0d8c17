// Processes in a pid namespace of their own, as those of a container are: same host name, same folders, other pids.
import { type ChildProcess, spawnSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { signalAt } from '../../src/adapters/process/group.ts'
import { procTable } from '../../src/adapters/process/table.ts'

const ALONE = ['--pid', '--fork', '--mount-proc']
/** Whoever is not root may have one within a namespace of users. */
const WAYS = [ALONE, ['--user', '--map-root-user', ...ALONE]]

const way = WAYS.find((options) => spawnSync('unshare', [...options, 'true'], { stdio: 'ignore' }).status === 0)

/** Why there can be none here; undefined where there can. */
export const noContainer =
  way === undefined ? 'namespaces of pids need Linux, unshare and the right to use it' : undefined

/** A command, and how it is run as process 1 of a namespace of its own. */
export const contained = (command: string, ...args: string[]): [string, string[]] => [
  'unshare',
  [...way!, command, ...args],
]

/** Sends a signal to process 1 of the namespace that the process `unshare` has begun; nothing where that has ended. */
export async function signalInside(unshare: ChildProcess, name: NodeJS.Signals): Promise<void> {
  while (unshare.exitCode === null && unshare.signalCode === null) {
    const inside = (await procTable().all()).find(({ parent }) => parent === unshare.pid)
    if (inside !== undefined) return signalAt(inside.pid, name)
    await sleep(5)
  }
}
