// The scripts of `duramen completion`, in the shells that they are for.
import { execFile, spawnSync } from 'node:child_process'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { duramen, folder } from './command.ts'

const has = (shell: string) => spawnSync(shell, ['--version']).status === 0

/** With `duramen` on the PATH. */
let env: NodeJS.ProcessEnv

beforeAll(async () => {
  const bin = join(await folder(), 'bin')
  await mkdir(bin)
  await writeFile(join(bin, 'duramen'), `#!/bin/sh\nexec "${process.execPath}" "${resolve('dist/cli/main.js')}" "$@"\n`)
  await chmod(join(bin, 'duramen'), 0o755)
  env = { ...process.env, PATH: `${bin}:${process.env.PATH}` }
})

const run = async (shell: string, ...args: string[]) => (await promisify(execFile)(shell, args, { env })).stdout

/** What bash-completion offers to scripts, for machines without that package. */
const WORDS = `_get_comp_words_by_ref() { words=("\${COMP_WORDS[@]}"); cword=$COMP_CWORD; cur=\${words[cword]}; }`

const bash = (line: string, compopt = ':') => {
  const words = line.split(' ')
  const quoted = words.map((word) => `'${word}'`).join(' ')
  return run(
    'bash',
    '-c',
    `${WORDS}; source <(duramen completion bash); compopt() { ${compopt}; }
     COMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}; COMP_LINE='${line}'; COMP_POINT=${line.length}
     "$(complete -p duramen | sed 's/.*-F \\([^ ]*\\).*/\\1/')"; printf '%s\\n' "\${COMPREPLY[@]}"`,
  )
}

describe.runIf(has('bash'))('in bash', () => {
  it.each([
    ['duramen ch', ['check']],
    ['duramen check --re', ['--repair']],
    ['duramen check --repair ', ['cut', 'quarantine']],
    ['duramen list --status pa', ['parked', 'paused']],
    ['duramen contr', ['control']],
    ['duramen nonsen', []],
  ])('%s<TAB>', async (line, offered) => {
    const said = (await bash(line)).split('\n').map((candidate) => candidate.split(/\s/)[0]!)
    expect(said.filter(Boolean).sort()).toEqual(offered)
  })

  it('a path is completed where there is nothing else to offer', async () => {
    const lastOption = async (line: string) => (await bash(line, 'echo "compopt $*"')).match(/^compopt .*$/gm)?.at(-1)
    expect(await lastOption('duramen check ./da')).toBe('compopt -o default')
    expect(await lastOption('duramen check --re')).not.toBe('compopt -o default')
  })
})

it.runIf(has('fish'))('in fish, with the summary of each', async () => {
  const said = await run('fish', '-c', "duramen completion fish | source; complete -C 'duramen ch'")
  expect(said).toBe('check\tlook for damage in a journal, and repair it\n')
})

it.runIf(has('zsh'))('in zsh, which takes the script and knows whom to ask', async () => {
  const said = await run(
    'zsh',
    '-f',
    '-c',
    'autoload -U compinit && compinit -D -u && source <(duramen completion zsh) && echo $_comps[duramen]',
  )
  expect(said).toMatch(/^_duramen\n$/)
})

it('for PowerShell there is a script, for what is no shell the usage', async () => {
  expect(await duramen('completion', 'powershell')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('Register-ArgumentCompleter'),
  })
  expect(await duramen('completion', 'cmd')).toMatchObject({ code: 2, stdout: '' })
})
