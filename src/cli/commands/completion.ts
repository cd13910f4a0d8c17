// `duramen completion <shell>`: the script that has a shell ask for what may come next.
import tab from '@bomb.sh/tab/commander'
import type { Command } from 'commander'
import { exitHelp } from '../exit-codes.ts'

/** The script for bash takes back that paths are completed, wherever it is asked; most of what stands behind a command are paths. */
const PATHS = `
__duramen_or_path() {
    __duramen_complete
    if [[ \${#COMPREPLY[@]} -eq 0 ]]; then compopt -o default; fi
}
complete -F __duramen_or_path duramen`

/** To be added last: only what is there by then is completed. */
export function addCompletion(program: Command): void {
  const completed = tab(program, { completionCommandName: 'completion' })
  for (const command of program.commands) {
    const entry = completed.commands.get(command.name())
    if (entry) entry.description = command.summary() // a shell has one line for it
  }
  program.commands
    .find((command) => command.name() === 'completion')!
    .hook('postAction', (_, { args: [shell] }) => {
      if (shell === 'bash') console.log(PATHS)
    })
    .summary('print the script that completes commands in a shell')
    .description(
      'Prints the script that completes commands, options and their values in a shell. For bash (with the package ' +
        'bash-completion): source <(duramen completion bash); zsh: source <(duramen completion zsh); fish: duramen completion ' +
        `fish | source; PowerShell: duramen completion powershell | Out-String | Invoke-Expression. ${exitHelp('done', 'failed')}`,
    )
}
