// V2 What a monitor decides, look by look, and that no order of troubles has it restart more than it may.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Action,
  afterRestart,
  beginWatch,
  decide,
  type Observation,
  type Settings,
  type Watch,
} from '../../src/cli/monitor/watch.ts'

const SETTINGS: Settings = { name: 'app', maxRestarts: 2, unrestarted: '', inARow: 3, grace: 30_000 }
const INTERVAL = 30_000

const well: Observation = {
  live: { ok: true },
  health: { status: 'healthy', database: 'connected' },
  cpu: 5,
  memory: 20,
  delay: 1,
}
const down: Observation = { live: { ok: false, not: 'alive', why: 'nobody listens' } }
const unreached: Observation = { live: { ok: false, not: 'reached', why: 'an expired certificate' } }
const noDatabase: Observation = { ...well, health: { status: 'unhealthy', database: 'disconnected' } }

function said(action: Action): string {
  if (action.type === 'restart') return `restart ${action.nth}`
  if (action.type === 'say') return 'say'
  return action.level === 'solved' ? action.title : `${action.level}: ${action.title}`
}

/** What is done at each look; `every` ms pass between them. */
function looks(seen: readonly Observation[], settings = SETTINGS, every = INTERVAL) {
  let watch = beginWatch(0, settings)
  return seen.map((observation, i) => {
    const decided = decide(watch, observation, i * every, settings)
    watch = decided.watch
    for (const { type } of decided.actions) if (type === 'restart') watch = afterRestart(watch, i * every, settings)
    return decided.actions.map(said).join(', ')
  })
}

const times = (n: number, observation: Observation) => Array.from({ length: n }, () => observation)
const DOWN = 'problem: app: nobody listens'
const UP = 'solved: app: nobody listens'

