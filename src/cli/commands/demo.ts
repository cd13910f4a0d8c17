// The arguments of `duramen demo`.
import type { Command } from 'commander'
import { exitHelp } from '../exit-codes.ts'
import type { Interruption } from '../interruption.ts'
import { screenOut, wholeNumber } from './values.ts'

export function addDemo(program: Command, interrupted: Interruption): void {
  program
    .command('demo')
    .summary('put a folder of images through the whole pipeline')
    .description(
      'Puts images through the whole pipeline: source, images_sources, uploaded, images_old. Kill it at any moment and ' +
        `run it again: it goes on where it was, and nothing is lost or uploaded twice. ${exitHelp('done', 'failed')}`,
    )
    .argument('[folder]', 'a folder of images, which is copied and never changed (default: a sample set)')
    .option('--data <dir>', 'where folders, store and journal are kept', './duramen-demo')
    .option('--slow <ms>', 'wait so many milliseconds over each image, to have time to kill it', wholeNumber, 0)
    .option(
      '--store <uri>',
      'upload to this database (mongodb://host/name; default name: duramen-demo) rather than to a folder',
    )
    .action(async (folder: string | undefined, given: { data: string; slow: number; store?: string }) => {
      const { demo } = await import('../demo.ts') // loads all of XState
      const { data, slow, store } = given
      process.exitCode = await demo({ folder, data, slow, store }, screenOut(), interrupted)
    })
}
