// The hosts of a database's address, to be printed: nothing that may be a part of a user's name or a password.

const HOST = String.raw`(?:\[[0-9A-Fa-f:.]+\]|[\w.-]+|%2F[\w.%-]+\.sock)(?::\d{1,5})?`
const ADDRESS = new RegExp(`^[a-z+]+://(?:[^/?#@]*@)?((?:${HOST})(?:,${HOST})*)?(?=[/?#]|$)(.*)$`, 's')
/** Azure writes the name of the account so. */
const HARMLESS = /(?<=[?&]appName=)@[\w-]+@/g

/**
 * `host` or `host:port`, each; empty where none is named. Undefined where it is not beyond doubt which they are: an @ or / of
 * a password that is not escaped moves them, and what looks like a host is a part of it then.
 */
export function hostsIn(address: string): readonly string[] | undefined {
  const [, hosts, rest] = ADDRESS.exec(address) ?? []
  if (rest === undefined || rest.replace(HARMLESS, '').includes('@')) return undefined
  return hosts?.split(',') ?? []
}

export interface Place {
  /** Without brackets. */
  readonly host: string
  readonly port: number
}

export function placeIn(host: string, usual: number): Place {
  const [, name, port] = /^(.*?)(?::(\d+))?$/.exec(host)!
  return { host: name!.replace(/^\[|\]$/g, ''), port: Number(port ?? usual) }
}
