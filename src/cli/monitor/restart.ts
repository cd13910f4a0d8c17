// The two ways to restart what is watched: a command of the user's, or its supervisor.
import { spawn } from 'node:child_process'
import { basename, dirname } from 'node:path'
import { askControl } from '../../adapters/process/control.ts'
import { DuramenError } from '../../ports/errors.ts'
import { within } from '../../ports/signal.ts'
import { systemClock } from '../../runtime/clock.ts'

/** Resolves once it was restarted, rejects with DuramenError. */
export type Restart = (why: string) => Promise<void>

/** ms that a command may take. */
const COMMAND_LIMIT = 60_000

/**
 * Runs a command in a shell, as the user has written it. It is left to itself when this process ends, and when it takes too
 * long: half a restart is worse than a slow one. Two are worse still: while one runs, that one is waited for again. What it
 * prints goes to stderr.
 */
export function byCommand(command: string, limit = COMMAND_LIMIT): Restart {
  let running: Promise<void> | undefined
  return async () => {
    running ??= run(command).finally(() => (running = undefined))
    await within(systemClock, limit, running, () => {
      throw failed(`has not ended within ${limit / 1000} s; it goes on, and none is begun beside it`)
    })
  }
}

const run = (command: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const child = spawn(command, { shell: true, detached: true, stdio: ['ignore', 2, 2] })
    child.unref()
    child.on('error', (error) => reject(failed(`could not be begun: ${error.message}`, error)))
    // not 'close': what it has begun may keep its output open
    child.on('exit', (code, signal) => {
      if (code === 0) resolve()
      else reject(failed(code === null ? `was ended by ${signal}` : `ended with code ${code}`))
    })
  })

const failed = (how: string, cause?: unknown) =>
  new DuramenError('CHILD_FAILED', `the command that restarts it ${how}`, {
    cause,
    hint: 'Run it by hand, and see what it says.',
  })

/** Asks the supervisor with that state folder, or whose socket that is. */
export const bySupervisor =
  (path: string): Restart =>
  async (why) => {
    const folder = basename(path) === 'control.sock' ? dirname(path) : path
    await askControl(folder, { do: 'restart', why: `monitor: ${why}` }, { timeout: '30s' })
  }
