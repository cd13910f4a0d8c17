// The arguments of the commands that read, copy or mend a journal.
import { type Command, Option } from 'commander'
import { type BackupCommand, runBackup, runRestore } from '../backup.ts'
import { type CheckCommand, check } from '../check.ts'
import { exitHelp } from '../exit-codes.ts'
import { type ExportCommand, type ImportCommand, runExport, runImport } from '../export.ts'
import type { Interruption } from '../interruption.ts'
import type { ListCommand } from '../list.ts'
import { chainHead, position, screenOut } from './values.ts'

const CONFIG = 'a module that exports { journal: { codec } }, for an encrypted journal'
const FOLDER = "the journal's folder"

export function addJournalCommands(program: Command, interrupted: Interruption): void {
  addList(program, interrupted)
  addCheck(program)
  addBackup(program, interrupted)
  addExport(program, interrupted)
}

function addList(program: Command, interrupted: Interruption): void {
  program
    .command('list')
    .summary('list the instances of a journal')
    .description(
      'Lists the instances of a journal as their last records tell, also while the process that writes goes on. ' +
        `Changes nothing. ${exitHelp('done', 'failed')}`,
    )
    .argument('[dir]', FOLDER, './data')
    .option('--machine <id>', 'only the instances of this machine')
    .option('--state <state>', 'only those in this state, such as open or open.checked')
    .addOption(
      new Option('--status <status>', 'only those of this status').choices([
        'active',
        'done',
        'error',
        'stopped',
        'paused',
        'parked',
      ]),
    )
    .option('--config <file>', CONFIG)
    .option('--json', 'print a line of JSON for each')
    .action(async (dir: string, { machine, state, status, config, json = false }: Partial<ListCommand>) => {
      const { list } = await import('../list.ts') // loads XState
      process.exitCode = await list({ dir, machine, state, status, config, json }, screenOut(), interrupted)
    })
}

function addCheck(program: Command): void {
  program
    .command('check')
    .summary('look for damage in a journal, and repair it')
    .description(
      'Reads all of a journal and says what is not as it was written, what that has cost, and what to do. Changes nothing ' +
        'without --repair, and may run beside the process that writes. ' +
        exitHelp('sound', 'damaged, not as noted, or failed'),
    )
    .argument('[dir]', FOLDER, './data')
    .option('--json', 'print the report as JSON')
    .addOption(
      new Option('--repair <how>', 'give up everything from the first damage on, or only what is lost').choices([
        'cut',
        'quarantine',
      ]),
    )
    .option('--yes', 'repair without asking')
    .option(
      '--expect <position:hash>',
      'the end of its chain that was noted earlier: has anything changed since?',
      chainHead,
    )
    .action(async (dir: string, { json = false, repair, yes = false, expect }: Partial<CheckCommand>) => {
      process.exitCode = await check({ dir, json, repair, yes, expect }, screenOut())
    })
}

function addBackup(program: Command, interrupted: Interruption): void {
  program
    .command('backup')
    .summary('copy a journal, or what is new of it')
    .description(
      'Copies a journal while the process that writes goes on. A second backup into the same folder copies only what is new; ' +
        `whatever goes wrong, the one before stays whole. Keys are not copied. ${exitHelp('done', 'failed')}`,
    )
    .argument('<dir>', FOLDER)
    .argument('<to>', 'the folder of the backup, which is made if need be')
    .option('--json', 'print the result as JSON')
    .action(async (from: string, to: string, { json = false }: Partial<BackupCommand>) => {
      process.exitCode = await runBackup({ from, to, json }, screenOut(), interrupted)
    })

  program
    .command('restore')
    .summary('make a journal again from a backup')
    .description(`Makes a journal again from a backup, in a folder that has none. ${exitHelp('done', 'failed')}`)
    .argument('<from>', 'the folder of the backup')
    .argument('<dir>', `${FOLDER}, which is made if need be`)
    .option('--until <position>', 'as it was when that position was the last one', position)
    .option('--json', 'print the result as JSON')
    .action(async (from: string, to: string, { until, json = false }: { until?: number; json?: boolean }) => {
      process.exitCode = await runRestore({ from, to, until, json }, screenOut(), interrupted)
    })
}

function addExport(program: Command, interrupted: Interruption): void {
  program
    .command('export')
    .summary('print a journal as lines of JSON')
    .description(
      'Prints the records of a journal as lines of JSON, while the process that writes goes on. ' +
        exitHelp('done', 'failed'),
    )
    .argument('[dir]', FOLDER, './data')
    .option('--out <file>', 'write to a file, which is there once it is whole')
    .option('--machine <id>', 'only the instances of this machine')
    .option('--instance <id>', 'only this instance of it')
    .option('--config <file>', CONFIG)
    .option('--json', 'with --out: print the result as JSON')
    .action(async (dir: string, { out, machine, instance, config, json = false }: Partial<ExportCommand>) => {
      process.exitCode = await runExport({ dir, out, machine, instance, config, json }, screenOut(), interrupted)
    })

  program
    .command('import')
    .summary('make a journal from lines of JSON')
    .description(
      'Makes a journal from what `duramen export` has written, in a folder that has none. The folder has the journal once ' +
        `all of it is there. ${exitHelp('done', 'failed')}`,
    )
    .argument('<file>', 'the file; - for the standard input')
    .argument('<dir>', `${FOLDER}, which is made if need be`)
    .option('--config <file>', CONFIG)
    .option('--json', 'print the result as JSON')
    .action(async (file: string, dir: string, { config, json = false }: Partial<ImportCommand>) => {
      process.exitCode = await runImport({ file, dir, config, json }, screenOut(), interrupted)
    })
}
