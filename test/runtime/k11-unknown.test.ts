import { describe, expect, it } from 'vitest'
import { noUnhandledRejections, refused, settle, texts, world } from '../support/host.ts'
import { faultyJournal } from '../support/journals.ts'
import { acting, counter, thisEffect } from '../support/machines.ts'

noUnhandledRejections()

describe.each(['before', 'after'] as const)('K11: the answer is lost %s the append', (when) => {
  async function scene() {
    const { journal, clock, open } = world()
    const faulty = faultyJournal(journal)
    const loseNext = () => {
      const at = faulty.appends + 1
      faulty.plan = (_append, n) => (n === at ? { when, code: 'OUTCOME_UNKNOWN' } : undefined)
    }
    return { journal, clock, open, faulty, loseNext }
  }

  it('the event is there once, and its sender gets a receipt', async () => {
    const { journal, open, faulty, loseNext } = await scene()
    const machine = counter()
    const host = await open([machine], { journal: faulty })
    const actor = await host.actor(machine, 'c')
    const seen: number[] = []
    actor.subscribe((s) => seen.push(s.context.n))
    loseNext()
    expect(await actor.send({ type: 'INC' })).toMatchObject({ seq: 2, position: 3, duplicate: false, handled: true })
    await settle()
    expect(actor.getSnapshot().context.n).toBe(1)
    expect(seen).toEqual([1])
    expect(await texts(journal, 'counter/c')).toHaveLength(2)
    await host.close()
  })

  it('a whole burst is there once, in order', async () => {
    const { open, faulty, loseNext } = await scene()
    const machine = counter()
    const host = await open([machine], { journal: faulty })
    const actor = await host.actor(machine, 'c')
    loseNext()
    const receipts = await Promise.all(Array.from({ length: 9 }, (_, v) => actor.send({ type: 'SEE', v })))
    expect(receipts.map((r) => r.seq)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10])
    await settle()
    expect(actor.getSnapshot().context.seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8])
    await host.close()
  })

  it('an instance is created once', async () => {
    const { journal, open, faulty, loseNext } = await scene()
    const machine = counter()
    const host = await open([machine], { journal: faulty })
    loseNext()
    const actor = await host.actor(machine, 'c')
    await actor.send({ type: 'INC' })
    expect(actor.getSnapshot().context.n).toBe(1)
    expect(await texts(journal, 'counter/c')).toHaveLength(2)
    await host.close()
  })

  it('its action runs once', async () => {
    const ran: string[] = []
    const { open, faulty, loseNext } = await scene()
    const machine = acting(() => void ran.push(thisEffect()))
    const host = await open([machine], { journal: faulty })
    const actor = await host.actor(machine, 'x')
    loseNext()
    await actor.send({ type: 'GO' })
    await settle()
    expect(ran).toEqual(['acting/x/2/0#1'])
    await host.close()
  })

  it('where it stays unknown, the error says so', async () => {
    const { journal, open, faulty } = await scene()
    const machine = counter()
    const host = await open([machine], { journal: faulty })
    const actor = await host.actor(machine, 'c')
    faulty.plan = () => ({ when: 'before', code: 'OUTCOME_UNKNOWN' })
    expect(await refused(actor.send({ type: 'INC' }))).toMatchObject({
      code: 'OUTCOME_UNKNOWN',
      where: { machine: 'counter', instance: 'c' },
    })
    faulty.plan = () => undefined
    await actor.send({ type: 'INC' })
    expect(actor.getSnapshot().context.n).toBe(1)
    expect(await texts(journal, 'counter/c')).toHaveLength(2)
    await host.close()
  })
})
