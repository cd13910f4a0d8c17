// Which processes of duramen there are: who writes the journal, who is supervised here, and what else calls itself so.
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { askControl } from '../../adapters/process/control.ts'
import { recorded } from '../../adapters/process/record.ts'
import { processTable } from '../../adapters/process/table.ts'
import type { Exit, SupervisorStatus } from '../../ports/child.ts'
import { isDuramenError } from '../../ports/errors.ts'
import { gaveUpAndGoneNext, gaveUpAt, gaveUpNext } from '../gave-up.ts'
import { type Program, programs } from '../probes/programs.ts'
import { bytes, counted } from '../text.ts'
import { type Finding, fail, ok, warn } from './finding.ts'
import type { Writer } from './journal.ts'

/** Where supervisors keep their state, one folder each. */
const SUPERVISED = join('.duramen', 'supervise')

type Supervised = { readonly folder: string } & (
  | { readonly is: 'answering'; readonly status: Told }
  | { readonly is: 'silent' }
  /** Nobody looks after what runs there. `left`: it was begun by one who has gone, and runs on. `gaveUp`: when he did. */
  | { readonly is: 'alone'; readonly left: number | undefined; readonly gaveUp: number | undefined }
)

type Told = Pick<SupervisorStatus, 'state' | 'pid' | 'restarts' | 'maxRestarts' | 'lastExit'>

export async function processes(journal: string, writer: Writer | undefined): Promise<Finding[]> {
  const [all, supervised] = await Promise.all([programs(), supervisors()])
  return processFindings({ journal, writer, all, supervised, self: [process.pid, process.ppid] })
}

export async function supervisors(room = SUPERVISED): Promise<Supervised[]> {
  const names = await readdir(room).catch(() => [])
  return Promise.all(
    names.map(async (name): Promise<Supervised> => {
      const folder = join(room, name)
      try {
        return { folder, is: 'answering', status: await askControl(folder, { do: 'status' }, { timeout: '2s' }) }
      } catch (error) {
        if (isDuramenError(error) && error.code === 'CLOSED')
          return { folder, is: 'alone', left: leftIn(folder), gaveUp: await gaveUpAt(folder) }
        return { folder, is: 'silent' }
      }
    }),
  )
}

function leftIn(folder: string): number | undefined {
  const leader = recorded(folder)
  const running = leader && processTable().one(leader.pid)
  return running && !running.ended && running.started === leader.started ? leader.pid : undefined
}

export interface ProcessesSeen {
  readonly journal: string
  readonly writer: Writer | undefined
  readonly all: readonly Program[]
  readonly supervised: readonly Supervised[]
  /** Of this diagnosis. */
  readonly self: readonly number[]
}

export function processFindings({ journal, writer, all, supervised, self }: ProcessesSeen): Finding[] {
  const known = new Map(all.map((program) => [program.pid, program]))
  const findings = [writerFinding(journal, writer, known)]
  for (const one of supervised) findings.push(...supervisedFindings(one, known))
  const isEnded = ({ state }: Program) => /zombie|defunct/.test(state)
  const ended = all.filter((program) => isEnded(program) && program.parent === 1)
  if (ended.length > 0)
    findings.push(
      warn(
        'processes',
        `process 1 takes no notice of ${counted(ended.length, 'process', 'processes')} that ended`,
        'have an init as process 1: docker run --init',
      ),
    )
  for (const program of all) {
    const { pid, line } = program
    if (isEnded(program) || self.includes(pid) || (writer?.here && pid === writer.pid)) continue
    if (called(line) === undefined) continue
    findings.push(ok('processes', `pid ${pid}: ${called(line)}${figures(program)}`))
  }
  return findings
}

type Known = ReadonlyMap<number, Program>

function writerFinding(journal: string, writer: Writer | undefined, known: Known): Finding {
  if (writer === undefined) return ok('processes', `none writes to ${journal}`)
  const { pid, host, here } = writer
  if (!here) return ok('processes', `process ${pid} on ${host} writes to ${journal}, as far as its lock tells`)
  return ok('processes', `pid ${pid} writes to ${journal}${figures(known.get(pid))}`)
}

function supervisedFindings(one: Supervised, known: Known): Finding[] {
  const { folder } = one
  if (one.is === 'silent')
    return [fail('processes', `${folder}: its supervisor does not answer`, 'see what holds it up, or start it again')]
  if (one.is === 'alone') {
    const { left, gaveUp } = one
    const findings: Finding[] = []
    if (gaveUp !== undefined) {
      const at = new Date(gaveUp).toISOString()
      findings.push(fail('processes', `${folder}: critical, it gave up at ${at}`, gaveUpAndGoneNext(folder)))
    }
    if (left !== undefined) {
      const what = `${folder}: pid ${left}${figures(known.get(left))} runs, and its supervisor has gone`
      findings.push(warn('processes', what, 'start the supervisor again: it ends what is left, and begins anew'))
    }
    return findings
  }
  const { state, pid, restarts, maxRestarts, lastExit } = one.status
  const exit = lastExit === null ? '' : `, last ${exitSaid(lastExit)}`
  if (state === 'critical')
    return [fail('processes', `${folder}: critical, it has given up${exit}`, gaveUpNext(folder))]
  if (state === 'waiting')
    return [
      warn(
        'processes',
        `${folder}: waiting, restart ${restarts} of ${maxRestarts}${exit}`,
        `look at ${join(folder, 'logs', 'output.log')}`,
      ),
    ]
  return [ok('processes', `${folder}: ${state}${pid === null ? '' : `, pid ${pid}${figures(known.get(pid))}`}`)]
}

const exitSaid = ({ code, signal }: Exit): string => (code === null ? `ended by ${signal}` : `exit code ${code}`)

const figures = (program: Program | undefined) =>
  program ? ` (${bytes(program.memory)}, ${Math.round(program.cpu)} % of a processor)` : ''

/**
 * What it does, as of `node /usr/bin/duramen supervise -- …`; undefined for other programs, and for `npx duramen`, which only waits for
 * it. Arguments may hold secrets.
 */
function called(line: string): string | undefined {
  const words = line.split(' ').slice(0, LEADING)
  const at = words.findIndex((word) => /(^|\/)duramen$|\/duramen\/dist\/cli\/main\.js$/.test(word))
  if (at < 0 || words.slice(0, at).some((word) => /(^|\/)(npm|npx|pnpm|yarn)(-cli\.js)?$/.test(word))) return undefined
  const [, command] = /^([a-z]+)$/.exec(words[at + 1] ?? '') ?? []
  return `duramen${command === undefined ? '' : ` ${command}`}`
}

/** `node`, its flags, and the script are among the first so many words. */
const LEADING = 6
