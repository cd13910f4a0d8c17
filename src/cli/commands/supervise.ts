// The arguments of `duramen supervise`.
import { type Command, InvalidArgumentError, Option } from 'commander'
import { EXIT } from '../exit-codes.ts'
import { exitCodeOf } from '../failure.ts'
import type { Interruption } from '../interruption.ts'
import type { SuperviseCommand } from '../supervise/supervise.ts'
import { EMAIL, EMAIL_FROM, SMTP, WEBHOOK } from './people.ts'
import { bytes, duration, wholeNumber } from './values.ts'

export function addSupervise(program: Command, interrupted: Interruption): void {
  program
    .command('supervise')
    .summary('look after a program: start it again when it fails')
    .description(
      'Runs a program, and starts it again when it fails. If it fails too often, it is given up as CRITICAL, and people are told. A ' +
        'program that ends with code 0 is not started again. The history is on record: a supervisor that is started again goes ' +
        'on counting, and ends what the one before has left. SIGTERM and SIGINT end the program and all that it has begun; a ' +
        'second one at once. ' +
        `Exit code: ${EXIT.fine} it has ended well or as it was asked to, ${EXIT.critical} given up, ${EXIT.failed} failed, ` +
        `${EXIT.usage} usage, 128 and the signal's number for a second signal.`,
    )
    .argument('<command...>', 'the program and its arguments, after --')
    .usage('[options] -- <command...>')
    .addOption(
      new Option(
        '--dev',
        'HOST=127.0.0.1, PORT=8000, NODE_ENV=development, and a restart when sources change',
      ).conflicts('prod'),
    )
    .option('--prod', 'HOST=0.0.0.0, PORT=8000, NODE_ENV=production; all of these only where they are not set')
    .option('--name <name>', 'what it is called in logs, and its state folder', plainName, 'app')
    .option('--state <dir>', 'where its history is kept (default: .duramen/supervise/<name>)')
    .addOption(time('--restart-delay <time>', 'the wait before it is started again', '3s'))
    .option('--max-restarts <n>', 'so many restarts within the window; one more, and it is given up', wholeNumber, 10)
    .addOption(time('--window <time>', 'for how long a restart counts', '5m'))
    .addOption(time('--stable <time>', 'who ran for so long begins a new count', '5m'))
    .option('--backoff <time>', 'each wait is twice the one before, up to this', duration)
    .addOption(time('--stop-timeout <time>', 'how long it has to end by itself', '10s'))
    .option('--watch <path...>', 'restart it when something there changes')
    .addOption(WEBHOOK)
    .addOption(EMAIL)
    .addOption(EMAIL_FROM)
    .addOption(SMTP)
    .option('--log-dir <dir>', "where its output is kept (default: 'logs' in the state folder)")
    .addOption(size('--log-size <bytes>', 'when a file of it is full', '10MB'))
    .option('--log-keep <n>', 'how many older files are kept', wholeNumber, 5)
    .option('--json', "the supervisor's own lines as JSON")
    .action(async (command: [string, ...string[]], given: SuperviseCommand) => {
      const { supervise } = await import('../supervise/supervise.ts') // loads all of XState
      const { leave } = await import('../leave.ts')
      if (interrupted.signal.aborted) return
      const ended = supervise(command, given, interrupted)
      await leave(await ended.catch((error) => exitCodeOf(error, given.json ?? false)))
    })
}

const time = (flags: string, description: string, value: string) =>
  new Option(flags, description).argParser(duration).default(duration(value), value)

const size = (flags: string, description: string, value: string) =>
  new Option(flags, description).argParser(bytes).default(bytes(value), value)

function plainName(text: string): string {
  if (/^[\w-][\w.-]{0,99}$/.test(text)) return text
  throw new InvalidArgumentError('Give a plain name such as reader-1: letters, digits, dots and dashes.')
}
