// Which processes of duramen there are: who writes the journal, who is supervised here, and what else calls itself so.
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { askControl } from '../../adapters/process/control.ts'
import { isDuramenError } from '../../ports/errors.ts'
import { type Program, programs } from '../probes/programs.ts'
import { bytes } from '../text.ts'
import { type Finding, ok, warn } from './finding.ts'

/** Where supervisors keep their state, one folder each. */
const SUPERVISED = join('.duramen', 'supervise')

interface Supervised {
  readonly folder: string
  readonly state?: string
  readonly pid?: number | null
}

export async function processes(journal: string, writer: number | undefined): Promise<Finding[]> {
  const [all, supervised] = await Promise.all([programs(), supervisors()])
  return processFindings({ journal, writer, all, supervised, self: [process.pid, process.ppid] })
}

async function supervisors(): Promise<Supervised[]> {
  const names = await readdir(SUPERVISED).catch(() => [])
  return Promise.all(
    names.map(async (name) => {
      const folder = join(SUPERVISED, name)
      try {
        const { state, pid } = await askControl(folder, { do: 'status' }, { timeout: '2s' })
        return { folder, state, pid }
      } catch (error) {
        if (isDuramenError(error) && error.code === 'CLOSED') return { folder }
        return { folder, state: 'does not answer' }
      }
    }),
  )
}

export interface ProcessesSeen {
  readonly journal: string
  readonly writer: number | undefined
  readonly all: readonly Program[]
  readonly supervised: readonly Supervised[]
  /** Of this diagnosis. */
  readonly self: readonly number[]
}

export function processFindings({ journal, writer, all, supervised, self }: ProcessesSeen): Finding[] {
  const findings: Finding[] = []
  const known = new Map(all.map((program) => [program.pid, program]))
  if (writer === undefined) findings.push(ok('processes', `none writes to ${journal}`))
  else findings.push(ok('processes', `pid ${writer} writes to ${journal}${figures(known.get(writer))}`))
  for (const { folder, state, pid } of supervised)
    if (state !== undefined)
      findings.push(ok('processes', `${folder}: ${state}${pid ? `, pid ${pid}${figures(known.get(pid))}` : ''}`))
  for (const program of all) {
    const { pid, line, state } = program
    if (pid === writer || self.includes(pid) || called(line) === undefined) continue
    if (/zombie|defunct/.test(state))
      findings.push(
        warn(
          'processes',
          `pid ${pid} has ended, and nobody has taken notice`,
          'have an init as process 1: docker run --init',
        ),
      )
    else findings.push(ok('processes', `pid ${pid}: ${called(line)}${figures(program)}`))
  }
  return findings
}

const figures = (program: Program | undefined) =>
  program ? ` (${bytes(program.memory)}, ${Math.round(program.cpu)} % of a processor)` : ''

/** What it does, as of `node /usr/bin/duramen supervise -- …`; undefined for other programs. Arguments may hold secrets. */
function called(line: string): string | undefined {
  const words = line.split(' ').slice(0, LEADING)
  const at = words.findIndex((word) => /(^|\/)duramen$|\/duramen\/dist\/cli\/main\.js$/.test(word))
  if (at < 0) return undefined
  const [, command] = /^([a-z]+)$/.exec(words[at + 1] ?? '') ?? []
  return `duramen${command === undefined ? '' : ` ${command}`}`
}

/** `node`, its flags, and the script are among the first so many words. */
const LEADING = 6
