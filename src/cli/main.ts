#!/usr/bin/env node
// The command `duramen`: reads the arguments, runs what they ask for, ends with its exit code. Each group of commands adds
// its own, in commands/.
import { createRequire } from 'node:module'
import { Command } from 'commander'
import { addCompletion } from './commands/completion.ts'
import { addControl } from './commands/control.ts'
import { addDemo } from './commands/demo.ts'
import { addHealthCommands } from './commands/health.ts'
import { addJournalCommands } from './commands/journal.ts'
import { addSupervise } from './commands/supervise.ts'
import { exitCodeOf } from './failure.ts'
import { interruption } from './interruption.ts'

const { version, description } = createRequire(import.meta.url)('../../package.json')
const interrupted = interruption()
const { argv } = process
/** What stands behind `--` is another program's. */
const json = argv.slice(0, argv.includes('--') ? argv.indexOf('--') : argv.length).includes('--json')

const program = new Command('duramen').description(description).version(version).exitOverride().showHelpAfterError()
if (json) program.configureOutput({ writeErr() {} }) // failure.ts says it

addDemo(program, interrupted)
addJournalCommands(program, interrupted)
addHealthCommands(program, interrupted)
addSupervise(program, interrupted)
addControl(program, interrupted)
addCompletion(program)

unsetEmpty()
try {
  await program.parseAsync()
} catch (error) {
  process.exitCode = exitCodeOf(error, json)
}

/** `DURAMEN_WEBHOOK=` in a unit or a compose file: a variable that is empty is not set. */
function unsetEmpty(): void {
  for (const { envVar } of program.commands.flatMap(({ options }) => options))
    if (envVar !== undefined && process.env[envVar] === '') delete process.env[envVar]
}
