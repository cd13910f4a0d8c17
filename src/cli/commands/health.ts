// The arguments of the commands that look at an application from outside.
import type { Command } from 'commander'
import type { DiagnoseCommand } from '../diagnose/diagnose.ts'
import { modelIn } from '../diagnose/model.ts'
import { exitHelp } from '../exit-codes.ts'
import { address, port, screenOut, several, usbId } from './values.ts'

export function addHealthCommands(program: Command): void {
  addDiagnose(program)
}

function addDiagnose(program: Command): void {
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
    .option('--url <url>', 'its address, instead of host and port', address)
    .option('--journal <dir>', "the journal's folder", './data')
    .option('--folder <dir>', 'a folder that must be writable; may be repeated', several(String))
    .option('--model <path[:sha256]>', 'a file that must be there and whole; may be repeated', several(modelIn))
    .option('--env <name>', 'a variable that must be set; may be repeated', several(String))
    .option('--usb <vendor:product>', 'a device that must be there; may be repeated', several(usbId))
    .option('--startup', 'what must hold before a start: port free, environment, and what does not need a running host')
    .option('--deploy', "the files of a deployment in this folder: Dockerfile, compose file, systemd's unit")
    .option('--json', 'print the report as JSON')
    .action(async (given: Partial<DiagnoseCommand> & { folder?: string[]; model?: DiagnoseCommand['models'] }) => {
      const { diagnose } = await import('../diagnose/diagnose.ts')
      const { host, port, journal } = given as DiagnoseCommand
      const { url, env = [], usb = [], startup = false, deploy = false, json = false, folder = [], model = [] } = given
      process.exitCode = await diagnose(
        { host, port, url, journal, models: model, folders: folder, env, usb, startup, deploy, json },
        screenOut(),
      )
    })
}
