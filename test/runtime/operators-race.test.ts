import { describe, expect, it } from 'vitest'
import { openHost } from '../../src/index.ts'
import { everyCrashPoint, quietLogger } from '../../src/testing/index.ts'
import { by, noUnhandledRejections, refused, settle, texts, world } from '../support/host.ts'
import { faultyJournal } from '../support/journals.ts'
import { acting, counter } from '../support/machines.ts'

noUnhandledRejections()

const ops = async (texts: Promise<string[]>) =>
  (await texts)
    .map((text) => JSON.parse(text.split('\n')[0]!).op as string | undefined)
    .filter((op) => op !== undefined)

describe('operators among events that are under way', () => {
  it('256 in flight: what was decided before the pause is taken, the rest is refused, and none is lost or taken twice', async () => {
    const { open, journal } = world()
    const faulty = faultyJournal(journal)
    const machine = counter()
    const host = await open([machine], { journal: faulty, pipeline: 64 })
    const actor = await host.actor(machine, 'c')
    faulty.hold()
    const sends = Array.from({ length: 256 }, () => actor.send({ type: 'INC' }))
    const paused = host.pause(machine, 'c', by)
    await settle()
    faulty.release()
    const receipt = await paused
    const results = await Promise.allSettled(sends)
    const taken = results.filter((r) => r.status === 'fulfilled').length
    expect(taken).toBeGreaterThan(0)
    expect(taken).toBeLessThan(256)
    for (const r of results) if (r.status === 'rejected') expect(r.reason.code).toBe('PAUSED')
    expect(receipt.seq).toBe(taken + 2)
    expect(actor.getSnapshot().context.n).toBe(taken)
    await host.resume(machine, 'c', by)
    await actor.send({ type: 'INC' })
    expect(actor.getSnapshot().context.n).toBe(taken + 1)
    await host.close()
  })

  it('pause, resume, pause at once keep their order; so do events before and after', async () => {
    const { open, journal } = world()
    const machine = counter()
    const host = await open([machine])
    const actor = await host.actor(machine, 'c')
    const all = [
      host.pause(machine, 'c', by),
      host.pause(machine, 'c', by),
      host.resume(machine, 'c', by),
      host.park(machine, 'c', by),
      host.resume(machine, 'c', by),
    ]
    expect((await Promise.all(all)).map(({ handled }) => handled)).toEqual([true, false, true, true, true])
    expect(await ops(texts(journal, 'counter/c'))).toEqual(['pause', 'resume', 'park', 'resume'])
    await actor.send({ type: 'INC' })
    await host.close()
  })

  it.each(['NO_SPACE', 'IO'] as const)(
    'the append of a pause fails (%s): it is refused, nothing is held, events go on',
    async (code) => {
      const { open, journal } = world()
      const faulty = faultyJournal(journal)
      const machine = counter()
      const host = await open([machine], { journal: faulty })
      const actor = await host.actor(machine, 'c')
      faulty.plan = ({ texts }) =>
        texts.some((t) => t.includes('"op":"pause"')) ? { when: 'before', code } : undefined
      const [paused, ...sent] = await Promise.allSettled([
        host.pause(machine, 'c', by),
        actor.send({ type: 'INC' }),
        actor.send({ type: 'INC' }),
      ])
      expect(paused).toMatchObject({ status: 'rejected', reason: { code } })
      expect(sent.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled'])
      expect(await host.list()).toMatchObject([{ status: 'active' }])
      await host.close()
    },
  )

  it('an answer that is lost: the pause counts, once', async () => {
    const { open, journal } = world()
    const faulty = faultyJournal(journal)
    const machine = counter()
    const host = await open([machine], { journal: faulty })
    const actor = await host.actor(machine, 'c')
    let lost = false
    faulty.plan = ({ texts }) => {
      if (lost || !texts.some((t) => t.includes('"op":"pause"'))) return undefined
      lost = true
      return { when: 'after', code: 'OUTCOME_UNKNOWN' }
    }
    const sent = refused(new Promise((yes, no) => setImmediate(() => actor.send({ type: 'INC' }).then(yes, no))))
    expect(await host.pause(machine, 'c', by)).toMatchObject({ handled: true, seq: 2 })
    expect((await sent).code).toBe('PAUSED')
    expect(await ops(texts(journal, 'counter/c'))).toEqual(['pause'])
    await host.close()
  })

  it.each(['skip', 'cancel'] as const)('the append of a %s fails: the action is as it was', async (op) => {
    const { open, journal } = world()
    const faulty = faultyJournal(journal)
    let ran = 0
    const machine = acting(() => {
      ran++
      throw new Error('boom')
    })
    const host = await open([machine], { journal: faulty })
    await (await host.actor(machine, 'x')).send({ type: 'GO' })
    await settle()
    faulty.plan = ({ texts }) =>
      texts.some((t) => t.includes(`"op":"${op}"`)) ? { when: 'before', code: 'IO' } : undefined
    expect((await refused(host[op](machine, 'x', '2/0', by))).code).toBe('IO')
    faulty.plan = () => undefined
    expect(await host.list()).toMatchObject([{ status: 'parked' }])
    await host.resume(machine, 'x', by)
    await settle()
    expect(ran).toBe(2)
    await host.close()
  })

  it('K2: two hosts on one journal: what one holds, the other finds held', async () => {
    const { open, clock } = world()
    const machine = counter()
    const [one, two] = [await open([machine]), await open([machine])]
    const a = await one.actor(machine, 'c')
    clock.advance(1)
    const b = await two.actor(machine, 'c')
    await one.pause(machine, 'c', by)
    expect((await refused(b.send({ type: 'INC' }))).code).toBe('PAUSED')
    expect(await two.pause(machine, 'c', by)).toMatchObject({ handled: false })
    clock.advance(1)
    expect(await two.resume(machine, 'c', by)).toMatchObject({ handled: true })
    expect((await refused(a.send({ type: 'INC' }))).code).toBe('PAUSED') // it has not heard of it yet
    clock.advance(1)
    expect(await one.park(machine, 'c', by)).toMatchObject({ handled: true }) // decided again on what is there
    await one.resume(machine, 'c', by)
    await a.send({ type: 'INC' })
    expect(a.getSnapshot().context.n).toBe(1)
    await one.purge(machine, 'c', by).catch((error) => expect(error.code).toBe('STILL_ACTIVE'))
    await one.stop(machine, 'c', by)
    await one.purge(machine, 'c', by)
    expect((await refused(b.send({ type: 'INC' }))).code).toBe('UNKNOWN_INSTANCE')
    expect((await two.actor(machine, 'c')).getSnapshot().context.n).toBe(0)
    await one.close()
    await two.close()
  })

  it('K8: a full disk: parked in memory; resume is refused until there is room, then all goes on', async () => {
    const { open, journal, clock } = world()
    const faulty = faultyJournal(journal)
    const machine = acting(async () => {
      throw new Error('boom')
    })
    const host = await open([machine], { journal: faulty })
    const actor = await host.actor(machine, 'x')
    await actor.send({ type: 'INC' })
    let full = false
    faulty.plan = () => (full ? { when: 'before', code: 'NO_SPACE' } : undefined)
    const sent = actor.send({ type: 'GO' })
    await sent
    full = true
    await settle()
    clock.advance(1000)
    await settle()
    expect(await host.list()).toMatchObject([{ status: 'parked', seq: 3, problem: { code: 'MACHINE_THREW' } }])
    expect((await refused(host.resume(machine, 'x', by))).code).toBe('NO_SPACE')
    expect((await refused(actor.send({ type: 'INC' }))).code).toBe('PARKED')
    full = false
    await host.skip(machine, 'x', '3/0', by)
    expect(await host.list()).toMatchObject([{ status: 'parked', seq: 4 }]) // on record now
    await host.resume(machine, 'x', by)
    await actor.send({ type: 'INC' })
    expect(actor.getSnapshot().context.n).toBe(2)
    await host.close()
  })

  it('closing waits for what an operator was promised', async () => {
    const { open, journal } = world()
    const machine = counter()
    const host = await open([machine])
    await host.actor(machine, 'c')
    const paused = host.pause(machine, 'c', by)
    await Promise.resolve()
    await host.close()
    const answer = await paused.then(
      ({ handled }) => handled,
      (error) => error.code,
    )
    expect(await ops(texts(journal, 'counter/c'))).toEqual(answer === true ? ['pause'] : [])
  })
})

it('a crash before and after every record of an operator, and again in the recovery: each is there or not, and all goes on', async () => {
  const tried = await everyCrashPoint(
    async ({ journal, clock, outside, nth }) => {
      const host = await openHost({ journal, clock, machines: [outside.machine], logger: quietLogger })
      const { machine } = outside
      const actor = await host.actor(machine, 'x')
      const done = async (what: string) => {
        for await (const { kind, payload } of actor.history())
          if (kind === 'operator' && (payload as { why: string }).why === what) return true
        return false
      }
      const once = async (what: string, fn: (by: { who: string; why: string }) => Promise<unknown>) => {
        if (!(await done(what))) await fn({ who: 'ann', why: what })
      }
      if (nth === 1 || !(await done('end'))) {
        await once('first', (b) => host.pause(machine, 'x', b))
        if (!(await done('second'))) expect((await host.list())[0]).toMatchObject({ status: 'paused' })
        await once('second', (b) => host.resume(machine, 'x', b))
        await actor.send({ type: 'GO' }, { id: 'go' }).catch((error) => expect(error.code).toBe('PARKED'))
        await settle()
        await once('third', (b) => host.park(machine, 'x', b).then(() => host.skip(machine, 'x', '4/0', b)))
        await once('fourth', (b) => host.resume(machine, 'x', b))
        await actor.send({ type: 'INC' }, { id: 'inc' })
        await once('end', (b) => host.stop(machine, 'x', b))
      }
      await host.close()
    },
    async ({ journal, clock, outside }) => {
      const host = await openHost({ journal, clock, machines: [outside.machine], logger: quietLogger })
      expect(await host.list()).toMatchObject([{ status: 'stopped' }])
      const actor = await host.actor(outside.machine, 'x')
      expect(actor.getSnapshot()).toMatchObject({ status: 'stopped', context: { n: 1 } })
      const seen: string[] = []
      for await (const { kind, payload } of actor.history())
        if (kind === 'operator') seen.push(`${(payload as any).op} ${(payload as any).who}`)
      expect(seen).toEqual(['pause ann', 'resume ann', 'park duramen', 'skip ann', 'resume ann', 'stop ann'])
      await host.close()
    },
    {
      again: true,
      outside: () => ({
        machine: acting(() => {
          throw new Error('boom')
        }),
      }),
    },
  )
  expect(tried).toBeGreaterThan(50)
})
