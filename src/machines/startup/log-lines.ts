// S8 A start-up told to people: the order in which things came about, and each task with what became of it.

/** What is told of a task. */
export interface ToldTask {
  readonly id: string
  readonly state: string
  /** What it says once it is done. */
  readonly said: string
  readonly attempts: number
  readonly ms: number | null
  readonly error: { readonly code: string; readonly message: string } | null
}

/** What is told of a start-up. */
export interface ToldReport {
  readonly id: string
  readonly boot: string
  readonly state: string
  /** As `Date.now()` says, as is `readyAt`. */
  readonly startedAt: number
  readonly readyAt: number | null
  readonly tasks: readonly ToldTask[]
  /** Ids, in the order of completion. */
  readonly order: readonly string[]
  readonly former: { readonly boot: string; readonly state: string } | null
}

/** What has come about, in its order: `model initialised → seed_roles → seed_users → server running`. */
export function orderLine({ tasks, order }: ToldReport): string {
  const byId = new Map(tasks.map((task) => [task.id, task]))
  const said = order.map((id) => {
    const { said = id, state } = byId.get(id) ?? {}
    return state === 'skipped' ? `${said} (skipped)` : said
  })
  return printable(said.join(' → '))
}

/** A report as lines for people, without colours. */
export function reportLines(report: ToldReport): string[] {
  const { id, boot, state, startedAt, readyAt, tasks, order, former } = report
  const after = readyAt === null ? '' : `, ready after ${timeOf(readyAt - startedAt)}`
  const width = Math.max(0, ...tasks.map((task) => printable(task.id).length))
  const lines = [`start-up ${printable(id)}: ${state}${after} (boot ${boot})`]
  for (const task of tasks) lines.push(`  ${printable(task.id).padEnd(width)}  ${becameOf(task)}`)
  if (order.length > 0) lines.push(`  order: ${orderLine(report)}`)
  if (former !== null && former.state === 'unfinished')
    lines.push(`  the process before (boot ${former.boot}) ended without a shutdown`)
  return lines
}

function becameOf({ state, ms, attempts, error }: ToldTask): string {
  const parts = [state.padEnd(8), (ms === null ? '' : timeOf(ms)).padStart(8)]
  if (attempts > 1) parts.push(`${attempts} attempts`)
  if (error !== null) parts.push(`${error.code}: ${printable(error.message)}`)
  return parts.join('  ').trimEnd()
}

const timeOf = (ms: number) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`)

/** On one line, and without what a terminal would obey. */
const printable = (text: string) => text.replace(/\p{Cc}+/gu, ' ')
