// V1 against the rules as plain arithmetic: whatever happens, and whoever supervises, the machine comes to the same.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Supervisor, supervisor } from '../../src/machines/index.ts'
import { type CrashJournal, crashJournal } from '../../src/testing/index.ts'
import { settle, world } from '../support/host.ts'
import { order, system } from './world.ts'

const DELAY = 3000
const WINDOW = 60_000
const STABLE = 60_000
const MAX = 3

type Step =
  | { readonly does: 'fail' | 'end' | 'restart' | 'stop' | 'kill' | 'open' }
  | { readonly does: 'wait'; readonly ms: number }

/** The rules. `killed`: nobody supervises, and what runs goes on. */
class Rules {
  now = 0
  state: 'running' | 'waiting' | 'stopped' | 'critical' = 'running'
  supervised = true
  alive = true
  since = 0
  due = 0
  restarts: number[] = []
  starts = 1
  /** What was left when the supervisor was killed. */
  left: 'running' | 'waiting' | 'stopped' | 'critical' = 'running'

  private start() {
    this.state = 'running'
    this.alive = true
    this.since = this.now
    this.starts++
  }

  private failed(uptime: number) {
    this.alive = false
    this.restarts = uptime >= STABLE ? [] : this.restarts.filter((at) => at > this.now - WINDOW)
    if (this.restarts.length >= MAX) this.state = 'critical'
    else {
      this.restarts.push(this.now)
      this.state = 'waiting'
      this.due = this.now + DELAY
    }
  }

  wait(ms: number) {
    const end = this.now + ms
    if (this.supervised && this.state === 'waiting' && this.due <= end) {
      this.now = this.due
      this.start()
    }
    this.now = end
  }

  take({ does }: Step) {
    if (does === 'open') {
      if (this.supervised) return
      this.supervised = true
      if (this.left === 'running') this.failed(0)
      else if (this.left === 'waiting' && this.due > this.now) this.state = 'waiting'
      else this.start()
      return
    }
    if (!this.supervised) {
      if (does === 'fail' || does === 'end') this.alive = false
      return
    }
    if (does === 'kill') {
      this.left = this.state
      this.supervised = false
    } else if (does === 'stop') {
      if (this.state === 'running' || this.state === 'waiting') this.state = 'stopped'
      this.alive = false
    } else if (does === 'restart') {
      if (this.state === 'running' || this.state === 'waiting') this.start()
    } else if (this.alive) {
      if (does === 'fail') this.failed(this.now - this.since)
      else {
        this.alive = false
        this.state = 'stopped'
      }
    }
  }
}

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.constant({ does: 'fail' } as const) },
  {
    weight: 8,
    arbitrary: fc.record({
      does: fc.constant('wait' as const),
      ms: fc.constantFrom(500, 2999, 3000, 3001, 20_000, 59_999, 60_000),
    }),
  },
  { weight: 3, arbitrary: fc.constantFrom<Step>({ does: 'kill' }, { does: 'restart' }) },
  { weight: 4, arbitrary: fc.constant({ does: 'open' } as const) },
  { weight: 1, arbitrary: fc.constantFrom<Step>({ does: 'end' }, { does: 'stop' }) },
)

test('V1 the machine comes to what the rules say, whatever happens', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const { journal, clock, open } = world()
      const here = system(clock)
      const rules = new Rules()
      let life!: CrashJournal
      let it: Supervisor | undefined
      const begin = async () => {
        life = crashJournal(journal)
        const host = await open([], { journal: life })
        it = await supervisor(host, {
          id: 'server',
          runner: here.runner,
          order,
          maxRestarts: MAX,
          window: WINDOW,
          stable: STABLE,
        })
        await settle(12)
      }
      await begin()
      for (const each of steps) {
        if (each.does === 'wait') {
          rules.wait(each.ms)
          await clock.advance(each.ms)
        } else {
          const over = rules.state === 'stopped' || rules.state === 'critical'
          // a supervisor that is over is opened anew by the next process, too
          if (each.does === 'open' && rules.supervised && over) {
            rules.take({ does: 'kill' })
            life.crash()
          }
          const opens = each.does === 'open' && !rules.supervised
          rules.take(each)
          if (each.does === 'fail') here.exit(1)
          else if (each.does === 'end') here.exit(0)
          else if (opens) {
            await begin()
            await clock.advance(0) // what was due meanwhile
          } else if (it && each.does === 'restart') await it.restart('a test').catch(() => {})
          else if (it && each.does === 'stop') await it.stop()
          else if (each.does === 'kill') {
            life.crash()
            it = undefined
          }
        }
        await settle(12)
        if (!rules.supervised || !it) continue
        const { state, restarts, pid } = it.status()
        const uptime = rules.state === 'running' ? rules.now - rules.since : 0
        const counted = uptime >= STABLE ? 0 : rules.restarts.filter((at) => at > rules.now - WINDOW).length
        expect({ state, restarts, runs: pid !== null, starts: here.starts() }).toEqual({
          state: rules.state,
          restarts: counted,
          runs: rules.alive,
          starts: rules.starts,
        })
        expect(here.most).toBe(1)
      }
    }),
    { numRuns: process.env.DURAMEN_SOAK === undefined ? 60 : 1000 },
  )
})
