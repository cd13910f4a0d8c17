#!/usr/bin/env node
// The command `duramen`: reads the arguments, runs what they ask for, ends with its exit code.
import { createRequire } from 'node:module'
import { Command, InvalidArgumentError } from 'commander'
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

function wholeNumber(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Give a whole number of milliseconds, such as 2000.')
}

try {
  await program.parseAsync()
} catch (error) {
  process.exitCode = exitCodeOf(error)
}
