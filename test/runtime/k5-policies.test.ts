import { describe, expect, it } from 'vitest'
import { fromCallback, fromPromise, setup } from 'xstate'
import { currentEffect, type DurableOptions, durable, type RetryPolicy } from '../../src/index.ts'
import { decodeCommit } from '../../src/journal/records.ts'
import { deferred } from '../support/deferred.ts'
import { noUnhandledRejections, settle, world } from '../support/host.ts'
import { crashJournal } from '../support/journals.ts'
import { acting, thisEffect } from '../support/machines.ts'

noUnhandledRejections()

const by = { who: 'ann', why: 'test' }

/** One promise, `work`; DONE and FAILED after it, LEAVE leaves it. */
function working(work: (signal: AbortSignal) => unknown, policy: RetryPolicy, id = 'working') {
  return durable(
    setup({
      types: {} as { context: { out: unknown }; events: { type: 'LEAVE' } },
      actors: { work: fromPromise(async ({ signal }) => work(signal)) },
    }).createMachine({
      id,
      context: { out: undefined },
      initial: 'a',
      states: {
        a: {
          invoke: { src: 'work', id: 'work', onDone: 'done', onError: 'failed' },
          on: { LEAVE: 'left' },
        },
        done: {},
        failed: {},
        left: {},
      },
    }),
    { retry: { work: policy } },
  )
}

const exact = (first: number, attempts: number): RetryPolicy => ({ attempts, backoff: { first, jitter: 0 } })

describe('K5: a failed attempt with attempts left is not given to the machine', () => {
  it('a promise is tried again after waits that grow, and its last failure is', async () => {
    const ran: string[] = []
    const { clock, open } = world()
    const machine = working(
      () => {
        ran.push(`${thisEffect()} ${clock.now()}`)
        throw new Error('no')
      },
      { attempts: 3, backoff: { first: '1s', factor: 3, max: '2s', jitter: 0 } },
    )
    const host = await open([machine])
    const actor = await host.actor(machine, 'x')
    const start = clock.now()
    await settle()
    expect(ran).toHaveLength(1)
    clock.advance(999)
    await settle()
    expect(ran).toHaveLength(1)
    clock.advance(1)
    await settle()
    expect(ran).toHaveLength(2)
    expect(actor.getSnapshot().value).toBe('a')
    clock.advance(2000)
    await settle()
    expect(ran).toEqual([
      `working/x@1/work@1#1 ${start}`,
      `working/x@1/work@1#2 ${start + 1000}`,
      `working/x@1/work@1#3 ${start + 3000}`,
    ])
    expect(actor.getSnapshot().value).toBe('failed')
    await host.close()
  })

  it('an action is tried again, too, and one that succeeds is finished', async () => {
    let ran = 0
    const { clock, open } = world()
    const plain = acting(async () => {
      if (++ran < 3) throw new Error('no')
    })
    const machine = durable(plain.machine, { id: 'retried', retry: { act: exact(100, 5) } })
    const host = await open([machine])
    const actor = await host.actor(machine, 'x')
    await actor.send({ type: 'GO' })
    for (let i = 0; i < 5; i++) {
      await settle()
      clock.advance(200)
    }
    await settle()
    expect(ran).toBe(3)
    expect(await host.deadLetters()).toEqual([])
    await host.close()
    const host2 = await open([machine])
    await settle()
    clock.advance(1000)
    await settle()
    expect(ran).toBe(3)
    await host2.close()
  })

  it('what is not retryable is given to the machine at once', async () => {
    let ran = 0
    const { open } = world()
    const machine = working(
      () => {
        ran++
        throw new TypeError('never')
      },
      { attempts: 5, retryable: (error) => !(error instanceof TypeError) },
    )
    const host = await open([machine])
    const actor = await host.actor(machine, 'x')
    await settle()
    expect([ran, actor.getSnapshot().value]).toEqual([1, 'failed'])
    await host.close()
  })

  it('a wait is waited for after a crash, and the failure before it counts', async () => {
    const ran: string[] = []
    const { journal, clock, open } = world()
    const machine = working(
      () => {
        ran.push(thisEffect())
        throw new Error('no')
      },
      exact(10_000, 2),
    )
    const dying = crashJournal(journal)
    await (await open([machine], { journal: dying })).actor(machine, 'x')
    await settle()
    dying.crash()
    clock.advance(4000)
    const host = await open([machine])
    await settle()
    clock.advance(5999)
    await settle()
    expect(ran).toHaveLength(1)
    clock.advance(1)
    await settle()
    expect(ran.map((r) => r.split('#')[1])).toEqual(['1', '2'])
    expect((await host.actor(machine, 'x')).getSnapshot().value).toBe('failed')
    await host.close()
  })

  it('leaving the state, and closing the host, call the wait off', async () => {
    let ran = 0
    const { clock, open } = world()
    const machine = working(
      () => {
        ran++
        throw new Error('no')
      },
      exact(1000, 9),
    )
    const host = await open([machine])
    const [x, y] = [await host.actor(machine, 'x'), await host.actor(machine, 'y')]
    await settle()
    await x.send({ type: 'LEAVE' })
    clock.advance(100)
    await host.close()
    expect(y.getSnapshot().value).toBe('a')
    clock.advance(100_000)
    await settle()
    expect(ran).toBe(2)
    const host2 = await open([machine])
    await settle()
    expect(ran).toBe(3) // y alone, for its wait is over
    await host2.close()
  })

  it('a crash before and after every append: at most the attempts of the policy fail, and one that ends is not run again', async () => {
    for (const when of ['before', 'after'] as const)
      for (let at = 1, crashed = true; crashed; at++) {
        const { journal, clock, open } = world()
        let failures = 0
        const machine = working(
          () => {
            if (failures < 2) {
              failures++
              throw new Error('no')
            }
            return 'ok'
          },
          exact(100, 9),
        )
        const dying = crashJournal(journal, at, when)
        const go = async () => {
          for (let i = 0; i < 6; i++) {
            await settle(3)
            clock.advance(1000)
          }
          await settle(3)
        }
        void open([machine], { journal: dying }).then((h) => h.actor(machine, 'x').catch(() => {}))
        await go()
        crashed = dying.crashed
        const host = await open([machine])
        const actor = await host.actor(machine, 'x')
        await go()
        expect(actor.getSnapshot().value, `${when} ${at}`).toBe('done')
        await host.close()
      }
  })
})

