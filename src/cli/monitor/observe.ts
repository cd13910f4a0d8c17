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
  for (let n = 1; n < tries && !live.ok && !live.answered && !signal.aborted; n++)
    live = liveOf(await get(at('/live'), asking))
  const figures = await load.catch(() => ({}))
  if (!live.ok && !live.answered) return { live, ...figures }
  const [health, detailed] = await Promise.all([get(at('/health'), asking), get(at('/health/detailed'), asking)])
  return { live, health: healthOf(health), delay: delayOf(detailed), ...figures }
}

function liveOf(answer: Answer): Observation['live'] {
  if (answer.outcome === 'answered' && answer.status === 200) return { ok: true }
  // what a proxy says for a program that is gone is no answer of its own
  const answered = answer.outcome === 'answered' && answer.status < 500
  return { ok: false, answered, why: `GET /live ${saidOf(answer)}` }
}

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
      return `breaks off (${answer.code})`
  }
}
