import { expect, it } from 'vitest'
import { type AnyEventObject, assign, fromPromise, setup } from 'xstate'
import { currentEffect, deliver, durable, type Host } from '../../src/index.ts'
import { decodeCommit } from '../../src/journal/records.ts'
import type { VirtualClock } from '../support/clock.ts'
import { noUnhandledRejections, settle, type World, world } from '../support/host.ts'
import { type CrashJournal, crashJournal } from '../support/journals.ts'
import { mailbox } from '../support/machines.ts'

noUnhandledRejections()

/** What an effect did: in which life of the process, under which key, at which attempt. */
interface Done {
  readonly life: number
  readonly key: string
  readonly attempt: number
}

/** An action, a promise, a timer and a delivery, one after the other. */
function scene() {
  const done: Done[] = []
  let life = 0
  const did = () => {
    const { key, attempt } = currentEffect()
    done.push({ life, key, attempt })
  }
  const box = mailbox()
  const job = durable(
    setup({
      types: {} as { context: { steps: string[] }; events: AnyEventObject },
      actions: {
        note: () => did(),
        tell: async () => {
          did()
          await deliver(box, 'box', { type: 'MSG', v: 'told' })
        },
        step: assign({ steps: ({ context, event }) => [...context.steps, event.type] }),
      },
      actors: {
        work: fromPromise(async () => {
          did()
          return 7
        }),
      },
    }).createMachine({
      id: 'job',
      context: { steps: [] },
      initial: 'idle',
      states: {
        idle: { on: { GO: { target: 'working', actions: ['step', 'note'] } } },
        working: { invoke: { src: 'work', id: 'work', onDone: { target: 'waiting', actions: 'step' } } },
        waiting: { after: { 1000: { target: 'telling', actions: 'step' } } },
        telling: { entry: 'tell', on: { END: { target: 'end', actions: 'step' } } },
        end: {},
      },
    }),
  )
  return { box, job, done, nextLife: () => ++life }
}

/** What a client does who repeats all that was not acknowledged to him. */
async function client({ box, job }: ReturnType<typeof scene>, host: Host, clock: VirtualClock) {
  await host.actor(box, 'box')
  const actor = await host.actor(job, 'j')
  await actor.send({ type: 'GO' }, { id: 'go' })
  await settle(3)
  clock.advance(1000)
  await settle(3)
  await actor.send({ type: 'END' }, { id: 'end' })
  await settle(3)
  clock.advance(1000)
  await settle(3)
}

async function oneLife(s: ReturnType<typeof scene>, w: World, dying: CrashJournal) {
  s.nextLife()
  void w.open([s.job, s.box], { journal: dying }).then(
    (host) => client(s, host, w.clock),
    () => {},
  )
  await settle(20)
  return dying.crashed
}

/** Keys of which the journal knew that they had finished, when a life began. */
async function recorded(w: World): Promise<Set<string>> {
  const keys = new Set<string>()
  for await (const record of w.journal.read('job/j')) {
    const commit = decodeCommit(record)
    for (const key of commit.finished ?? []) keys.add(`job/j/${key}`)
    for (const key of commit.outcome().effects?.ended ?? []) keys.add(`job/j${key}`)
  }
  return keys
}

it('K5, K6, K7: a crash before and after every append, and again in the recovery: the end is as without', async () => {
  await (await world().open([])).close() // what the first host loads is loaded
  let runs = 0
  for (const when of ['before', 'after'] as const)
    for (let first = 1, crashed = true; crashed; first++)
      for (let second = 0; second < 8; second++) {
        const w = world()
        const s = scene()
        const place = `${when} ${first}, then ${second}`
        const finished: Set<string>[] = [new Set()]
        crashed = await oneLife(s, w, crashJournal(w.journal, first, when))
        if (!crashed) break
        finished.push(await recorded(w))
        if (second) {
          await oneLife(s, w, crashJournal(w.journal, second, when))
          finished.push(await recorded(w))
        }
        const last = s.nextLife()
        const host = await w.open([s.job, s.box])
        w.clock.advance(0)
        await client(s, host, w.clock)
        const snapshot = (await host.actor(s.job, 'j')).getSnapshot()
        expect(snapshot.value, place).toBe('end')
        expect(snapshot.context.steps, place).toEqual([
          'GO',
          'xstate.done.actor.work',
          'xstate.after.1000.job.waiting',
          'END',
        ])
        expect((await host.actor(s.box, 'box')).getSnapshot().context.got, place).toEqual(['told'])
        await host.close()
        // every effect at least once; never again once recorded; attempts rise from life to life
        const keys = new Set(s.done.map((d) => d.key))
        expect(keys.size, place).toBe(3)
        for (const key of keys) {
          const runsOfKey = s.done.filter((d) => d.key === key)
          for (const [i, { life, attempt }] of runsOfKey.entries()) {
            expect(finished[life - 1]?.has(key), `${place}: ${key} again in life ${life}`).toBe(false)
            if (i > 0) expect(attempt, `${place}: ${key}`).toBeGreaterThan(runsOfKey[i - 1]!.attempt)
          }
        }
        s.nextLife()
        const count = s.done.length
        const again = await w.open([s.job, s.box])
        await settle()
        expect(s.done.length, `${place}: after life ${last}`).toBe(count)
        await again.close()
        runs++
      }
  expect(runs).toBeGreaterThan(100)
})
