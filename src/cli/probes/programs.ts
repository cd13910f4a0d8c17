// Which programs run, and which of them listens on a port, as far as this user may see.
import si from 'systeminformation'

export interface Program {
  readonly pid: number
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
  return list.map(({ pid, command, params, cpu, memRss, state }) => ({
    pid,
    line: `${command} ${params}`.trim(),
    cpu,
    memory: memRss * 1024,
    state,
  }))
}

/** Who listens on that port here; undefined where nobody does, or nobody tells. */
export async function listenerOn(port: number): Promise<{ readonly pid: number; readonly name: string } | undefined> {
  const found = (await si.networkConnections()).find(
    ({ localPort, state, pid }) => localPort === String(port) && state === 'LISTEN' && pid > 0,
  )
  return found && { pid: found.pid, name: found.process }
}
