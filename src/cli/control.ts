// `duramen control`: asks a supervisor that runs, by the socket in its state folder (V1l).
import { askControl, type ControlRequest, type SupervisorStatus } from '../adapters/process/index.ts'
import { DuramenError, isDuramenError } from '../ports/errors.ts'
import { printable } from '../ports/printable.ts'
import { EXIT } from './exit-codes.ts'
import type { Screen } from './screen.ts'

export interface ControlCommand {
  readonly request: ControlRequest
  /** The state folder of the supervisor. */
  readonly state: string
  readonly json: boolean
}

/** ms: a program that is restarted is ended first, which takes up to the supervisor's --stop-timeout. */
const LIMITS = { status: 5_000, restart: 30_000, stop: 5_000 }

/** The answer: the exit code. Rejects with what `askControl` rejects with. */
export async function control({ request, state, json }: ControlCommand, screen: Screen): Promise<number> {
  const status = await askControl(state, request, { timeout: LIMITS[request.do] }).catch(async (error) => {
    throw await withReason(error, state)
  })
  for (const line of json ? [JSON.stringify(status)] : told(status)) screen.line(line)
  return EXIT.fine
}

/** None runs: where that is so because it gave up, that is what whoever asks has to know. */
async function withReason(error: unknown, state: string): Promise<unknown> {
  if (!isDuramenError(error) || error.code !== 'CLOSED') return error
  const { gaveUpAt, gaveUpAndGoneNext } = await import('./gave-up.ts')
  const at = await gaveUpAt(state)
  if (at === undefined) return error
  const { code, message, where } = error
  const next = gaveUpAndGoneNext(state)
  return new DuramenError(code, `${message}: CRITICAL, the last one gave up at ${time(at)}`, {
    cause: error,
    where,
    hint: `${next[0]!.toUpperCase()}${next.slice(1)}.`,
  })
}

/** How it is doing, in a line; what went wrong, in a second one. */
export function told(status: SupervisorStatus): string[] {
  const { id, state, pid, startedAt, nextStartAt, restarts, maxRestarts, lastExit, problem } = status
  const parts = [
    `${id}: ${state}`,
    pid !== null && `pid ${pid}`,
    startedAt !== null && `since ${time(startedAt)}`,
    nextStartAt !== null && `starts again at ${time(nextStartAt)}`,
    `${restarts} of ${maxRestarts} restarts`,
    lastExit !== null &&
      `the last run ended ${lastExit.signal ? `by ${lastExit.signal}` : `with code ${lastExit.code}`}`,
  ]
  const lines = [parts.filter((part) => part !== false).join(', ')]
  if (problem) lines.push(`  ${problem.message}${problem.hint === null ? '' : ` → ${problem.hint}`}`)
  return lines.map(printable)
}

const time = (ms: number): string => new Date(ms).toISOString()
