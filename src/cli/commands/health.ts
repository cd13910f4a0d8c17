// The arguments of the commands that look at an application from outside.
import { type Command, Option } from 'commander'
import type { DiagnoseCommand } from '../diagnose/diagnose.ts'
import { modelIn } from '../diagnose/model.ts'
import { exitHelp } from '../exit-codes.ts'
import type { Interruption } from '../interruption.ts'
import { leave } from '../leave.ts'
import type { MonitorCommand } from '../monitor/monitor.ts'
import { EMAIL, EMAIL_FROM, type People, SMTP, WEBHOOK } from './people.ts'
import { address, port, screenOut, seconds, several, usbId, wholeNumber } from './values.ts'

export function addHealthCommands(program: Command, interrupted: Interruption): void {
  addDiagnose(program, interrupted)
  addMonitor(program, interrupted)
}

function addDiagnose(program: Command, interrupted: Interruption): void {
  program
    .command('diagnose')
    .summary('say what is wrong with an application, and what to do')
    .description(
      'Looks at port, HTTP, WebSocket, processor, memory, disk, database (MONGODB_URI or DATABASE_URL), processes, runtime, ' +
        'dependencies, folders, model files, USB devices and journal; says of each in a line how it is and what to do. Changes ' +
        `nothing, and is done within 10 s. ${exitHelp('nothing fails', 'something fails')}`,
    )
    .option('--host <host>', 'where the application listens', '127.0.0.1')
    .option('--port <port>', 'its port', port, 8000)
    .addOption(
      new Option('--url <url>', 'its address, instead of host and port').argParser(address).conflicts(['host', 'port']),
    )
    .option('--journal <dir>', "the journal's folder", './data')
    .option('--folder <dir>', 'a folder that must be writable; may be repeated', several(String))
    .option('--model <path[:sha256]>', 'a file that must be there and whole; may be repeated', several(modelIn))
    .option('--env <name>', 'with --startup, a variable that must be set; may be repeated', several(String))
    .option('--usb <vendor:product>', 'a device that must be there; may be repeated', several(usbId))
    .option('--startup', 'what must hold before a start: port free, environment, and what does not need a running host')
    .option('--deploy', "the files of a deployment in this folder: Dockerfile, compose file, systemd's unit")
    .option('--json', 'print the report as JSON')
    .action(async (given: DiagnoseGiven, command: Command) => {
      refuseUnused(given, command)
      const { diagnose } = await import('../diagnose/diagnose.ts')
      const { url, folder: folders = [], model: models = [], ...asked } = given
      process.exitCode = await diagnose(
        { ...NOT_ASKED, ...asked, url: url?.href, folders, models },
        screenOut(),
        interrupted,
      )
    })
}

/** An option that nothing would come of is a mistake, and told as one. */
function refuseUnused({ startup = false, deploy = false, env }: DiagnoseGiven, command: Command): void {
  if (env && !startup) command.error("error: option '--env <name>' is for '--startup'")
  if (!deploy || startup) return
  const unused = command.options.find(
    (option) =>
      !['deploy', 'json'].includes(option.name()) && command.getOptionValueSource(option.attributeName()) === 'cli',
  )
  if (unused) command.error(`error: '--deploy' looks at files only, so that option '${unused.flags}' needs '--startup'`)
}

interface DiagnoseGiven extends Pick<DiagnoseCommand, 'host' | 'port' | 'journal'>, Partial<Flags> {
  readonly url?: URL
  readonly folder?: readonly string[]
  readonly model?: DiagnoseCommand['models']
}

type Flags = Pick<DiagnoseCommand, 'env' | 'usb' | 'startup' | 'deploy' | 'json'>

const NOT_ASKED: Flags = { env: [], usb: [], startup: false, deploy: false, json: false }

function addMonitor(program: Command, interrupted: Interruption): void {
  program
    .command('monitor')
    .summary('watch an application, and restart it when it no longer lives')
    .description(
      'Asks /live and /health again and again. Only where /live fails three times in a row it is restarted, up to the limit; an ' +
        'unhealthy database, high load and a late event loop are told without a restart. A signal ends it with 0, a reader of its ' +
        'output that goes with 141. ' +
        exitHelp('ended, or --once and well', '--once and something is wrong, or failed'),
    )
    .addOption(
      new Option('--url <url>', 'the application')
        .argParser(address)
        .default(new URL('http://127.0.0.1:8000'), 'http://127.0.0.1:8000'),
    )
    .addOption(
      new Option('--interval <s>', 'seconds between two looks')
        .env('MONITORING_INTERVAL')
        .argParser(seconds)
        .default(30),
    )
    .addOption(
      new Option('--max-restarts <n>', 'how often it is restarted, until it has lived for 5 minutes')
        .env('MAX_RESTARTS')
        .argParser(wholeNumber)
        .default(3),
    )
    .addOption(new Option('--restart <command>', 'what restarts it, for a shell').conflicts('socket'))
    .option('--socket <path>', "the control socket of its supervisor, or the supervisor's state folder")
    .addOption(WEBHOOK)
    .addOption(EMAIL)
    .addOption(EMAIL_FROM)
    .addOption(SMTP)
    .option('--once', 'look once, restart nothing')
    .option('--json', 'print lines of JSON')
    .action(async (given: MonitorGiven) => {
      const { url, interval, maxRestarts, restart, socket, once = false, json = false } = given
      const [{ monitor }, { byCommand, bySupervisor }, { notifiersOf }] = await Promise.all([
        import('../monitor/monitor.ts'),
        import('../monitor/restart.ts'),
        import('../notifiers.ts'),
      ])
      const how = restart ? byCommand(restart) : socket ? bySupervisor(socket) : undefined
      const notifiers = notifiersOf(given)
      // an end does not wait for a restart that is under way
      await leave(
        await monitor({ url, interval, maxRestarts, restart: how, notifiers, once, json }, screenOut(), interrupted),
      )
    })
}

interface MonitorGiven extends People, Pick<MonitorCommand, 'url' | 'interval' | 'maxRestarts'> {
  readonly restart?: string
  readonly socket?: string
  readonly once?: boolean
  readonly json?: boolean
}
