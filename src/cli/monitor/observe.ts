// One look at an application from outside: /live, then /health and what more is told, and the load of the machine.
import { cpuSampled, cpuSince } from '../probes/cpu.ts'
import { type Answer, get, objectIn } from '../probes/http.ts'
import { memoryNow } from '../probes/memory.ts'
import type { Observation } from './watch.ts'

/** ms for an answer (S6). */
const ANSWER_LIMIT = 10_000

/** `tries`: so often /live is asked until it answers. `first`: of the processors nothing was asked before. */
export async function observe(
  url: URL,
  { tries, first }: { tries: number; first: boolean },
  signal: AbortSignal,
): Promise<Observation> {
  const at = (path: string) => new URL(url.pathname.replace(/\/$/, '') + path, url)
  const asking = { limit: ANSWER_LIMIT, signal }
  const load = Promise.all([first ? cpuSampled(signal) : cpuSince(), memoryNow()]).then(
    ([cpu, { available, total }]) => ({ cpu, memory: (1 - available / total) * 100 }),
  )
  load.catch(() => {}) // without figures nothing is said of them
  let live = liveOf(await get(at('/live'), asking))
  for (let n = 1; n < tries && !answered(live) && !signal.aborted; n++) live = liveOf(await get(at('/live'), asking))
  const figures = await load.catch(() => ({}))
  if (!answered(live)) return { live, ...figures }
  const [health, detailed] = await Promise.all([get(at('/health'), asking), get(at('/health/detailed'), asking)])
  return { live, health: healthOf(health), delay: delayOf(detailed), ...figures }
}

const answered = (live: Observation['live']): boolean => live.ok || live.not === 'ours'

function liveOf(answer: Answer): Observation['live'] {
  if (answer.outcome === 'answered' && answer.status === 200) return { ok: true }
  const why = `GET /live ${saidOf(answer)}`
  // what a proxy says for a program that is gone is no answer of its own
  if (answer.outcome === 'answered') return { ok: false, not: answer.status < 500 ? 'ours' : 'alive', why }
  return { ok: false, not: answer.outcome === 'broken' && !CLOSED.includes(answer.code) ? 'reached' : 'alive', why }
}

/** The program, or who stands before it, has let go of the connection. */
const CLOSED = ['ECONNRESET', 'EPIPE']

function healthOf(answer: Answer): Observation['health'] {
  const { status, database } = objectIn(answer) ?? {}
  if (typeof status !== 'string') return { why: `GET /health ${saidOf(answer)}` }
  return { status, database: typeof database === 'string' ? database : 'none' }
}

/** `{ event_loop: { delay_ms } }` */
function delayOf(answer: Answer): number | undefined {
  const { event_loop: loop } = objectIn(answer) ?? {}
  const delay = typeof loop === 'object' && loop !== null && 'delay_ms' in loop ? loop.delay_ms : undefined
  return typeof delay === 'number' ? delay : undefined
}

function saidOf(answer: Answer): string {
  switch (answer.outcome) {
    case 'answered':
      return `answers ${answer.status}${answer.status === 200 ? ', and no status' : ''}`
    case 'refused':
      return 'is refused: nobody listens'
    case 'hangs':
      return `has no answer within ${answer.limit / 1000} s`
    case 'broken':
      return CLOSED.includes(answer.code) ? `breaks off (${answer.code})` : `can not be asked (${answer.code})`
  }
}
