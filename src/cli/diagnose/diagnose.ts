// `duramen diagnose`: what is so, and what to do next, one line each (V3). All checks run side by side, and none waits for
// another: whatever hangs, the report is there within 10 s. Changes nothing.
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { EXIT } from '../exit-codes.ts'
import type { Interruption } from '../interruption.ts'
import type { Screen } from '../screen.ts'
import { type Asked, checksFor } from './checks.ts'
import { type Finding, fail, worst } from './finding.ts'
import { noAnswer } from './look.ts'
import { reportJson, reportLines } from './report.ts'

export interface DiagnoseCommand extends Asked {
  readonly json: boolean
}

/** Diagnoses; the answer is the exit code: 1 when something fails. */
export async function diagnose(command: DiagnoseCommand, screen: Screen, interrupted: Interruption): Promise<number> {
  const findings = await found(command, interrupted.signal)
  if (interrupted.exitCode !== undefined) return interrupted.exitCode
  if (command.json) screen.line(JSON.stringify(reportJson(findings), undefined, 2))
  else for (const line of reportLines(findings, screen)) screen.line(line)
  return worst(findings) === 'fail' ? EXIT.failed : EXIT.fine
}

/** ms after which the process that looks is ended, whatever it has told. */
const TOTAL = 9_000
/** Beside this file, in src as in dist. */
const LOOKING = fileURLToPath(new URL(import.meta.url.replace(/diagnose(\.\w+)$/, 'looking$1')))
/** A thread for each file that may hang: else four of them would have all others wait. */
const THREADS = '64'

async function found(command: DiagnoseCommand, signal: AbortSignal): Promise<Finding[]> {
  const names = checksFor(command).map(({ name }) => name)
  const told = new Map<number, readonly Finding[]>()
  const looking = fork(LOOKING, {
    env: { ...process.env, UV_THREADPOOL_SIZE: THREADS },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const ended = await new Promise<string | undefined>((resolve) => {
    const timer = setTimeout(() => resolve(undefined), TOTAL)
    signal.addEventListener('abort', () => resolve(undefined), { once: true })
    looking.on('message', ({ index, findings }: { index: number; findings: readonly Finding[] }) => {
      if (told.set(index, findings).size === names.length) resolve(undefined)
    })
    looking.once('exit', (code, by) => {
      clearTimeout(timer)
      resolve(code === null ? `by ${by}` : `with code ${code}`)
    })
    looking.once('error', (error) => resolve(`(${error.message})`))
    looking.send(command, () => {}) // where nobody takes it, its exit says so
  })
  looking.kill('SIGKILL')
  return names.flatMap(
    (name, index) => told.get(index) ?? [ended === undefined ? noAnswer(name, TOTAL) : looksNoMore(name, ended)],
  )
}

const looksNoMore = (name: string, how: string): Finding =>
  fail(
    name,
    `the process that looks has ended ${how}`,
    'look at what it wrote to stderr, and at the memory that is left',
  )
