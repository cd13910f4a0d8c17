// What a Dockerfile should say so that its container can be watched, ended and looked after.

import { type Finding, fail, ok, warn } from '../finding.ts'
import type { ComposeFacts } from './compose.ts'

interface Instruction {
  readonly line: number
  readonly name: string
  readonly text: string
}

const INIT = /\b(tini|dumb-init|catatonit|s6-svscan)\b/

/** Whether what it starts takes care of orphans. */
export const hasInit = (text: string): boolean => startsInit(lastStage(text))

const startsInit = (stage: readonly Instruction[]): boolean =>
  [find(stage, 'ENTRYPOINT'), find(stage, 'CMD')].some((one) => one !== undefined && INIT.test(one.text))

/** `given`: what something else, as a compose file, gives its containers. */
export function dockerfileFindings(file: string, text: string, given: ComposeFacts): Finding[] {
  const last = lastStage(text)
  const found: Finding[] = []
  const at = (finding: Finding, line = 1) => found.push({ ...finding, where: { file, line } })
  const check = find(last, 'HEALTHCHECK')
  if (check === undefined || /^NONE\b/i.test(check.text)) {
    if (!given.healthcheck) at(warn('deploy', 'has no HEALTHCHECK', `add: ${HEALTHCHECK}`), check?.line)
  } else if (!/--start-period=/.test(check.text))
    at(warn('deploy', 'HEALTHCHECK has no --start-period', `take: ${HEALTHCHECK}`), check.line)
  const user = find(last, 'USER')
  if (user === undefined || /^(root|0)\b/.test(user.text))
    at(warn('deploy', 'runs as root', 'add USER node, and give it the folder of the journal'), user?.line)
  const main = find(last, 'ENTRYPOINT') ?? find(last, 'CMD')
  if (main === undefined) at(warn('deploy', 'says no command', 'add CMD ["node", "server.js"]'))
  for (const one of [find(last, 'ENTRYPOINT'), find(last, 'CMD')]) {
    if (one === undefined) continue
    // with exec the shell becomes the program
    if (!one.text.startsWith('[') && !/^exec\s/.test(one.text))
      at(
        fail(
          'deploy',
          `${one.name} is in shell form: its program gets no SIGTERM`,
          `write ${one.name} ["node", "server.js"]`,
        ),
        one.line,
      )
    else if (/^\[\s*"(npm|yarn|pnpm|npx)"/.test(one.text))
      at(
        warn(
          'deploy',
          `${one.name} goes through a package manager, which stands between it and SIGTERM`,
          'start node itself',
        ),
        one.line,
      )
  }
  if (main !== undefined && !given.init && !startsInit(last))
    at(
      warn('deploy', 'process 1 takes no care of orphans', 'docker run --init, init: true in compose, or tini'),
      main.line,
    )
  return found.length > 0 ? found : [{ ...ok('deploy', 'is as it should be'), where: { file } }]
}

const HEALTHCHECK =
  'HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --retries=3 CMD ["node", "-e", "fetch(\'http://127.0.0.1:8000/health\').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]'

/** The last stage is what runs. */
function lastStage(text: string): readonly Instruction[] {
  const all = instructions(text)
  return all.slice(
    Math.max(
      0,
      all.findLastIndex(({ name }) => name === 'FROM'),
    ),
  )
}

/** The one that counts: the last. */
const find = (stage: readonly Instruction[], wanted: string) => stage.findLast(({ name }) => name === wanted)

/** With the lines that a backslash has it go on in. */
function instructions(text: string): Instruction[] {
  const found: Instruction[] = []
  let open: { line: number; text: string } | undefined
  for (const [at, raw] of text.split(/\r?\n/).entries()) {
    const said = raw.trim()
    if (said === '' || said.startsWith('#')) continue
    const goesOn = said.endsWith('\\')
    const piece = goesOn ? said.slice(0, -1) : said
    open = open ? { line: open.line, text: `${open.text} ${piece}` } : { line: at + 1, text: piece }
    if (goesOn) continue
    const [, name = '', rest = ''] = /^(\w+)\s*(.*)$/.exec(open.text) ?? []
    found.push({ line: open.line, name: name.toUpperCase(), text: rest.trim() })
    open = undefined
  }
  return found
}
