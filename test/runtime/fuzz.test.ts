// Random events, faults, crashes and rivals against the machine with every feature of XState. After each step: what the
// live host shows is what a replay gives. At the end: what was acknowledged is there, once; what was refused is not.
// DURAMEN_SOAK=1 takes other seeds and more of them.
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { AnyEventObject } from 'xstate'
import { type DurableActor, durable, type Host, openHost } from '../../src/index.ts'
import { decodeCommit } from '../../src/journal/records.ts'
import { acknowledging } from '../support/acknowledged.ts'
import { featuresMachine, outside } from '../support/features.ts'
import { noUnhandledRejections, quiet, refused, settle, world } from '../support/host.ts'
import { crashJournal, type Fault, type FaultyJournal, faultyJournal } from '../support/journals.ts'
import { remembering } from '../support/remembering.ts'
import { copyOf, view } from '../support/view.ts'

noUnhandledRejections()

const soak = process.env.DURAMEN_SOAK !== undefined

const types = (
  'INC KICK ENQ GO ABORT CB OFF PAR L BACK HIST ANON STOPANON CANCEL SELF PINGIT COUNTER BOOM HALF DELAYED ANONINC INLINE ' +
  'UNKNOWN'
).split(' ')

const operators = ['pause', 'park', 'resume', 'resume', 'skip', 'cancel', 'retry', 'trim', 'trim'] as const

type Step =
  | { do: 'burst'; events: { type: string; again: boolean }[] }
  | { do: 'advance'; ms: number }
  | { do: 'finish'; job: string; ok: boolean }
  | { do: 'value' | 'observed' | 'reopen' | 'crash' | 'rival' }
  | { do: 'fault'; fault: Fault; after: number }
  | { do: 'operate'; op: (typeof operators)[number]; nth: number }

const fault = fc.constantFrom<Fault>(
  { when: 'before', code: 'IO', retryable: true },
  { when: 'before', code: 'CONFLICT' },
  { when: 'before', code: 'OUTCOME_UNKNOWN' },
  { when: 'after', code: 'OUTCOME_UNKNOWN' },
)
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('burst' as const),
      events: fc.array(fc.record({ type: fc.constantFrom(...types), again: fc.boolean() }), {
        minLength: 1,
        maxLength: 7,
      }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: 90_000 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('finish' as const),
      job: fc.constantFrom('pr', 'deep', 'inline'),
      ok: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('fault' as const), fault, after: fc.integer({ min: 0, max: 2 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constantFrom('value', 'observed', 'reopen', 'crash', 'rival' as const) }),
  },
) as fc.Arbitrary<Step>
const operating = fc.oneof(
  { weight: 2, arbitrary: step },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('operate' as const),
      op: fc.constantFrom(...operators),
      nth: fc.nat(),
    }),
  },
) as fc.Arbitrary<Step>

