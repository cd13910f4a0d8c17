// One call of the command systemd-notify. Node has no datagram sockets of the kind that NOTIFY_SOCKET is, and a binding would
// want a compiler (docs/decisions/0016-systemd-notify.md).
import { type ChildProcess, spawn } from 'node:child_process'
import { textOf } from '../../ports/thrown.ts'

/** Longest time that one call may take, ms. */
const LIMIT = 5_000
/** How much of what the command complains of is kept, in characters. */
const COMPLAINT = 500

/** What became of a call. */
export type Told =
  | { readonly told: true }
  /** `missing`: there is no such command, and there is no use in calling it again. */
  | { readonly told: false; readonly why: string; readonly missing: boolean }

/** Gives it the lines as one message. Never rejects. `env`: what NOTIFY_SOCKET and PATH are taken from. */
export function tell(lines: readonly string[], env: Readonly<Record<string, string | undefined>>): Promise<Told> {
  return new Promise((resolve) => {
    const failed = (why: string, missing = false) => resolve({ told: false, why, missing })
    let child: ChildProcess
    try {
      child = spawn('systemd-notify', lines, {
        // nothing of the rest of the environment is its business
        env: { NOTIFY_SOCKET: env.NOTIFY_SOCKET, PATH: env.PATH },
        stdio: ['ignore', 'ignore', 'pipe'],
        timeout: LIMIT,
        killSignal: 'SIGKILL',
      })
    } catch (error) {
      return failed(textOf(error))
    }
    let complaint = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      complaint = (complaint + text).slice(0, COMPLAINT)
    })
    child.once('error', (error: NodeJS.ErrnoException) => failed(error.message, error.code === 'ENOENT'))
    child.once('close', (code, signal) => {
      if (code === 0) resolve({ told: true })
      else failed(complaint.trim() || (signal ? `it was ended by ${signal}` : `it ended with ${code}`))
    })
  })
}