describe('K5: an attempt has limits', () => {
  it('timeout: its signal is aborted, its late result does not count, the next attempt begins', async () => {
    const gates = [deferred(), deferred()]
    const signals: AbortSignal[] = []
    const { clock, open } = world()
    const machine = working(
      (signal) => {
        signals.push(signal, currentEffect().signal)
        return gates[signals.length / 2 - 1]!.promise
      },
      { ...exact(100, 2), timeout: '5s' },
    )
    const host = await open([machine])
    const actor = await host.actor(machine, 'x')
    await settle()
    clock.advance(5000)
    await settle()
    expect(signals.map((s) => s.aborted)).toEqual([true, true])
    clock.advance(100)
    await settle()
    expect(signals.map((s) => s.aborted)).toEqual([true, true, false, false])
    gates[0]!.resolve('late')
    await settle()
    expect(actor.getSnapshot().value).toBe('a')
    gates[1]!.resolve('in time')
    await settle()
    expect(actor.getSnapshot().value).toBe('done')
    await host.close()
  })

  it('a timeout that races its result: one of them counts', async () => {
    const gate = deferred()
    const { clock, open } = world()
    const machine = working(() => gate.promise, { timeout: 1000 })
    const host = await open([machine])
    const actor = await host.actor(machine, 'x')
    await settle()
    gate.resolve(1)
    clock.advance(1000)
    await settle()
    expect(actor.getSnapshot().value).toBe('failed')
    await settle()
    expect(actor.getSnapshot().value).toBe('failed')
    await host.close()
  })

  it('heartbeat: silence counts as failure; its details are there for the next attempt, also after a crash', async () => {
    const seen: unknown[] = []
    let beat = () => {}
    const { journal, clock, open } = world()
    const machine = working(
      () => {
        const effect = currentEffect()
        seen.push(effect.details)
        beat = () => effect.heartbeat({ at: seen.length, big: 1n })
        return new Promise((_, reject) =>
          effect.signal.addEventListener('abort', () => reject(new Error('told to stop'))),
        )
      },
      { ...exact(100, 5), heartbeat: '2s' },
    )
    const dying = crashJournal(journal)
    await (await open([machine], { journal: dying })).actor(machine, 'x')
    await settle()
    clock.advance(1500)
    beat()
    clock.advance(1500)
    await settle()
    expect(seen).toHaveLength(1)
    clock.advance(600)
    await settle()
    clock.advance(100)
    await settle()
    expect(seen).toEqual([undefined, { at: 1, big: 1n }])
    beat()
    clock.advance(1900)
    beat()
    await settle()
    dying.crash()
    const host = await open([machine])
    await settle()
    expect(seen.at(-1)).toMatchObject({ big: 1n })
    await host.close()
  })
})

