#!/usr/bin/env node
// The command `duramen`: reads the arguments, runs what they ask for, ends with its exit code.
import { createRequire } from 'node:module'
import { Command, InvalidArgumentError, Option } from 'commander'
import type { ChainHead } from '../journal/index.ts'
import { runBackup, runRestore } from './backup.ts'
import { type CheckCommand, check } from './check.ts'
import { type ExportCommand, runExport, runImport } from './export.ts'
import { exitCodeOf } from './failure.ts'
import { interruption } from './interruption.ts'
import { createScreen } from './screen.ts'

const { version, description } = createRequire(import.meta.url)('../../package.json')
const interrupted = interruption()

const program = new Command('duramen').description(description).version(version).exitOverride().showHelpAfterError()

program
  .command('demo')
  .summary('put a folder of images through the whole pipeline')
  .description(
    'Puts images through the whole pipeline: source, images_sources, uploaded, images_old. Kill it at any moment and ' +
      'run it again: it goes on where it was, and nothing is lost or uploaded twice.',
  )
  .argument('[folder]', 'a folder of images, which is copied and never changed (default: a sample set)')
  .option('--data <dir>', 'where folders, store and journal are kept', './duramen-demo')
  .option('--slow <ms>', 'wait so many milliseconds over each image, to have time to kill it', wholeNumber, 0)
  .action(async (folder: string | undefined, { data, slow }: { data: string; slow: number }) => {
    const { demo } = await import('./demo.ts') // loads all of XState
    process.exitCode = await demo({ folder, data, slow }, createScreen(process.stdout), interrupted)
  })

program
  .command('check')
  .summary('look for damage in a journal, and repair it')
  .description(
    'Reads all of a journal and says what is not as it was written, what that has cost, and what to do. Changes nothing ' +
      'without --repair, and may run beside the process that writes. Exit code: 0 sound, 1 damaged, not as noted, or failed, 2 usage.',
  )
  .argument('[dir]', "the journal's folder", './data')
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
    process.exitCode = await check({ dir, json, repair, yes, expect }, createScreen(process.stdout))
  })

function chainHead(text: string): ChainHead {
  const [, position, hash] = /^([1-9]\d{0,15}):([0-9a-f]{64})$/.exec(text) ?? []
  if (position !== undefined && hash !== undefined) return { position: Number(position), hash }
  throw new InvalidArgumentError('Give a position, a colon and the 64 digits of its hash, as check has printed them.')
}

const CONFIG = 'a module that exports { journal: { codec } }, for an encrypted journal'

program
  .command('backup')
  .summary('copy a journal, or what is new of it')
  .description(
    'Copies a journal while the process that writes goes on. A second backup into the same folder copies only what is new; ' +
      'whatever goes wrong, the one before stays whole. Keys are not copied. Exit code: 0 done, 1 failed, 2 usage.',
  )
  .argument('<dir>', "the journal's folder")
  .argument('<to>', 'the folder of the backup, which is made if need be')
  .option('--json', 'print the result as JSON')
  .action(async (from: string, to: string, { json = false }: { json?: boolean }) => {
    process.exitCode = await runBackup({ from, to, json }, createScreen(process.stdout), interrupted)
  })

program
  .command('restore')
  .summary('make a journal again from a backup')
  .description('Makes a journal again from a backup, in a folder that has none. Exit code: 0 done, 1 failed, 2 usage.')
  .argument('<from>', 'the folder of the backup')
  .argument('<dir>', "the journal's folder, which is made if need be")
  .option('--until <position>', 'as it was when that position was the last one', position)
  .option('--json', 'print the result as JSON')
  .action(async (from: string, to: string, { until, json = false }: { until?: number; json?: boolean }) => {
    process.exitCode = await runRestore({ from, to, until, json }, createScreen(process.stdout), interrupted)
  })

program
  .command('export')
  .summary('print a journal as lines of JSON')
  .description(
    'Prints the records of a journal as lines of JSON, while the process that writes goes on. Exit code: 0 done, 1 failed, 2 usage.',
  )
  .argument('[dir]', "the journal's folder", './data')
  .option('--out <file>', 'write to a file, which is there once it is whole')
  .option('--machine <id>', 'only the instances of this machine')
  .option('--instance <id>', 'only this instance of it')
  .option('--config <file>', CONFIG)
  .option('--json', 'with --out: print the result as JSON')
  .action(async (dir: string, { out, machine, instance, config, json = false }: Partial<ExportCommand>) => {
    const screen = createScreen(process.stdout)
    process.exitCode = await runExport({ dir, out, machine, instance, config, json }, screen, interrupted)
  })

program
  .command('import')
  .summary('make a journal from lines of JSON')
  .description(
    'Makes a journal from what `duramen export` has written, in a folder that has none. The folder has the journal once all ' +
      'of it is there. Exit code: 0 done, 1 failed, 2 usage.',
  )
  .argument('<file>', 'the file; - for the standard input')
  .argument('<dir>', "the journal's folder, which is made if need be")
  .option('--config <file>', CONFIG)
  .option('--json', 'print the result as JSON')
  .action(async (file: string, dir: string, { config, json = false }: { config?: string; json?: boolean }) => {
    process.exitCode = await runImport({ file, dir, config, json }, createScreen(process.stdout), interrupted)
  })

function position(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Give the position of a record, such as 4711.')
}

function wholeNumber(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Give a whole number of milliseconds, such as 2000.')
}

try {
  await program.parseAsync()
} catch (error) {
  process.exitCode = exitCodeOf(error)
}
