// The arguments of `duramen control`.
import { Argument, type Command } from 'commander'
import type { ControlRequest } from '../../adapters/process/index.ts'
import { EXIT, exitHelp } from '../exit-codes.ts'
import type { Interruption } from '../interruption.ts'
import { leave } from '../leave.ts'
import { screenOut } from './values.ts'

interface Given {
  readonly state: string
  readonly why?: string
  readonly json?: boolean
}

export function addControl(program: Command, interrupted: Interruption): void {
  program
    .command('control')
    .summary('ask a supervisor how it is doing, to restart its program, or to stop')
    .description(
      'Asks a supervisor that runs, and prints how it is doing then. restart: its program is ended and started again, which does ' +
        'not count as a failure. stop: its program is ended, and so is the supervisor; what is printed is told before that is ' +
        `done. ${exitHelp('it has answered', 'none runs there, it refused, or it has not answered in time')}`,
    )
    .addArgument(new Argument('<what>', 'what it is to do').choices(['status', 'restart', 'stop']))
    .option('--state <dir>', 'the state folder of the supervisor', '.duramen/supervise/app')
    .option('--why <text>', 'why it is restarted or stopped, for its log')
    .option('--json', 'print the status as JSON')
    .action(async (what: ControlRequest['do'], { state, why, json = false }: Given, command: Command) => {
      if (why !== undefined && what === 'status') command.error('error: --why is for restart and stop')
      interrupted.signal.addEventListener('abort', () => void leave(interrupted.exitCode ?? EXIT.failed))
      const { control } = await import('../control.ts')
      const request: ControlRequest = { do: what, ...(why === undefined ? {} : { why }) }
      process.exitCode = await control({ request, state, json }, screenOut())
    })
}