describe('K9: what fails for good is a dead letter', () => {
  it('is listed, parks its instance, is not taken up at a restart, and lives again when it is resumed', async () => {
    let ran = 0
    let bad = true
    const { open } = world()
    const machine = acting(async () => {
      ran++
      if (bad) throw new RangeError('boom')
    })
    const host = await open([machine])
    await (await host.actor(machine, 'x')).send({ type: 'GO' })
    await settle()
    const letter = { machine: 'acting', instance: 'x', key: 'acting/x/2/0', src: 'act', kind: 'action', attempts: 1 }
    expect(await host.deadLetters()).toMatchObject([{ ...letter, error: { name: 'RangeError', message: 'boom' } }])
    await host.close()
    const host2 = await open([machine])
    await settle()
    expect(ran).toBe(1)
    expect(await host2.deadLetters()).toMatchObject([letter])
    expect(await host2.list({ status: 'parked' })).toHaveLength(1)
    bad = false
    await host2.resume(machine, 'x', by)
    await settle()
    expect([ran, await host2.deadLetters()]).toEqual([2, []])
    await host2.close()
    const host3 = await open([machine])
    await settle()
    expect([ran, await host3.deadLetters()]).toEqual([2, []])
    await host3.close()
  })

  it('so is a promise whose rejection nobody handles, and one that has ended the process too often', async () => {
    let ran = 0
    const { journal, open } = world()
    let dying = crashJournal(journal)
    const machine = durable(
      setup({
        actors: {
          work: fromPromise(() => {
            ran++
            dying.crash()
            return new Promise(() => {})
          }),
        },
      }).createMachine({ id: 'killer', invoke: { src: 'work', id: 'work' } }),
      { retry: { work: { crashes: 3 } } },
    )
    void (await open([machine], { journal: dying })).actor(machine, 'x').catch(() => {})
    await settle()
    for (let i = 0; i < 5; i++) {
      dying = crashJournal(journal)
      await open([machine], { journal: dying })
      await settle()
    }
    expect(ran).toBe(3)
    const host = await open([machine])
    await settle()
    expect(await host.deadLetters()).toMatchObject([{ key: 'killer/x@1/work@1', kind: 'promise' }])
    expect((await host.deadLetters())[0]!.error.message).toContain('3 times')
    await host.close()
  })
})

describe('K9: policies are looked at when the machine is made durable', () => {
  const machine = setup({
    actions: { act() {} },
    actors: { work: fromPromise(async () => 0), watch: fromCallback(() => {}) },
  }).createMachine({ id: 'm', invoke: { src: 'work', id: 'work' }, entry: 'act' })
  const made = (retry: DurableOptions['retry']) => durable(machine, { ...(retry && { retry }) })

  it.each([
    [{ wrok: {} }, 'retry.wrok: there is no action or actor'],
    [{ work: { attempts: 0 } }, 'retry.work.attempts'],
    [{ work: { attempts: 1.5 } }, 'retry.work.attempts'],
    [{ work: { timeout: '5 lightyears' } }, 'retry.work.timeout'],
    [{ work: { timeout: 0 } }, 'retry.work.timeout'],
    [{ work: { backoff: { jitter: 2 } } }, 'retry.work.backoff.jitter'],
    [{ work: { backoff: { factor: 0.5 } } }, 'retry.work.backoff.factor'],
    [{ work: { concurrency: { limit: 0 } } }, 'retry.work.concurrency.limit'],
    [{ act: { rate: { limit: 2 } } }, 'retry.act.rate.per'],
    [{ work: { retires: 3 } }, 'there is no retires'],
    [{ watch: { concurrency: { limit: 2 } } }, 'retry.watch.concurrency'],
  ])('%j', (retry, problem) => {
    expect(() => made(retry as never)).toThrow(
      expect.objectContaining({ code: 'BAD_MACHINE', message: expect.stringContaining(problem) }),
    )
  })

  it('takes what is right', () => {
    made({ work: { attempts: Number.POSITIVE_INFINITY, timeout: '5s' }, act: {}, '*': { concurrency: { limit: 3 } } })
  })
})

it('K5: an effect without a policy starts within the call that makes its commit durable, and records nothing more', async () => {
  const { journal, open } = world()
  const machine = acting(() => {})
  const host = await open([machine])
  const actor = await host.actor(machine, 'x')
  for (let i = 0; i < 5; i++) await actor.send({ type: 'GO' })
  await host.close()
  const kinds: string[] = []
  for await (const record of journal.read('acting/x')) kinds.push(decodeCommit(record).kind)
  expect(kinds).toEqual(['start', 'event', 'event', 'event', 'event', 'event', 'mark'])
})
