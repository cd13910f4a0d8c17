// Hosts with schedules, on one journal and a clock that can jump.
import { onTestFinished } from 'vitest'
import { assign, setup } from 'xstate'
import { type Clock, type DurableMachine, durable, type Host, openHost } from '../../src/index.ts'
import { type Journal, memoryJournal } from '../../src/journal/index.ts'
import { type Schedule, type ScheduleMessage, type ScheduleOptions, schedule } from '../../src/machines/index.ts'
import { quietLogger, settle, virtualClock } from '../../src/testing/index.ts'
import { kept } from './journals.ts'

/** A run that ends at END; `input.bad` makes it throw at its start. */
const job = () =>
  durable(
    setup({
      types: {} as { context: { given: unknown }; input: unknown; events: { type: 'END' } | { type: 'FAIL' } },
      actions: {
        explode: () => {
          throw new Error('the job exploded')
        },
      },
    }).createMachine({
      id: 'job',
      context: ({ input }) => {
        if ((input as { bad?: boolean } | undefined)?.bad) throw new Error('a bad start')
        return { given: input }
      },
      initial: 'running',
      states: {
        running: { on: { END: 'ended', FAIL: { actions: ['explode', assign({ given: 'failed' })] } } },
        ended: { type: 'final' },
      },
    }),
  )

type Job = ReturnType<typeof job>

export interface Place {
  readonly journal: Journal
  readonly clock: Clock & { advance(ms: number): Promise<void> }
  /** Puts the clock on or back, as ntp or somebody at the keyboard would. */
  jump(ms: number): void
  /** Opens a host; the one before has been closed, or is dead. */
  open(journal?: Journal): Promise<Host>
  /** The schedule `s` of the job on that host. */
  start(host: Host, options: ScheduleOptions<any>, id?: string): Promise<Started>
}

export interface Started extends Schedule {
  readonly job: Job
  readonly said: ScheduleMessage[]
  /** ISO times of the runs there are, in order of their due times. */
  times(): Promise<string[]>
  /** What happened, as `type time`. */
  story(): string[]
}

const iso = (time: number) => new Date(time).toISOString().replace(/:00\.000Z|\.000Z/, '')

/** `start`: ISO time at which all begins. */
export function place(start = '2026-01-01T00:00:00Z'): Place {
  const journal = memoryJournal()
  const virtual = virtualClock(Date.parse(start))
  let ahead = 0
  const clock = {
    now: () => virtual.now() + ahead,
    after: virtual.after,
    advance: (ms: number) => virtual.advance(ms),
  }
  return {
    journal,
    clock,
    jump(ms) {
      ahead += ms
    },
    async open(on = kept(journal)) {
      const host = await openHost({ journal: on, clock, logger: quietLogger })
      onTestFinished(() => void host.close().catch(() => {})) // of one that is dead it never ends
      return host
    },
    async start(host, options, id = 's') {
      const machine = jobs.get(host) ?? job()
      jobs.set(host, machine)
      const started = await schedule(host, machine as DurableMachine<any>, id, options)
      const said: ScheduleMessage[] = []
      started.events$.subscribe((message) => said.push(message))
      await clock.advance(0) // what is overdue
      await settle()
      return Object.assign(started, {
        job: machine,
        said,
        times: async () => (await started.runs()).map(({ due }) => iso(due.getTime())),
        story: () =>
          said.map((m) =>
            'due' in m
              ? `${m.type} ${iso(m.due)}`
              : 'from' in m
                ? `${m.type} ${iso(m.from)} ${iso(m.to)}`
                : `${m.type} ${m.problem.code}`,
          ),
      })
    },
  }
}

const jobs = new WeakMap<Host, Job>()
