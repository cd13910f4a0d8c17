// Random walks of instances that come and go: few may be in memory, snapshots are taken often, lost or late, histories are
// trimmed; appends and readings fail, hosts crash, close and open again, rivals write, the clock jumps. After each step what the live host shows is
// what a fresh host makes of the records alone. At the end: what was acknowledged is there, once; no timer that is due waits.
// DURAMEN_SOAK=1 takes other seeds and more of them.
import fc from 'fast-check'
import { right } from 'fp-ts/lib/Either.js'
import { expect, it } from 'vitest'
import type { AnyActorRef, Snapshot } from 'xstate'
import { type DurableActor, type Host, openHost } from '../../src/index.ts'
import type { Journal, StoredSnapshot } from '../../src/journal/index.ts'
import { decodeCommit } from '../../src/journal/records.ts'
import { acknowledging } from '../support/acknowledged.ts'
import { by, noUnhandledRejections, quiet, settle, world } from '../support/host.ts'
import { crashJournal, type Fault, faultyJournal } from '../support/journals.ts'
import { gc } from '../support/memory.ts'
import { remembering } from '../support/remembering.ts'
import { type Chores, chores, restful } from '../support/restful.ts'
import { unreadable } from '../support/unreadable.ts'
import { copyOf, view } from '../support/view.ts'

noUnhandledRejections()

const soak = process.env.DURAMEN_SOAK !== undefined

const names = ['a', 'b', 'c', 'd'] as const
const types =
  'INC INC KID KIDTIMER WAIT LONG SET UNSET SETUNSET GO ABORT CB SAY OFF TELL ACT SPAWN ZERO BOOM UNKNOWN END'.split(
    ' ',
  )

type Step =
  | { do: 'burst'; events: { to: number; type: string; again: boolean; held: boolean }[] }
  | { do: 'advance'; ms: number }
  | { do: 'finish'; nth: number; ok: boolean }
  | { do: 'say'; nth: number }
  | { do: 'fault'; fault: Fault; after: number }
  | { do: 'unreadable'; ms: number }
  | { do: 'snapshots'; fate: 'lost' | 'late' | 'kept' | 'deleted' }
  | { do: 'reopen' | 'crash'; down: number; maxActive: number; snapshotEvery: number }
  | { do: 'rival'; to: number; type: string; close: boolean }
  | { do: 'operate'; op: 'pause' | 'resume' | 'park' | 'purge' | 'trim'; to: number }
  | { do: 'drop'; to: number }

const fault = fc.constantFrom<Fault>(
  { when: 'before', code: 'IO', retryable: true },
  { when: 'before', code: 'CONFLICT' },
  { when: 'before', code: 'OUTCOME_UNKNOWN' },
  { when: 'after', code: 'OUTCOME_UNKNOWN' },
)
const to = fc.nat({ max: names.length - 1 })
const is = <T extends string>(name: T) => fc.constant(name)
const type = fc.constantFrom(...types)
const ms = fc.oneof(
  fc.integer({ min: 1, max: 30_000 }),
  fc.constantFrom(1, 1000, 5000, 10_000, 60_000, 3_600_000, 10_800_000, 86_400_000),
)
const event = fc.record({ to, type, again: fc.boolean(), held: fc.boolean() })
const life = {
  down: fc.oneof(fc.constant(0), ms),
  maxActive: fc.integer({ min: 1, max: 3 }),
  snapshotEvery: fc.integer({ min: 1, max: 5 }),
}
const step = fc.oneof(
  { weight: 10, arbitrary: fc.record({ do: is('burst'), events: fc.array(event, { minLength: 1, maxLength: 8 }) }) },
  { weight: 4, arbitrary: fc.record({ do: is('advance'), ms }) },
  { weight: 3, arbitrary: fc.record({ do: is('finish'), nth: fc.nat(), ok: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: is('say'), nth: fc.nat() }) },
  { weight: 3, arbitrary: fc.record({ do: is('fault'), fault, after: fc.integer({ min: 0, max: 2 }) }) },
  { weight: 1, arbitrary: fc.record({ do: is('unreadable'), ms: fc.constantFrom(1, 1500, 8000) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: is('snapshots'), fate: fc.constantFrom('lost', 'late', 'kept', 'deleted') }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('reopen', 'crash'), ...life }) },
  { weight: 2, arbitrary: fc.record({ do: is('rival'), to, type, close: fc.boolean() }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: is('operate'),
      op: fc.constantFrom('pause', 'resume', 'resume', 'park', 'purge', 'trim', 'trim', 'trim', 'trim', 'trim'),
      to,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: is('drop'), to }) },
) as fc.Arbitrary<Step>

