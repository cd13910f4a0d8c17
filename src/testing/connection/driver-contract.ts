import { AsyncLocalStorage } from 'node:async_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ConnectionDriver } from '../../ports/connection.ts'
import { expect } from '../expect.ts'
import { done, failed } from '../images/results.ts'
import { type ContractCase, casesOf, test } from '../suite.ts'

/** A database that is there, and its driver, not connected yet. */
export interface ConnectionWorld {
  readonly driver: ConnectionDriver<any>
  /** Whether it sees by itself that the database goes and comes, and tells who watches. */
  readonly tells: boolean
  /** From now on nobody reaches the database, and who has is cut off. */
  away(): Promise<void>
  /** It is there again. */
  back(): Promise<void>
  /** Releases everything; called after each test. */
  dispose(): Promise<void>
}

const unhurried = () => AbortSignal.timeout(20_000)
/** No case waits longer for what has to come soon, ms. */
const SOON = 5000

/** What every ConnectionDriver must keep, as cases for any test runner. `create` makes a world for each case, which disposes of it. */
export function connectionDriverContract(adapter: string, create: () => Promise<ConnectionWorld>): ContractCase[] {
  const worlds = new AsyncLocalStorage<ConnectionWorld>()
  const world = () => worlds.getStore()!
  return casesOf(
    `${adapter} keeps the contract of ConnectionDriver`,
    () => suite(world),
    async (run) => {
      const fresh = await create()
      try {
        await worlds.run(fresh, async () => run())
      } finally {
        await fresh.driver.close()()
        await fresh.dispose()
      }
    },
  )
}

function suite(world: () => ConnectionWorld): void {
  test('it has a name, without a user', () => {
    expect(world().driver.name.length).toBeGreaterThan(0)
    expect(world().driver.name.includes('@')).toBe(false)
  })

  test('it connects, and answers the same when it is connected', async () => {
    const { driver } = world()
    const first = await done(driver.connect(unhurried()))
    expect((await done(driver.connect(unhurried()))) === first).toBe(true)
  })

  test('a database that is away: NOT_CONNECTED, soon after the signal', async () => {
    const { driver, away } = world()
    await away()
    const begun = Date.now()
    expect(await failed(driver.connect(AbortSignal.timeout(300)))).toMatchObject({
      code: 'NOT_CONNECTED',
      retryable: true,
    })
    expect(SOON).toBeGreaterThan(Date.now() - begun)
  })

  test('it goes and comes back: connected again, and what it tells begins with down', async () => {
    const { driver, tells, away, back } = world()
    await done(driver.connect(unhurried()))
    const told: string[] = []
    const end = driver.watch((change) => told.push(change))
    await away()
    await failed(driver.connect(AbortSignal.timeout(1000)))
    await back()
    await done(driver.connect(unhurried()))
    expect(told[0]).toBe(tells ? 'down' : undefined)
    expect(told.at(-1)).toBe(tells ? 'up' : undefined)
    end()
    const before = told.length
    await away()
    await failed(driver.connect(AbortSignal.timeout(1000)))
    expect(told.length).toBe(before)
  })

  test('it may be closed twice, and while it connects', async () => {
    const { driver, away } = world()
    await away()
    const connecting = driver.connect(AbortSignal.timeout(1000))()
    await done(driver.close())
    await done(driver.close())
    const answer = await Promise.race([connecting, sleep(SOON, undefined, { ref: false })])
    expect(answer?._tag).toBe('Left')
  })
}
