// V2 What a monitor makes of what it sees: pure, (state, observation, now) -> (state, actions).
//
// - A restart only where /live fails, so many times in a row; whatever else is wrong is told, and a restart would not mend it:
//   neither a database that is away, nor a certificate or a name that is wrong.
// - No more restarts than allowed; then people are told once, and it goes on watching. The count clears after STABLE of life.
// - While it starts, at first and after a restart, a failure does not count; the first answer ends that.
// - People are told when a problem begins, when it is solved, and when the restarts are used up; not at each look.
import type { Notice } from '../../ports/notifier.ts'
import { counted } from '../text.ts'

/** `deaf`: it answers, but /live is not there or not for us. `unreached`: from here nobody can say whether it lives. */
export type Kind = 'down' | 'deaf' | 'unreached' | 'database' | 'unhealthy' | 'cpu' | 'memory' | 'loop'

export interface Observation {
  /**
   * `ok`; or what it is not. `alive`: nobody answers. `ours`: a program answers, so that its event loop turns, but not as /live
   * does. `reached`: its name is not known here, or its certificate not trusted; that says nothing of the program.
   */
  readonly live:
    | { readonly ok: true }
    | { readonly ok: false; readonly not: 'alive' | 'ours' | 'reached'; readonly why: string }
  /** Undefined where it was not asked. `why`: there was no answer that says how it is. */
  readonly health?: { readonly status: string; readonly database: string } | { readonly why: string } | undefined
  /** Of the machine, in percent. */
  readonly cpu?: number | undefined
  readonly memory?: number | undefined
  /** Of the event loop, in ms, where /health/detailed tells. */
  readonly delay?: number | undefined
}

export interface Settings {
  /** What is watched, as notices name it. */
  readonly name: string
  readonly maxRestarts: number
  /** Why it is not restarted, where `maxRestarts` is 0. */
  readonly unrestarted: string
  /** How often in a row /live must fail, or a load be high. */
  readonly inARow: number
  /** ms. */
  readonly grace: number
}

export interface Watch {
  /** Until then failures do not count: ms on the clock of `now`. */
  readonly graceUntil: number
  readonly restarts: number
  /** It was told that no restart is left. */
  readonly gaveUp: boolean
  /** Since when /live has answered without a failure. */
  readonly wellSince: number | undefined
  /** How often in a row each was seen, and what has been told of. */
  readonly seen: Readonly<Partial<Record<Kind, number>>>
  readonly open: Readonly<Partial<Record<Kind, string>>>
}

export type Action =
  | { readonly type: 'tell'; readonly level: Notice['level']; readonly title: string; readonly text: string }
  /** For the log only. */
  | { readonly type: 'say'; readonly text: string }
  | { readonly type: 'restart'; readonly why: string; readonly nth: number }

/** ms of life after which restarts count anew. */
const STABLE = 300_000
/** Percent, percent, ms. */
const HIGH = { cpu: 90, memory: 90, loop: 200 } as const

export const beginWatch = (now: number, { grace }: Settings): Watch => ({
  graceUntil: now + grace,
  restarts: 0,
  gaveUp: false,
  wellSince: undefined,
  seen: {},
  open: {},
})

/** A restart takes its time: what it has started is given all of the grace. */
export const afterRestart = (watch: Watch, now: number, { grace }: Settings): Watch => ({
  ...watch,
  graceUntil: now + grace,
})

export function decide(before: Watch, seen: Observation, now: number, settings: Settings) {
  const actions: Action[] = []
  let watch = before
  for (const [kind, what] of judged(seen)) {
    if (kind === 'down' && what !== undefined && now < watch.graceUntil) {
      actions.push({ type: 'say', text: `${settings.name} starts: ${what}` })
      continue
    }
    const [next, told] = noted(watch, kind, what, settings)
    watch = next
    actions.push(...told)
  }
  const { live } = seen
  if (!live.ok && live.not === 'reached') {
    watch = { ...watch, wellSince: undefined, seen: { ...watch.seen, down: 0 } }
  } else if (!live.ok && live.not === 'alive') {
    watch = { ...watch, wellSince: undefined }
    if (watch.open.down !== undefined && (watch.seen.down ?? 0) >= settings.inARow) {
      const [next, told] = restarted(watch, watch.open.down, settings)
      watch = next
      actions.push(...told)
    }
  } else {
    const wellSince = watch.wellSince ?? now
    const stable = now - wellSince >= STABLE
    watch = { ...watch, wellSince, graceUntil: 0, ...(stable && { restarts: 0, gaveUp: false }) }
  }
  return { watch, actions: actions as readonly Action[] }
}