/** Snapshots as the walk wants them; readings fail while `down`. */
function moody(inner: Journal) {
  const { journal: readable, state: reads, check } = unreadable(inner)
  const state = Object.assign(reads, {
    fate: 'kept' as 'kept' | 'lost' | 'late',
    late: [] as StoredSnapshot[],
    hidden: false,
  })
  const journal: Journal = {
    ...readable,
    async snapshot(stream) {
      check()
      return state.hidden ? undefined : inner.snapshot(stream)
    },
    saveSnapshot: (snapshot) => async () => {
      if (state.fate === 'lost') return right(undefined)
      if (state.fate === 'late') state.late.push(snapshot)
      else return inner.saveSnapshot(snapshot)()
      return right(undefined)
    },
  }
  return { journal, state }
}

async function run(steps: Step[]) {
  const { journal: forgetting, clock } = world()
  const { journal, whole } = remembering(forgetting)
  const { journal: mood, state } = moody(journal)
  const { acknowledged, refusals, hear } = acknowledging()
  let doing: Chores
  let machine: ReturnType<typeof restful>
  let dying = crashJournal(mood)
  let faulty = faultyJournal(dying)
  let host: Host
  let actors = new Map<string, DurableActor<any>>()
  const kids = new Map<string, AnyActorRef>()
  const told = new Map<string, Snapshot<unknown>>()
  let count = 0
  let options = { maxActive: 1, snapshotEvery: 2 }

  const calm = async () => {
    await settle()
    for (let i = 0; i < 4; i++) {
      clock.advance(1000) // appends are tried again, completions recorded
      await settle()
    }
  }
  const hold = async (name: string) => {
    const actor = await host.actor(machine, name)
    actors.set(name, actor)
    const its = actors
    actor.subscribe({ next: (s) => its === actors && told.set(name, s) })
    const kid = actor.getSnapshot().children.kid
    if (kid) kids.set(name, kid)
  }
  const start = async () => {
    doing = chores()
    machine = restful(doing)
    dying = crashJournal(mood)
    faulty = faultyJournal(dying)
    actors = new Map()
    kids.clear()
    told.clear()
    host = await openHost({ journal: faulty, clock, logger: quiet, machines: [machine], closeTimeout: 0, ...options })
    for (const name of names) await hold(name)
    await settle()
  }
  const send = (name: string, type: string, again: boolean, held: boolean) => {
    const id = `${name}${again && count > 0 ? count : ++count}`
    const life = host
    const event = { type, v: id }
    const actor = held ? actors.get(name) : undefined
    const sent = actor ? actor.send(event, { id }) : host.send(machine, name, event, { id })
    hear(id, sent, () => life === host)
  }
  const compare = async (where: string) => {
    const listed = new Map((await host.list()).map((l) => [l.id, l]))
    const still = { now: clock.now, after: () => () => {} }
    const again = restful(chores())
    const copy = await openHost({ journal: await copyOf(journal), clock: still, logger: quiet, machines: [again] })
    for (const [name, actor] of actors) {
      const was = listed.get(name)
      if (!was) continue
      expect([undefined, 'PARKED', 'MACHINE_THREW'], `${where}: ${was.problem?.message}`).toContain(was.problem?.code)
      const now = (await copy.actor(again, name)).getSnapshot()
      expect(view(actor.getSnapshot()), `${where}: ${name}`).toEqual(view(now))
      if (told.has(name)) expect(view(told.get(name)!), `${where}: what ${name}'s observer was told`).toEqual(view(now))
      const kid = kids.get(name)
      if (kid && now.children.kid)
        expect(view(kid.getSnapshot()), `${where}: kid of ${name}`).toEqual(view(now.children.kid.getSnapshot()))
    }
  }

  await start()
  for (const [index, todo] of steps.entries()) {
    switch (todo.do) {
      case 'burst':
        for (const { to, type, again, held } of todo.events) send(names[to]!, type, again, held)
        break
      case 'advance':
        clock.advance(todo.ms)
        break
      case 'finish':
        doing!.finish(todo.nth, todo.ok)
        break
      case 'say':
        doing!.say(todo.nth, { type: 'SAID', v: index })
        break
      case 'fault': {
        let left = todo.after
        faulty.plan = () => (left-- === 0 ? todo.fault : undefined)
        continue // so that it meets what comes next
      }
      case 'unreadable':
        state.down = true
        for (const name of names) send(name, 'INC', false, true)
        for (let t = 0; t < todo.ms; t += 500) {
          clock.advance(500)
          await settle()
        }
        state.down = false
        for (let i = 0; i < 40; i++) {
          clock.advance(1000)
          await settle(3)
        }
        break
      case 'snapshots':
        if (todo.fate === 'deleted') state.hidden = !state.hidden
        else state.fate = todo.fate
        for (const late of state.late.splice(0).reverse()) await journal.saveSnapshot(late)()
        continue
      case 'crash':
        dying.crash()
        clock.advance(todo.down)
        options = { maxActive: todo.maxActive, snapshotEvery: todo.snapshotEvery }
        await start()
        break
      case 'reopen': {
        const closed = host!.close()
        await settle()
        clock.advance(0)
        await settle()
        await closed
        clock.advance(todo.down)
        options = { maxActive: todo.maxActive, snapshotEvery: todo.snapshotEvery }
        await start()
        break
      }
      case 'rival': {
        const its = crashJournal(journal)
        const rival = restful(chores())
        const other = await openHost({
          journal: its,
          clock,
          logger: quiet,
          machines: [rival],
          closeTimeout: 0,
          ...options,
        })
        await other
          .send(rival, names[todo.to]!, { type: todo.type, v: `r${index}` } as never)
          .catch((error) => expect(error.code).toMatch(/^(PAUSED|PARKED|MACHINE_THREW)$/))
        await settle()
        if (todo.close) {
          const closed = other.close()
          await settle()
          clock.advance(0)
          await closed
        }
        its.crash()
        for (const name of names) send(name, 'INC', false, true) // so that this host learns of it
        break
      }
      case 'operate': {
        const name = names[todo.to]!
        if (todo.op === 'purge') {
          await calm()
          const answer = host!
            .pause(machine!, name, by)
            .then(() => host!.purge(machine!, name, by))
            .then(
              () => true,
              () => false,
            )
          await calm()
          const ok = await answer
          if (!ok) break
          for (const known of [acknowledged, refusals])
            for (const id of known.keys()) if (id[0] === name) known.delete(id)
          told.delete(name)
          kids.delete(name)
          faulty.plan = () => undefined
          const held = hold(name)
          await calm()
          await held
        } else
          host!
            [todo.op](machine!, name, by)
            .catch((error) =>
              expect(error.code, error.message).toMatch(/^(MACHINE_THREW|IO|CONFLICT|OUTCOME_UNKNOWN|NOT_TRIMMABLE)$/),
            )
        break
      }
      case 'drop': {
        const name = names[todo.to]!
        actors.delete(name)
        kids.delete(name)
        if (index % 4 === 0) gc()
        break
      }
    }
    await calm()
    for (const name of names) if (!actors.has(name) && todo.do !== 'drop') await hold(name)
    await compare(`step ${index} ${JSON.stringify(todo)}`)
  }

  faulty.plan = () => undefined
  state.down = false
  await calm()
  for (const name of names) await host!.resume(machine!, name, by)
  await calm()
  doing!.finishAll()
  for (let i = 0; i < 3; i++) {
    clock.advance(90_000_000)
    for (let k = 0; k < 4; k++) await calm()
    doing!.finishAll()
  }
  await compare('the end')

  const due = new Map<string, number>()
  const seqs = new Map<string, number>()
  let trimmed = 0
  for (const record of await whole()) {
    const commit = decodeCommit(record)
    if (commit.kind === 'definition') continue
    if (commit.kind === 'checkpoint') trimmed++
    const { stream, seq, id, at, kind, key } = commit
    if (commit.op === 'purge') for (const k of due.keys()) if (k.startsWith(`${stream} `)) due.delete(k)
    const { timers } = commit.outcome()
    if (kind === 'timer') {
      const its = due.get(`${stream} ${key}`)
      expect(its, `${stream} ${seq}: ${key} fires, which does not wait`).toBeDefined()
      expect(at, `${stream} ${seq}: ${key} fires early`).toBeGreaterThanOrEqual(its!)
    }
    for (const timer of timers?.set ?? []) due.set(`${stream} ${timer.key}`, timer.due)
    for (const gone of timers?.gone ?? []) due.delete(`${stream} ${gone}`)
    if (kind === 'timer') due.delete(`${stream} ${key}`)
    if (id !== undefined) {
      expect(seqs.has(id), `${id} is there twice`).toBe(false)
      seqs.set(id, seq)
    }
  }
  for (const [id, receipt] of acknowledged) expect(seqs.get(id), `${id} was acknowledged`).toBe(receipt.seq)
  for (const [id, code] of refusals)
    if (code !== 'OUTCOME_UNKNOWN') expect(seqs.has(id), `${id} was refused: ${code}`).toBe(false)
  const listed = await host!.list()
  for (const [key, at] of due) {
    const its = listed.find(({ id }) => key.startsWith(`restful/${id} `))
    if (its?.status === 'active' && !its.problem && at < clock.now() - 60_000)
      expect.fail(`${key} was due ${clock.now() - at} ms ago and has not fired`)
  }
  expect((await host!.verify()).findings).toEqual([])
  const closed = host!.close()
  await settle()
  clock.advance(0)
  await settle()
  await closed
  return { acknowledged: acknowledged.size, refused: refusals.size, trimmed }
}

it('K2 K3 K4 K6 K7 K9: few in memory, and nobody can tell, whatever happens', async () => {
  const total = { acknowledged: 0, refused: 0, trimmed: 0 }
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), async (steps) => {
      const { acknowledged, refused, trimmed } = await run(steps)
      total.trimmed += trimmed
      total.acknowledged += acknowledged
      total.refused += refused
    }),
    soak ? { numRuns: 1500 } : { numRuns: 30, seed: 20_261_122 },
  )
  expect(total.acknowledged).toBeGreaterThan(300)
  expect(total.refused).toBeGreaterThan(20)
  expect(total.trimmed).toBeGreaterThan(10)
}, 3_600_000)
