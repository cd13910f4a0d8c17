// K12: forgetting a key erases an instance; the host goes on with all others as if it had never been.
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { setup } from 'xstate'
import { durable, openHost } from '../../src/index.ts'
import { aesGcm, fileJournal, fileKeys, type Keys, type Range } from '../../src/journal/index.ts'
import { by, noUnhandledRejections, quiet, settle } from '../support/host.ts'
import { counter } from '../support/machines.ts'

noUnhandledRejections()

const root = await mkdtemp(join(tmpdir(), 'duramen-erased-'))
afterAll(() => rm(root, { recursive: true }))

/** Waits for long: an instance that a host has to wake some day. */
const sleeper = () =>
  durable(
    setup({}).createMachine({
      id: 'sleeper',
      initial: 'waiting',
      states: { waiting: { after: { 40: 'awake' } }, awake: {} },
    }),
  )

async function opened(name: string, maxActive = 100) {
  const keys = fileKeys(join(root, name, 'keys'))
  const counts = { reads: 0 }
  const file = await fileJournal(join(root, name, 'journal'), { codec: aesGcm({ keys }), indexEvery: 16 })
  const readAll = (range?: Range) => {
    counts.reads++
    return file.readAll(range)
  }
  const journal = { ...file, readAll }
  const machines = [counter(), sleeper()] as const
  const host = await openHost({ journal, machines, maxActive, logger: quiet })
  return { host, keys, machines, counts, file }
}

const erased = { code: 'ERASED' }

it('K12 an instance that was erased before the host opened is listed no more; who asks for it is told; the others go on', async () => {
  const first = await opened('before')
  const [count, sleep] = first.machines
  for (const id of ['a', 'b', 'c']) {
    await (await first.host.actor(count, id)).send({ type: 'INC' })
    await first.host.actor(sleep, id)
  }
  await first.host.park(count, 'a', by)
  await first.host.close()
  for (const stream of ['counter/a', 'sleeper/a']) first.keys.forget(stream)

  const { host, keys, machines } = await opened('before')
  const again = machines[0]
  const ids = (await host.list()).map(({ machine, id }) => `${machine}/${id}`).sort()
  expect(ids).toEqual(['counter/b', 'counter/c', 'sleeper/b', 'sleeper/c'])
  await expect(host.actor(again, 'a')).rejects.toMatchObject(erased)
  await expect(host.actor(again, 'a', { create: 'only' })).rejects.toMatchObject(erased)
  await expect(host.actor(again, 'a', { create: false })).rejects.toMatchObject(erased)
  await expect(host.purge(again, 'a', by)).rejects.toMatchObject(erased)
  const b = await host.actor(again, 'b')
  await b.send({ type: 'INC' })
  expect(b.getSnapshot().context.n).toBe(2)
  expect(await host.verify()).toMatchObject({ ok: 4, unreadable: 0, findings: [] })
  const streams = new Set<string>()
  for await (const { machine, instance } of host.records()) streams.add(`${machine}/${instance}`)
  expect([...streams].sort()).toEqual(ids)

  keys.forget('counter/never')
  await expect(host.actor(again, 'never')).rejects.toMatchObject(erased)
  await host.close()
})

it('K12 an instance whose early records alone are erased is broken, and stops nobody', async () => {
  const secrets = [randomBytes(32), randomBytes(32)]
  let now = 0
  const keys: Keys = (stream, id = now) =>
    stream === 'counter/a' && id === 0 && now === 2 ? undefined : { id, secret: secrets[id]! }
  const machine = counter()
  const open = async () => {
    const journal = await fileJournal(join(root, 'early'), { codec: aesGcm({ keys }) })
    return openHost({ journal, machines: [machine], logger: quiet })
  }
  const first = await open()
  const [a, b] = [await first.actor(machine, 'a'), await first.actor(machine, 'b')]
  now = 1
  await Promise.all([a.send({ type: 'INC' }), b.send({ type: 'INC' })])
  await first.park(machine, 'a', by)
  await first.close()
  now = 2
  secrets.push(secrets[1]!)
  const host = await open()
  await expect(host.actor(machine, 'a')).rejects.toMatchObject(erased)
  expect((await host.actor(machine, 'b')).getSnapshot().context.n).toBe(1)
  const { ok, unreadable, findings } = await host.verify()
  expect({ ok, unreadable }).toEqual({ ok: 1, unreadable: 1 })
  expect(findings).toMatchObject([{ id: 'a', status: 'unreadable', error: erased }])
  await host.close()
})

it('K12 whoever follows the journal waits behind what was erased, and hears of what comes then', async () => {
  const { host, keys, machines, counts, file } = await opened('followed')
  const [a, b] = [await host.actor(machines[0], 'a'), await host.actor(machines[0], 'b')]
  const { position: last } = await a.send({ type: 'INC' })
  keys.forget('counter/a')
  const told: number[] = []
  const following = host.records$().subscribe(({ position }) => told.push(position))
  while (told.length === 0) await settle()
  const before = counts.reads
  for (let round = 0; round < 20; round++) for await (const _ of file.readAll()) await settle()
  expect(counts.reads - before).toBeLessThan(3) // it does not ask again and again
  const { position } = await b.send({ type: 'INC' })
  while (told.at(-1) !== position) await settle()
  expect(told).not.toContain(last)
  following.unsubscribe()
  await host.close()
})

it('K12 an instance that is erased while it is in memory takes nothing any more, and its timers stop nobody', async () => {
  const { host, keys, machines } = await opened('live')
  const [count, sleep] = machines
  const [a, b] = [await host.actor(count, 'a'), await host.actor(count, 'b')]
  await host.actor(sleep, 'a')
  const other = await host.actor(sleep, 'b')
  keys.forget('counter/a')
  keys.forget('sleeper/a')
  await expect(a.send({ type: 'INC' })).rejects.toMatchObject(erased)
  expect(await b.send({ type: 'INC' })).toMatchObject({ seq: 2 })
  await other.waitFor((state) => state.value === 'awake')
  expect((await host.list()).filter(({ id }) => id === 'b')).toHaveLength(2)
  await host.close()
})