/** How it is with each kind: what is wrong, or undefined where it is well. Kinds that nothing is known of are left out. */
function* judged({ live, health, cpu, memory, delay }: Observation): Generator<[Kind, string | undefined]> {
  const not = live.ok ? undefined : live.not
  const why = live.ok ? undefined : live.why
  yield ['unreached', not === 'reached' ? why : undefined]
  if (not !== 'reached') yield ['down', not === 'alive' ? why : undefined]
  if (live.ok || not === 'ours') yield ['deaf', why]
  if (health && 'why' in health) yield ['unhealthy', health.why]
  else if (health) {
    const lost = health.database === 'disconnected'
    yield ['database', lost ? 'its database is disconnected' : undefined]
    const unwell = !lost && health.status !== 'healthy' && health.status !== 'starting'
    yield ['unhealthy', unwell ? `it says that it is ${health.status}` : undefined]
  }
  if (cpu !== undefined)
    yield ['cpu', cpu >= HIGH.cpu ? `${Math.round(cpu)} % of the processors are in use` : undefined]
  if (memory !== undefined)
    yield ['memory', memory >= HIGH.memory ? `${Math.round(memory)} % of the memory is in use` : undefined]
  if (delay !== undefined)
    yield ['loop', delay >= HIGH.loop ? `its event loop is ${Math.round(delay)} ms late` : undefined]
}

/** What must be seen several times before it counts. */
const SLOW: readonly Kind[] = ['down', 'unreached', 'cpu', 'memory', 'loop']
/** What to do of each; `down` says it itself. */
const NEXT: Readonly<Record<Exclude<Kind, 'down'>, string>> = {
  deaf: 'Look at --url, and have the application answer GET /live and /health.',
  unreached:
    'It is not restarted, for nobody knows from here whether it lives: look at --url, at the name, and at its certificate. One ' +
    'of an authority of your own is trusted by NODE_EXTRA_CA_CERTS.',
  database: 'It is not restarted, for that would not help: mend the database.',
  unhealthy: 'It is not restarted, for it is alive: look at its log, and at /health/detailed.',
  cpu: 'See with top what takes them.',
  memory: 'See with top what takes it.',
  loop: 'Look for work that blocks it.',
}

function noted(watch: Watch, kind: Kind, what: string | undefined, settings: Settings): [Watch, Action[]] {
  const { name, inARow, maxRestarts, unrestarted } = settings
  const open = watch.open[kind]
  if (what === undefined) {
    const next = { ...watch, seen: { ...watch.seen, [kind]: 0 } }
    if (open === undefined) return [next, []]
    const { [kind]: _, ...others } = watch.open
    return [{ ...next, open: others }, [{ type: 'tell', level: 'solved', title: `solved: ${name}: ${open}`, text: '' }]]
  }
  const times = (watch.seen[kind] ?? 0) + 1
  const next = { ...watch, seen: { ...watch.seen, [kind]: times } }
  const enough = SLOW.includes(kind) ? inARow : 1
  if (times < enough) return [next, [{ type: 'say', text: `${name}: ${what} (${times}/${enough})` }]]
  if (open !== undefined) return [next, []]
  const text = kind !== 'down' ? NEXT[kind] : maxRestarts > 0 ? '' : `It is not restarted: ${unrestarted}.`
  return [
    { ...next, open: { ...watch.open, [kind]: what } },
    [{ type: 'tell', level: 'problem', title: `${name}: ${what}`, text }],
  ]
}

function restarted(watch: Watch, why: string, settings: Settings): [Watch, Action[]] {
  const { name, maxRestarts } = settings
  if (maxRestarts === 0) return [watch, []]
  if (watch.restarts < maxRestarts) {
    const nth = watch.restarts + 1
    const next = { ...watch, restarts: nth, seen: { ...watch.seen, down: 0 } }
    return [next, [{ type: 'restart', why, nth }]]
  }
  if (watch.gaveUp) return [watch, []]
  const title = `CRITICAL: ${name} is down after ${counted(watch.restarts, 'restart')}`
  return [
    { ...watch, gaveUp: true },
    [{ type: 'tell', level: 'critical', title, text: 'No restart is left, somebody has to come. It is watched on.' }],
  ]
}
