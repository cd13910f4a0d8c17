// Whether a program that is to start can have its port: tried by taking it for a moment.
import { lookup } from 'node:dns/promises'
import { createServer } from 'node:net'
import { listenerAt } from '../probes/programs.ts'
import { type Finding, fail, ok } from './finding.ts'

export async function freePort(host: string, port: number): Promise<Finding> {
  const place = `${host}:${port}`
  const code = await take(host, port)
  if (code === undefined) return ok('port', `${place} is free`)
  if (code === 'EADDRINUSE') {
    const program = await lookup(host)
      .then(({ address }) => listenerAt(address, port))
      .catch(() => undefined)
    return fail('port', `${place} is taken by ${named(program)}`, 'stop that one, or take another port')
  }
  if (code === 'EACCES') return fail('port', `${place} is not for this user`, 'take a port from 1024 on')
  return fail('port', `${place} can't be listened on: ${code}`, 'give an address of this machine: --host 127.0.0.1')
}

/** How a program that listens is told of. */
export const named = (program: { readonly pid: number; readonly name: string } | undefined): string =>
  program ? `${program.name} (pid ${program.pid})` : 'a program that this user may not see'

function take(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.on('error', ({ code = 'unknown' }: NodeJS.ErrnoException) => resolve(code))
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)))
  })
}
