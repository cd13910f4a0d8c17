import { AssertionError } from 'node:assert'
import { AsyncLocalStorage } from 'node:async_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { isLeft, type Left } from 'fp-ts/lib/Either.js'
import { answerOf } from '../../ports/answer.ts'
import type { ConnectionDriver } from '../../ports/connection.ts'
import type { DuramenError } from '../../ports/errors.ts'
import { expect } from '../expect.ts'
import { done } from '../images/results.ts'
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
    const again = await done(driver.connect(unhurried()))
    holds(
      again === first,
      'connect, called while it is connected, must answer the very object that it has answered before',
    )
  })

  test('a database that is away: NOT_CONNECTED, soon after the signal', async () => {
    const { driver, away } = world()
    await away()
    const begun = Date.now()
    const { code, retryable } = await refused(driver.connect(AbortSignal.timeout(300)))
    expect({ code, retryable }).toEqual({ code: 'NOT_CONNECTED', retryable: true })
    holds(Date.now() - begun < SOON, `connect must end soon after its signal, not ${SOON} ms later`)
  })

  test('it goes and comes back: connected again, and what it tells begins with down', async () => {
    const { driver, tells, away, back } = world()
    await done(driver.connect(unhurried()))
    const told: string[] = []
    const end = driver.watch((change) => told.push(change))
    await away()
    await refused(driver.connect(AbortSignal.timeout(1000)))
    await back()
    await done(driver.connect(unhurried()))
    const said = `it has told ${told.join(', ') || 'nothing'}`
    if (!tells) holds(told.length === 0, `it tells nothing, says its world, but ${said}`)
    else
      holds(told[0] === 'down' && told.at(-1) === 'up', `watch must tell 'down' first and 'up' in the end, but ${said}`)
    end()
    const before = told.length
    await away()
    await refused(driver.connect(AbortSignal.timeout(1000)))
    holds(told.length === before, 'watch must tell nothing more once it was ended')
  })

  test('it may be closed twice, and while it connects', async () => {
    const { driver, away } = world()
    await away()
    const connecting = driver.connect(AbortSignal.timeout(1000))()
    await done(driver.close())
    await done(driver.close())
    const answer = await Promise.race([connecting, sleep(SOON, undefined, { ref: false })])
    holds(answer?._tag === 'Left', 'connect must fail once the driver is closed, or its signal has fired')
  })
}

/** The error of a connect while the database is away. */
async function refused(connecting: ReturnType<ConnectionDriver<any>['connect']>): Promise<DuramenError> {
  const answer = await answerOf('driver.connect', connecting)
  holds(isLeft(answer), 'connect must fail while the database is away: ask it also where a connection is open already')
  return (answer as Left<DuramenError>).left
}

function holds(kept: boolean, rule: string): void {
  if (!kept) throw new AssertionError({ message: rule, actual: false, expected: true, operator: 'holds' })
}
