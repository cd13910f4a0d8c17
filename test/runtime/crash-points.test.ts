import { expect, it } from 'vitest'
import { type AnyEventObject, assign, fromPromise, setup } from 'xstate'
import { currentEffect, deliver, durable, openHost } from '../../src/index.ts'
import type { Journal } from '../../src/journal/index.ts'
import { decodeCommit } from '../../src/journal/records.ts'
import { type Aftermath, everyCrashPoint, type Life, quietLogger, settle } from '../../src/testing/index.ts'
import { noUnhandledRejections } from '../support/host.ts'
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
  /** Keys of which the journal knew that they had finished, when each life began. */
  const finished: Set<string>[] = []
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
  return { box, job, done, finished, nextLife: () => ++life }
}

/** Keys of which the journal knows that they have finished. */
async function recorded(journal: Journal): Promise<Set<string>> {
  const keys = new Set<string>()
  for await (const record of journal.read('job/j')) {
    const commit = decodeCommit(record)
    for (const key of commit.finished ?? []) keys.add(`job/j/${key}`)
    for (const key of commit.outcome().effects?.ended ?? []) keys.add(`job/j${key}`)
  }
  return keys
}

/** What a client does who repeats all that was not acknowledged to him. */
async function oneLife({ journal, clock, outside, nth }: Life<ReturnType<typeof scene>>, snapshotEvery = 64) {
  const { box, job, finished, nextLife } = outside
  finished[nth] = await recorded(journal)
  nextLife()
  const host = await openHost({ journal, clock, machines: [job, box], logger: quietLogger, snapshotEvery })
  await host.actor(box, 'box')
  const actor = await host.actor(job, 'j')
  await actor.send({ type: 'GO' }, { id: 'go' })
  await clock.advance('1s')
  await actor.send({ type: 'END' }, { id: 'end' })
  await clock.advance('1s')
  await host.close()
}

/** What must hold after the last life. */
async function endsWell({ journal, clock, outside }: Aftermath<ReturnType<typeof scene>>) {
  const { job, box, done, finished, nextLife } = outside
  nextLife()
  const count = done.length
  const host = await openHost({ journal, clock, machines: [job, box], logger: quietLogger })
  const { value, context } = (await host.actor(job, 'j')).getSnapshot()
  expect(value).toBe('end')
  expect(context.steps).toEqual(['GO', 'xstate.done.actor.work', 'xstate.after.1000.job.waiting', 'END'])
  expect((await host.actor(box, 'box')).getSnapshot().context.got).toEqual(['told'])
  await settle()
  await host.close()
  expect(done.length, 'after the last life').toBe(count)
  // every effect at least once; never again once recorded; attempts rise from life to life
  const keys = new Set(done.map((d) => d.key))
  expect(keys.size).toBe(3)
  for (const key of keys) {
    const runs = done.filter((d) => d.key === key)
    for (const [i, { life, attempt }] of runs.entries()) {
      expect(finished[life]?.has(key), `${key} again in life ${life}`).toBe(false)
      if (i > 0) expect(attempt, key).toBeGreaterThan(runs[i - 1]!.attempt)
    }
  }
}

it('K5, K6, K7: a crash before and after every append, and again in the recovery: the end is as without', async () => {
  const tried = await everyCrashPoint(oneLife, endsWell, { outside: scene, again: true })
  expect(tried).toBeGreaterThan(100)
})

it('K3, K7: a crash before and after every snapshot: the end is as without', async () => {
  const tried = await everyCrashPoint((life) => oneLife(life, 1), endsWell, { outside: scene })
  expect(tried).toBeGreaterThan(20)
})