async function run(steps: Step[]) {
  const { journal: forgetting, clock, open } = world()
  const { journal, whole } = remembering(forgetting)
  const { acknowledged, refusals, hear } = acknowledging()
  let out = outside()
  let machine = durable(featuresMachine(out))
  let dying = crashJournal(journal)
  let faulty: FaultyJournal
  let host: Host
  let actor: DurableActor<any>
  let count = 0

  const start = async () => {
    out = outside()
    machine = durable(featuresMachine(out))
    dying = crashJournal(journal)
    faulty = faultyJournal(dying)
    host = await open([machine], { journal: faulty, closeTimeout: 0 })
    actor = await host.actor(machine, 'i')
    await settle()
  }
  const send = (type: string, again: boolean) => {
    const id = `e${again && count > 0 ? count : ++count}`
    const life = actor
    const event: AnyEventObject = { type, v: id }
    hear(id, actor.send(event, { id }), () => life === actor)
  }
  const calm = async () => {
    await settle()
    clock.advance(1000) // appends are tried again, completions recorded
    await settle()
    clock.advance(1000)
    await settle()
  }
  const compare = async (where: string) => {
    const [listed] = await host.list()
    expect([undefined, 'PARKED'], where).toContain(listed?.problem?.code) // an operator has parked it
    const still = { now: clock.now, after: () => () => {} }
    const again = durable(featuresMachine(outside()))
    const replayed = await openHost({ journal: await copyOf(journal), clock: still, logger: quiet, machines: [again] })
    const [told] = await replayed.list()
    expect({ status: told?.status, code: told?.problem?.code }, where).toEqual({
      status: listed?.status,
      code: listed?.problem?.code,
    })
    expect(view((await replayed.actor(again, 'i')).getSnapshot()), where).toEqual(view(actor.getSnapshot()))
  }

  /** All that ever had a key. */
  const keys = async () => {
    const found: string[] = []
    for await (const { effects, timers } of actor.history())
      found.push(...[...(effects?.started ?? []), ...(timers?.set ?? [])].map(({ key }) => key))
    return found
  }
  let operated = 0

  await start()
  for (const [index, todo] of steps.entries()) {
    switch (todo.do) {
      case 'burst':
        for (const { type, again } of todo.events) send(type, again)
        break
      case 'advance':
        clock.advance(todo.ms)
        break
      case 'finish': {
        const job = out.jobs.get(todo.job)
        out.jobs.delete(todo.job)
        if (todo.ok || todo.job === 'inline') job?.resolve(index)
        else job?.reject(new RangeError(`job ${index}`))
        break
      }
      case 'value':
        out.values.next(index)
        break
      case 'observed':
        out.events.next({ type: 'INC' })
        break
      case 'fault': {
        let left = todo.after
        faulty!.plan = () => (left-- === 0 ? todo.fault : undefined)
        continue // so that it meets what comes next
      }
      case 'crash':
        dying.crash()
        await start()
        break
      case 'reopen': {
        await calm()
        const closed = host!.close()
        await settle()
        clock.advance(0)
        await closed
        await start()
        break
      }
      case 'operate': {
        const all = await keys()
        const key = all[todo.nth % all.length] ?? 'none' // all may be trimmed
        const who = { who: 'ann', why: `step ${index}` }
        const { op } = todo
        const answer =
          op === 'skip' || op === 'cancel' || op === 'retry'
            ? host![op](machine, 'i', key, who)
            : host![op](machine, 'i', who)
        answer.then(
          ({ handled }) => {
            if (handled) operated++
          },
          (error) =>
            expect(error.code, error.message).toMatch(
              /^(UNKNOWN_EFFECT|MACHINE_THREW|IO|CONFLICT|OUTCOME_UNKNOWN|NOT_TRIMMABLE)$/,
            ),
        )
        break
      }
      case 'rival': {
        const its = crashJournal(journal)
        const rival = durable(featuresMachine(outside()))
        const other = await open([rival], { journal: its })
        await (await other.actor(rival, 'i'))
          .send({ type: 'INC' }, { id: `rival${index}` })
          .catch((error) => expect(error.code).toMatch(/^PA(US|RK)ED$/))
        its.crash()
        send('UNKNOWN', false) // so that this host learns of it
        break
      }
    }
    await calm()
    await compare(`step ${index} ${JSON.stringify(todo)}`)
  }

  await calm()
  faulty!.plan = () => undefined
  const [{ seq } = { seq: 0 }] = await host!.list()
  const seqs = new Map<string, number>()
  for (const record of await whole()) {
    const { id, seq } = decodeCommit(record)
    if (id === undefined) continue
    expect(seqs.has(id), `${id} is there twice`).toBe(false)
    seqs.set(id, seq)
  }
  for (const [id, receipt] of acknowledged) expect(seqs.get(id), `${id} was acknowledged`).toBe(receipt.seq)
  for (const [id, code] of refusals)
    if (code !== 'OUTCOME_UNKNOWN') expect(seqs.has(id), `${id} was refused: ${code}`).toBe(false)
  let trimmed = false
  for await (const first of journal.read('big/i')) {
    trimmed = first.seq > 1
    break
  }
  const forked = host!.fork(actor!, seq, { id: 'fork', who: 'ann', why: 'to look at it' })
  if (trimmed) expect((await refused(forked)).code).toBe('TRIMMED')
  else expect(view((await forked).getSnapshot()), 'its fork').toEqual(view(actor!.getSnapshot()))
  return { trimmed, events: count, acknowledged: acknowledged.size, refused: refusals.size, operated }
}

it('K2, K3, K4, K7, K8: live equals replay and nothing acknowledged is lost, whatever happens', async () => {
  const total = { events: 0, acknowledged: 0, refused: 0 }
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
      const { events, acknowledged, refused } = await run(steps)
      total.events += events
      total.acknowledged += acknowledged
      total.refused += refused
    }),
    soak ? { numRuns: 1500 } : { numRuns: 60, seed: 20_261_122 },
  )
  expect(total.acknowledged).toBeGreaterThan(500)
  expect(total.refused).toBeGreaterThan(20)
}, 600_000)

it('K3, K8: the same with operators who hold and trim it, and skip, cancel and retry what they find', async () => {
  let operated = 0
  let trimmed = 0
  await fc.assert(
    fc.asyncProperty(fc.array(operating, { minLength: 8, maxLength: 25 }), async (steps) => {
      const came = await run(steps)
      operated += came.operated
      if (came.trimmed) trimmed++
    }),
    soak ? { numRuns: 1500 } : { numRuns: 40, seed: 20_261_123 },
  )
  expect(operated).toBeGreaterThan(40)
  expect(trimmed).toBeGreaterThan(5)
}, 600_000)
