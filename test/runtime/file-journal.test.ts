import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { openHost } from '../../src/index.ts'
import { fileJournal } from '../../src/journal/index.ts'
import { by, noUnhandledRejections, quiet } from '../support/host.ts'
import { acting, counter, mailbox } from '../support/machines.ts'

noUnhandledRejections()

const root = await mkdtemp(join(tmpdir(), 'duramen-kernel-'))
afterAll(() => rm(root, { recursive: true }))

it('K7: on disk as in memory: what was acknowledged is there in the next process, and what was done is not done again', async () => {
  const dir = join(root, 'one')
  let ran = 0
  const machines = [counter(), mailbox(), acting(() => void ran++)] as const
  const [count, box, act] = machines
  const open = async () => openHost({ journal: await fileJournal(dir), machines, logger: quiet })
  const host = await open()
  const actors = await Promise.all(Array.from({ length: 20 }, (_, i) => host.actor(count, `c-${i}`)))
  await Promise.all(
    actors.flatMap((a) => Array.from({ length: 25 }, (_, k) => a.send({ type: 'INC' }, { id: `e${k}` }))),
  )
  const value = { when: new Date(5), list: new Map([['k', 1n]]), text: '\u2028\n\0ü' }
  await (await host.actor(box, 'b')).send({ type: 'MSG', v: value })
  await (await host.actor(act, 'a')).send({ type: 'GO' })
  await host.close()
  const host2 = await open()
  expect(await host2.list()).toHaveLength(22)
  for (let i = 0; i < 20; i++) {
    const actor = await host2.actor(count, `c-${i}`)
    expect(actor.getSnapshot().context.n).toBe(25)
    expect(await actor.send({ type: 'INC' }, { id: 'e7' })).toMatchObject({ duplicate: true })
  }
  expect((await host2.actor(box, 'b')).getSnapshot().context.got).toEqual([value])
  expect(ran).toBe(1)
  await host2.close()
})

it('K7: positions follow each other over all instances', async () => {
  const machine = counter()
  const host = await openHost({ journal: await fileJournal(join(root, 'two')), machines: [machine], logger: quiet })
  const actors = await Promise.all(Array.from({ length: 5 }, (_, i) => host.actor(machine, `c-${i}`)))
  const receipts = await Promise.all(actors.flatMap((a) => [a.send({ type: 'INC' }), a.send({ type: 'INC' })]))
  const positions = receipts.map((r) => r.position).sort((a, b) => a - b)
  expect(positions).toEqual(Array.from({ length: 10 }, (_, i) => i + 7))
  await host.close()
})

it('K8: on disk as in memory: what is held, purged and forked is so in the next process', async () => {
  const dir = join(root, 'operators')
  const machine = counter()
  const open = async () => openHost({ journal: await fileJournal(dir), machines: [machine], logger: quiet })
  const host = await open()
  const [a, b] = [await host.actor(machine, 'a'), await host.actor(machine, 'b')]
  for (let k = 0; k < 100; k++) await Promise.all([a.send({ type: 'INC' }, { id: `e${k}` }), b.send({ type: 'INC' })])
  await host.fork(b, 51, { ...by, id: 'fork' })
  await host.pause(machine, 'b', by)
  await host.stop(machine, 'a', by)
  await host.purge(machine, 'a', by)
  await host.close()
  const host2 = await open()
  expect((await host2.list()).map(({ id, status }) => `${id} ${status}`).sort()).toEqual(['b paused', 'fork paused'])
  expect((await host2.actor(machine, 'fork')).getSnapshot().context.n).toBe(50)
  const anew = await host2.actor(machine, 'a', { create: 'only' })
  expect(await anew.send({ type: 'INC' }, { id: 'e7' })).toMatchObject({ seq: 105, duplicate: false })
  await host2.resume(machine, 'b', by)
  await host2.close()
  const host3 = await open()
  expect((await host3.actor(machine, 'a')).getSnapshot().context.n).toBe(1)
  expect(await (await host3.actor(machine, 'b')).send({ type: 'INC' })).toMatchObject({ handled: true })
  await host3.close()
})
