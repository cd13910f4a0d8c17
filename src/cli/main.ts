#!/usr/bin/env node
// The command `duramen`: reads the arguments, runs what they ask for, ends with its exit code.
import { createRequire } from 'node:module'
import { Command, InvalidArgumentError, Option } from 'commander'
import type { ChainHead } from '../journal/index.ts'
import { type CheckCommand, check } from './check.ts'
import { demo } from './demo.ts'
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
  .option('--json', 'print the report as JSON', false)
  .addOption(
    new Option('--repair <how>', 'give up everything from the first damage on, or only what is lost').choices([
      'cut',
      'quarantine',
    ]),
  )
  .option('--yes', 'repair without asking', false)
  .option(
    '--expect <position:hash>',
    'the end of its chain that was noted earlier: has anything changed since?',
    chainHead,
  )
  .action(async (dir: string, { json, repair, yes, expect }: Omit<CheckCommand, 'dir'>) => {
    process.exitCode = await check({ dir, json, repair, yes, expect }, createScreen(process.stdout))
  })

function chainHead(text: string): ChainHead {
  const [, position, hash] = /^([1-9]\d{0,15}):([0-9a-f]{64})$/.exec(text) ?? []
  if (position !== undefined && hash !== undefined) return { position: Number(position), hash }
  throw new InvalidArgumentError('Give a position, a colon and the 64 digits of its hash, as check has printed them.')
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
