// K9: a million instances in the memory of ten thousand. In CI ten thousand in the memory of a hundred.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { type Host, openHost } from '../../src/index.ts'
import { fileJournal } from '../../src/journal/index.ts'
import { inMemory, quiet } from '../support/host.ts'
import { counter, each } from '../support/many.ts'
import { used } from '../support/memory.ts'

const soak = process.env.DURAMEN_SOAK !== undefined
const COUNT = soak ? 1_000_000 : 10_000
const ACTIVE = soak ? 10_000 : 100
/** So many are there when memory is measured first. */
const EARLY = soak ? 20_000 : 2000

/** Bytes that are held after all is collected that can be. */
async function held(): Promise<number> {
  const { heapUsed, external } = await used()
  return heapUsed + external
}

const MB = 2 ** 20
/** What may come on top of that by the time that all are there. */
const GROWTH = soak ? 32 * MB : 6 * MB

it(`K9: ${COUNT.toLocaleString('en')} instances, ${ACTIVE.toLocaleString('en')} in memory: opened, sent an event, opened again, sent another, in bounded memory`, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'million-'))
  const open = async () => {
    const journal = await fileJournal(dir, soak ? {} : { indexEvery: 1024 })
    return openHost({ journal, machines: [counter], maxActive: ACTIVE, logger: quiet })
  }
  /** Does something with all, and compares what is held after the first and after all. */
  const all = async (host: Host, what: string, fn: (i: number) => Promise<unknown>) => {
    await each(0, EARLY, fn)
    const early = await held()
    await each(EARLY, COUNT, fn)
    const late = await held()
    expect(inMemory(host)).toBe(ACTIVE)
    if (soak) process.stdout.write(`${what}: ${(early / MB).toFixed(1)} MiB, ${(late / MB).toFixed(1)} MiB\n`)
    expect((late - early) / MB, what).toBeLessThan(GROWTH / MB)
  }
  let host = await open()
  const send = (i: number) => host.send(counter, `c${i}`, { type: 'INC' })
  await all(host, 'opened', (i) => host.actor(counter, `c${i}`))
  await all(host, 'sent an event', send)
  await host.close()
  host = await open()
  expect(inMemory(host)).toBe(0)
  await all(host, 'sent another, by the next host', send)
  for (const i of [0, EARLY, COUNT - 1]) expect((await host.actor(counter, `c${i}`)).getSnapshot().context.n).toBe(2)
  await host.close()
  rmSync(dir, { recursive: true })
}, 7_200_000)
