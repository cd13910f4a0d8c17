// S8 A start-up told to people: the order in which things came about, and each task with what became of it.
import { badOption } from '../../ports/given.ts'
import { printable } from '../../ports/printable.ts'
import type { StartupReport, TaskReport } from './report.ts'

/** What has come about, in its order: `model initialised → seed_roles → seed_users → server running`. */
export function orderLine({ tasks, order }: StartupReport): string {
  const byId = new Map(tasks.map((task) => [task.id, task]))
  const said = order.map((id) => {
    const { says = id, state } = byId.get(id) ?? {}
    return state === 'skipped' ? `${says} (skipped)` : says
  })
  return printable(said.join(' → '))
}

/**
 * `app.report()` as lines for people, without colours: how the start-up is doing, each task with its state, how long it took and
 * what went wrong, and the order in which all came about. For `console.log(reportLines(app.report()).join('\n'))`.
 * Throws BAD_OPTION for what is no report.
 */
export function reportLines(report: StartupReport): string[] {
  if (!Array.isArray((report as Partial<StartupReport> | undefined | null)?.tasks))
    throw badOption('report', report, 'is no report of a start-up', 'Give what app.report() has answered.')
  const { id, boot, state, startedAt, readyAt, tasks, order, former } = report
  const after = readyAt === null ? '' : `${state === 'ready' ? '' : ', ready'} after ${timeOf(readyAt - startedAt)}`
  const width = Math.max(0, ...tasks.map((task) => printable(task.id).length))
  const lines = [`start-up ${printable(id)}: ${state}${after} (boot ${boot})`]
  for (const task of tasks) lines.push(`  ${printable(task.id).padEnd(width)}  ${becameOf(task)}`)
  if (order.length > 0) lines.push(`  order: ${orderLine(report)}`)
  if (former !== null && former.state === 'unfinished')
    lines.push(`  the process before (boot ${former.boot}) ended without a shutdown`)
  return lines
}

function becameOf({ state, ms, attempt, problem }: TaskReport): string {
  const parts = [state.padEnd(8), (ms === null ? '' : timeOf(ms)).padStart(8)]
  if (attempt > 1) parts.push(`${attempt} attempts`)
  if (problem !== null) parts.push(`${problem.code}: ${printable(problem.message)}`)
  return parts.join('  ').trimEnd()
}

const timeOf = (ms: number) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`)