describe('V2 a monitor', () => {
  it('restarts once /live has failed three times in a row, tells of it once, and again when it is solved', () => {
    expect(looks([well, down, down, down, well])).toEqual(['', 'say', 'say', `${DOWN}, restart 1`, UP])
    expect(looks([well, down, down, well, down, down, well]), 'never three in a row').toEqual([
      '',
      'say',
      'say',
      '',
      'say',
      'say',
      '',
    ])
  })

  it('counts no failure while it starts, at first and after a restart; the first answer ends that', () => {
    expect(looks(times(5, down), SETTINGS, 10_000)).toEqual(['say', 'say', 'say', 'say', 'say'])
    expect(looks(times(6, down), SETTINGS, 10_000).at(-1)).toBe(`${DOWN}, restart 1`)
    // the restart at 30 s has until 60 s
    expect(looks([well, ...times(8, down)], SETTINGS, 10_000).slice(3)).toEqual([
      `${DOWN}, restart 1`,
      'say',
      'say',
      'say',
      'say',
      'restart 2',
    ])
  })

  it('has no more restarts than allowed: then it says CRITICAL once, watches on, and says when it is solved', () => {
    const done = looks([well, ...times(14, down), well]).filter((line) => line !== 'say' && line !== '')
    expect(done).toEqual([`${DOWN}, restart 1`, 'restart 2', 'critical: CRITICAL: app is down after 2 restarts', UP])
  })

  it('begins to count anew after five minutes of life, not before', () => {
    const episode = [well, ...times(3, down)]
    const restarts = (between: number) =>
      looks([...episode, ...times(between, well), ...episode, ...times(between, well), ...episode]).filter((line) =>
        line.includes('restart '),
      )
    expect(restarts(11).map((line) => line.at(-1))).toEqual(['1', '1', '1'])
    expect(restarts(5).map((line) => line.at(-1))).toEqual(['1', '2'])
  })

  it.each<[string, Observation, string]>([
    ['a database that is away', noDatabase, 'problem: app: its database is disconnected'],
    [
      'one that is unhealthy',
      { ...well, health: { status: 'unhealthy', database: 'connected' } },
      'problem: app: it says that it is unhealthy',
    ],
    ['no /health', { ...well, health: { why: 'GET /health answers 404' } }, 'problem: app: GET /health answers 404'],
    [
      'no /live',
      { live: { ok: false, not: 'ours', why: 'GET /live answers 404' } },
      'problem: app: GET /live answers 404',
    ],
  ])('%s is told at once, once, and restarts nothing', (_, observation, told) => {
    expect(looks([well, ...times(20, observation), well])).toEqual([
      '',
      told,
      ...times(19, well).map(() => ''),
      told.replace('problem', 'solved'),
    ])
  })

  it.each<[string, Partial<Observation>, string]>([
    ['processors', { cpu: 97.4 }, '97 % of the processors are in use'],
    ['memory', { memory: 93 }, '93 % of the memory is in use'],
    ['a late event loop', { delay: 850.2 }, 'its event loop is 850 ms late'],
  ])('%s: told when it is high three times in a row, and when that is over', (_, high, told) => {
    const busy = { ...well, ...high }
    expect(looks([busy, busy, well, busy, busy, busy, busy, well])).toEqual([
      'say',
      'say',
      '',
      'say',
      'say',
      `problem: app: ${told}`,
      '',
      `solved: app: ${told}`,
    ])
  })

  it('says nothing of what it does not see: a database that was away is not well because nobody answers', () => {
    expect(looks([noDatabase, down, down, noDatabase])).toEqual([
      'problem: app: its database is disconnected',
      'say',
      'say',
      '',
    ])
  })

  it('what can not be reached from here is told, and neither restarted nor taken for one that has come back', () => {
    const told = 'problem: app: an expired certificate'
    expect(looks([well, ...times(20, unreached), well])).toEqual([
      '',
      'say',
      'say',
      told,
      ...times(17, well).map(() => ''),
      told.replace('problem', 'solved'),
    ])
    expect(looks([well, down, down, unreached, down, down]).join(), 'never three in a row').not.toContain('restart')
    const settings = { ...SETTINGS, maxRestarts: 0 }
    expect(looks([well, down, down, down, unreached, well], settings)).toEqual(['', 'say', 'say', DOWN, 'say', UP])
  })

  it('only tells where it has no way to restart it', () => {
    expect(
      looks([well, ...times(9, down), well], { ...SETTINGS, maxRestarts: 0 }).filter(
        (line) => !['', 'say'].includes(line),
      ),
    ).toEqual([DOWN, UP])
  })

  it('a start that says so is no problem', () => {
    expect(looks([{ ...well, health: { status: 'starting', database: 'none' } }])).toEqual([''])
  })

  it('whatever comes: a restart only after three failures in a row, never more than allowed without five minutes of life', () => {
    const observation = fc.oneof(
      { weight: 4, arbitrary: fc.constant(down) },
      fc.constant(well),
      fc.constant(noDatabase),
      fc.constant({ ...well, cpu: 99, memory: 99, delay: 999 }),
      fc.constant<Observation>({ live: { ok: false, not: 'ours', why: '404' } }),
      fc.constant<Observation>(unreached),
    )
    const look = fc.record({ observation, pause: fc.integer({ min: 1, max: 400_000 }) })
    fc.assert(
      fc.property(fc.array(look, { maxLength: 80 }), fc.integer({ min: 0, max: 4 }), (all, maxRestarts) => {
        const settings = { ...SETTINGS, maxRestarts }
        let now = 0
        let watch: Watch = beginWatch(now, settings)
        let failures = 0
        let since: number | undefined
        let restarts = 0
        const open = new Map<string, number>()
        for (const { observation, pause } of all) {
          now += pause
          const { live } = observation
          const alive = live.ok || live.not === 'ours'
          failures = !live.ok && live.not === 'alive' ? failures + 1 : 0
          if (!alive) since = undefined
          else if (now - (since ??= now) >= 300_000) restarts = 0
          const decided = decide(watch, observation, now, settings)
          watch = decided.watch
          for (const action of decided.actions) {
            if (action.type === 'restart') {
              expect(failures).toBeGreaterThanOrEqual(3)
              expect(++restarts).toBeLessThanOrEqual(maxRestarts)
              expect(action.nth).toBe(restarts)
              failures = 0
              watch = afterRestart(watch, now, settings)
            } else if (action.type === 'tell' && action.level !== 'critical') {
              const what = action.level === 'problem' ? action.title.slice(5) : action.title.slice(13)
              const count = (open.get(what) ?? 0) + (action.level === 'problem' ? 1 : -1)
              expect([0, 1], `${what} is told once, then solved`).toContain(count)
              open.set(what, count)
            }
          }
        }
      }),
    )
  })
})
