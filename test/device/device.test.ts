// A device on a host, by rule: the machine with the simulated reader behind it.
import { describe, expect, test } from 'vitest'
import { createDevice } from '../../src/machines/index.ts'
import { by, isPending, noUnhandledRejections, quiet, refused, settle, texts } from '../support/host.ts'
import { answers, but, fails, hangs, place } from './world.ts'

noUnhandledRejections()

describe('D1', () => {
  test('LED and captures at once: each after the other, answered in order', async () => {
    const { driver, start } = place()
    const { device } = await start()
    const began: string[] = []
    const answered: string[] = []
    const { controlOut } = driver.reader
    driver.reader.controlOut = async (...given) => {
      began.push(given[0].request === 1 ? `led ${given[0].value}` : 'capture')
      return controlOut.apply(driver.reader, given)
    }
    const note = (what: string) => () => void answered.push(what)
    await Promise.all([
      device.led(true).then(note('led 1')),
      device.capture().then(note('capture')),
      device.led(false).then(note('led 0')),
      device.capture().then(note('capture')),
    ])
    expect(began).toEqual(['led 1', 'capture', 'led 0', 'capture'])
    expect(answered).toEqual(began)
  })

  test('the queue is bounded: QUEUE_FULL, and nothing is recorded of it', async () => {
    const { start, journal } = place()
    const { device } = await start({ queue: 2 })
    const first = [device.capture(), device.capture()]
    expect((await refused(device.capture())).code).toBe('QUEUE_FULL')
    await Promise.all(first)
    const requests = (await texts(journal, 'device/reader')).filter((text) => text.includes('"REQUEST"'))
    expect(requests).toHaveLength(2)
  })

  test('called off before, while it waits, while it is performed, after: answered once', async () => {
    const { driver, start } = place()
    const { device, state } = await start()
    expect((await refused(device.capture({ signal: AbortSignal.abort() }))).code).toBe('ABORTED')
    driver.reader.faults.silent = 1
    const running = new AbortController()
    const waits = new AbortController()
    const first = device.capture({ signal: running.signal })
    const second = device.capture({ signal: waits.signal })
    const third = device.capture()
    await settle()
    waits.abort()
    expect((await refused(second)).code).toBe('ABORTED')
    running.abort()
    expect((await refused(first)).code).toBe('ABORTED')
    expect((await third).pixels).toHaveLength(78_000)
    expect(driver.reader.captures).toBe(1)
    running.abort()
    expect(state()).toBe('online')
  })

  test('options in the place of the input are refused: they would call off nothing', async () => {
    const { driver, start } = place()
    const { device } = await start()
    const { signal } = new AbortController()
    const refusal = await refused(device.perform('capture', { signal } as never))
    expect(refusal).toMatchObject({
      code: 'BAD_OPTION',
      hint: expect.stringContaining('perform(op, undefined, {'),
    })
    expect(driver.reader.captures).toBe(0)
    await device.perform('capture', undefined, { signal })
  })

  test('called off before its request is on disk', async () => {
    const { driver, start } = place()
    const { device } = await start()
    const given = new AbortController()
    const capture = device.capture({ signal: given.signal })
    given.abort()
    const answer = await capture.then(
      () => 'performed',
      ({ code }) => code,
    )
    expect(['performed', 'ABORTED']).toContain(answer) // it may have been quicker
    await device.led(true)
    expect(driver.reader.led).toBe(true)
  })
})

describe('D2', () => {
  test('a refresh after 50 operations: LED as before, unseen by callers, a new connection in the records', async () => {
    const { driver, start, journal } = place()
    const { device } = await start()
    await device.led(true)
    for (let i = 0; i < 49; i++) await device.capture()
    await settle()
    expect(driver.reader.opened).toBe(2)
    expect(driver.reader.led).toBe(true)
    expect(device.diagnosis()).toMatchObject({ refreshes: 1, operation_count: 0, operations_total: 50 })
    const kept = (await texts(journal, 'device/reader')).filter((text) => text.includes('"refreshing"'))
    expect(kept).toHaveLength(1)
  })

  test('a setting that the device refuses on a new connection is dropped with one warning; the device is online all the same', async () => {
    const warned: string[] = []
    const logger = { ...quiet, warn: (message: string) => void warned.push(message) }
    for (const way of ['refresh', 'replug', 'recover'] as const) {
      warned.length = 0
      const { driver, start, pass } = place()
      let refuses = false
      let given = 0
      const picky = but(driver, {
        perform: (op, input, attempt) => {
          if (op === 'led') given++
          return op === 'led' && refuses ? fails('BAD_OPTION') : driver.perform(op, input, attempt)
        },
      })
      const { device, state } = await start({ driver: picky, maxOperationsBeforeRefresh: 2, host: { logger } })
      await device.led(true)
      refuses = true
      if (way === 'refresh') await device.capture()
      if (way === 'recover') driver.reader.faults.halted = true
      for (let i = 0; i < 2; i++) {
        if (way === 'replug') {
          driver.reader.unplug()
          await settle()
          driver.reader.plug()
        }
        await settle()
        await pass(1000)
        await device.capture()
      }
      expect(state()).toBe('online')
      expect(given).toBe(2)
      expect(warned).toHaveLength(1)
      expect(warned[0]).toMatch(/refused its setting led/)
    }
  })

  test('the LED is as before after every rung, too', async () => {
    for (const rung of ['halted', 'hung'] as const) {
      const { driver, start, pass } = place()
      const { device } = await start({ callTimeout: 1000 })
      await device.led(true)
      driver.reader.faults[rung] = true
      const capture = device.capture()
      await settle()
      for (let i = 0; i < 40 && (await isPending(capture)); i++) await pass(1000)
      await capture
      expect(driver.reader.led).toBe(true)
      expect(device.diagnosis().recoveries).toBe(1)
    }
  })
})

describe('D3', () => {
  test('silence for 300 s: probed; a dead device is recovered before anybody asks', async () => {
    const { driver, start, pass } = place()
    const { device, state } = await start({ callTimeout: 1000 })
    await device.capture()
    driver.reader.faults.hung = true
    await pass(299_000)
    expect(device.diagnosis()).toMatchObject({ recoveries: 0, healthy: true })
    await pass(30_000)
    expect(state()).toBe('online')
    expect(device.diagnosis()).toMatchObject({ recoveries: 1, healthy: false, last_error: { code: 'USB_TIMEOUT' } })
    await pass(300_000)
    expect(device.diagnosis().healthy).toBe(true)
  })
})

describe('D4', () => {
  test.each([
    ['a halt', { halted: true }],
    ['a refusal', { stallControl: 1 }],
    ['a cut', { cut: 1 }],
    ['garbage', { garbage: 1 }],
    ['a short read', { short: 1 }],
    ['a rung that does not help', { halted: true, stubborn: 3 }],
  ])('%s: the caller only waits longer', async (_, faults) => {
    const { driver, start, pass } = place()
    const { device } = await start()
    driver.reader.faults = faults
    const capture = device.capture()
    for (let i = 0; i < 20 && (await isPending(capture)); i++) await pass(500)
    expect((await capture).pixels).toHaveLength(78_000)
    expect(device.diagnosis().recoveries).toBe(1)
  })

  test('a fault that no recovery mends: the driver’s own error after as many attempts as there may be', async () => {
    const { driver, start, pass } = place()
    const { device } = await start({ attempts: 3 })
    driver.reader.faults.garbage = 100
    const capture = refused(device.capture())
    for (let i = 0; i < 20 && (await isPending(capture)); i++) await pass(500)
    expect((await capture).code).toBe('USB_PROTOCOL')
    expect(driver.reader.captures).toBe(3)
  })

  test('what is not repeatable is performed once', async () => {
    const { driver, start } = place()
    const once = { ...driver.operations, capture: { ...driver.operations.capture, repeatable: false } }
    const { device } = await start({ driver: { ...driver, operations: once } })
    driver.reader.faults.cut = 1
    expect((await refused(device.capture())).code).toBe('USB_PROTOCOL')
    await settle()
    expect(driver.reader.captures).toBe(1)
    expect((await device.capture()).width).toBe(260)
  })

  test('wrong input is the caller’s: no recovery, no second attempt', async () => {
    const { start } = place()
    const { device } = await start()
    expect((await refused(device.led('on' as never))).code).toBe('BAD_OPTION')
    expect(device.diagnosis()).toMatchObject({ recoveries: 0, last_error: null })
  })
})

describe('D5', () => {
  test('a driver that hangs and listens to nothing: each call has its limit, the ladder its end, and all are answered', async () => {
    const { driver, start, pass } = place()
    let dead = false
    const stuck = but(driver, {
      perform: (...given) => (dead ? hangs() : driver.perform(...given)),
      recover: (...given) => (dead ? hangs() : driver.recover(...given)),
      probe: (...given) => (dead ? hangs() : driver.probe(...given)),
    })
    const { device, state } = await start({ driver: stuck, callTimeout: 1000 })
    dead = true
    const capture = device.capture()
    await settle()
    await pass(16_000)
    expect(state()).toBe('online')
    await pass(3000)
    expect(state()).toBe('recovering')
    await pass(40_000)
    expect(state()).toBe('unavailable')
    expect(await isPending(capture)).toBe(true)
    await pass(20_000)
    expect((await refused(capture)).code).toBe('DEVICE_UNAVAILABLE')
    dead = false
    await pass(60_000)
    expect(state()).toBe('online')
    await device.capture()
  })

  test('a dead pipe behind a status that answers is recovered, also where callers never wait for the timeout', async () => {
    const { driver, start } = place()
    const { device } = await start()
    const { recover } = driver
    let dead = true
    driver.recover = (...given) => {
      dead = false
      return recover(...given)
    }
    const { bulkIn } = driver.reader
    driver.reader.bulkIn = (...given) => {
      if (dead) driver.reader.faults.silent = 1
      return bulkIn.apply(driver.reader, given)
    }
    for (let i = 0; i < 2; i++) {
      const caller = new AbortController()
      const capture = refused(device.capture({ signal: caller.signal }))
      await settle()
      caller.abort()
      expect((await capture).code).toBe('ABORTED')
      await settle()
    }
    expect(dead).toBe(false)
    expect(device.diagnosis()).toMatchObject({
      device_status: 'online',
      recoveries: 1,
      last_error: { code: 'USB_TIMEOUT' },
    })
    await device.capture()
  })

  test('an answer after its limit, but within the grace, counts', async () => {
    const { driver, start, pass } = place()
    const late = but(driver, {
      perform: (op, input, attempt) => async () => {
        await new Promise<void>((resolve) => attempt.signal.addEventListener('abort', () => resolve()))
        return driver.perform(op, input, { ...attempt, signal: new AbortController().signal })()
      },
    })
    const { device } = await start({ driver: late })
    const capture = device.capture()
    await settle()
    await pass(15_000)
    expect((await capture).height).toBe(300)
  })

  test('a connection that opens and can’t be made ready does not turn without a pause', async () => {
    const { driver, start, pass, journal } = place()
    const { device } = await start({
      driver: but(driver, { connect: () => fails('USB_GONE'), recover: () => fails('USB_GONE') }),
    })
    await settle()
    expect((await texts(journal, 'device/reader')).length).toBeLessThan(8)
    await pass(60_000)
    expect(device.diagnosis().recoveries).toBe(0)
    expect((await texts(journal, 'device/reader')).length).toBeLessThan(60)
  })

  test.each([
    [
      'throws',
      () => {
        throw new TypeError('broken')
      },
    ],
    ['rejects', () => () => Promise.reject(new Error('broken'))],
    ['answers nothing', () => async () => undefined as never],
  ])('a driver that %s: the caller is told, and the device goes on', async (_, perform) => {
    const { driver, start } = place()
    let broken = true
    const { device } = await start({
      driver: but(driver, { perform: (...given) => (broken ? (perform as () => never)() : driver.perform(...given)) }),
    })
    expect(await device.capture().catch((error) => error)).toBeInstanceOf(Error)
    broken = false
    await device.capture()
  })

  test('a driver all of whose calls throw: unavailable, with pauses', async () => {
    const { driver, start, pass } = place()
    const broken = () => {
      throw new Error('broken')
    }
    const all = { access: broken, connect: broken, perform: broken, probe: broken, recover: broken, watch: broken }
    const { device, state } = await start({ driver: but(driver, all) })
    expect(state()).toBe('unavailable')
    const capture = refused(device.capture())
    await settle()
    await pass(60_000)
    expect(await capture).toMatchObject({ code: 'DEVICE_UNAVAILABLE', retryable: true })
    await device.close()
  })
})

describe('D6', () => {
  test('the node loses its mode while it is idle: denied, says why, and comes back by itself', async () => {
    const { driver, start, pass } = place()
    const { device, state } = await start()
    driver.reader.faults.denied = true
    await pass(60_000)
    expect(state()).toBe('denied')
    expect(device.diagnosis().access).toMatchObject({ node: '/dev/bus/usb/000/001', owner: 'root:root', mode: '0600' })
    const capture = device.capture()
    await pass(10_000)
    expect(await isPending(capture)).toBe(true)
    driver.reader.faults.denied = false
    await pass(2000)
    expect((await capture).width).toBe(260)
    expect(device.diagnosis()).toMatchObject({ device_status: 'online', access: null })
  })

  test('denied for longer than its patience: DEVICE_DENIED with node, owner, mode and rule', async () => {
    const { driver, start, pass } = place()
    driver.reader.faults.denied = true
    const { device } = await start()
    const capture = refused(device.capture())
    await settle()
    await pass(60_000)
    const error = await capture
    expect(error).toMatchObject({ code: 'DEVICE_DENIED', where: { file: '/dev/bus/usb/000/001' } })
    expect(`${error.message} ${error.hint}`).toMatch(/root:root.*0600.*SUBSYSTEM/)
    expect(device.diagnosis().queue_length).toBe(0)
  })

  test('refused by the system though its mode allows it: denied, with what a container lacks for a hint, and left by itself', async () => {
    const { driver, start, pass, journal } = place()
    const node = '/dev/bus/usb/000/001'
    const refusal = { state: 'denied', node, owner: 'root:root', mode: '0666', rule: null } as const
    let refuses = true
    const { device, state } = await start({
      driver: but(driver, { access: (signal) => (refuses ? answers(refusal) : driver.access(signal)) }),
    })
    const before = (await texts(journal, 'device/reader')).length
    const capture = refused(device.capture())
    await settle()
    await pass(60_000)
    expect(state()).toBe('denied')
    expect((await texts(journal, 'device/reader')).length).toBe(before + 2) // the request, and that it was taken back
    const { code, message, hint } = await capture
    expect(code).toBe('DEVICE_DENIED')
    expect(message).toMatch('0666, but the system refuses it')
    expect(hint).toMatch('device_cgroup_rules')
    refuses = false
    await pass(2000)
    expect(state()).toBe('online')
  })
})

describe('D7', () => {
  test('unplugged in mid-capture, plugged in again: the same capture resolves', async () => {
    const { driver, start, pass } = place()
    const { device, state } = await start()
    driver.reader.faults.unplugInTransfer = true
    const capture = device.capture()
    await settle(10)
    expect(state()).toBe('disconnected')
    await pass(10_000)
    driver.reader.plug()
    await settle()
    expect((await capture).pixels).toHaveLength(78_000)
  })

  test('unplugged before the operation itself has noticed, and not repeatable: its caller is told so, not that it was called off', async () => {
    const { driver, start } = place()
    const once = { ...driver.operations, capture: { ...driver.operations.capture, repeatable: false } }
    let tell = (_: 'attached' | 'detached') => {}
    const watch = (listener: typeof tell) => {
      tell = listener
      return () => {}
    }
    const { device } = await start({ driver: { ...driver, operations: once, watch } })
    driver.reader.faults.silent = 1
    const capture = refused(device.capture())
    await settle()
    tell('detached')
    const { code, message } = await capture
    expect(code).toBe('DEVICE_UNAVAILABLE')
    expect(message).toMatch('was unplugged while it worked')
  })

  test('without events it is looked for', async () => {
    const { driver, start, pass } = place()
    const { device, state } = await start({ driver: but(driver, { watch: () => () => {} }) })
    driver.reader.unplug()
    const capture = device.capture()
    await settle()
    expect(state()).toBe('disconnected')
    driver.reader.plug()
    await pass(2000)
    await capture
  })

  test('a device that is away for a month writes nothing', async () => {
    const { driver, start, pass, journal } = place()
    driver.reader.unplug()
    const { state } = await start({ poll: '1h' })
    const before = (await texts(journal, 'device/reader')).length
    await pass(30 * 86_400_000, 3_600_000)
    expect((await texts(journal, 'device/reader')).length).toBe(before)
    driver.reader.plug()
    await settle()
    expect(state()).toBe('online')
  })

  test('twenty times unplugged and plugged in: one handle, one watch, no timer more', async () => {
    const { driver, start, clock } = place()
    const { device } = await start()
    await device.capture()
    const { waiting } = clock
    for (let i = 0; i < 20; i++) {
      driver.reader.unplug()
      await settle()
      driver.reader.plug()
      await settle()
      await device.capture()
    }
    expect(driver.reader).toMatchObject({ handles: 1, opened: 21, listeners: 1 })
    expect(clock.waiting).toBe(waiting)
  })
})

describe('D8', () => {
  test('diagnosis as users know it: maintenance is near from 40 of 50 on', async () => {
    const { start } = place()
    const { device } = await start()
    for (let i = 0; i < 39; i++) await device.capture()
    expect(device.diagnosis()).toMatchObject({ operation_count: 39, last_maintenance: false, device_status: 'online' })
    await device.capture()
    expect(device.diagnosis()).toMatchObject({
      operation_count: 40,
      last_maintenance: true,
      operations_until_refresh: 10,
      activity: 'idle',
      queue_length: 0,
      last_error: null,
      last_operation: { op: 'capture', size: 78_000 },
    })
  })

  test('status$ tells each state, the last one when it is closed, and completes; later it completes at once', async () => {
    const { driver, start } = place()
    const { device } = await start()
    const seen: string[] = []
    let completed = 0
    const observe = () =>
      device.status$.subscribe({ next: (d) => seen.push(d.device_status), complete: () => completed++ })
    observe()
    driver.reader.faults.halted = true
    await device.capture()
    await device.close()
    expect([...new Set(seen)]).toEqual(['online', 'recovering', 'closed'])
    expect(completed).toBe(1)
    observe()
    expect(completed).toBe(2)
  })
})

describe('D9', () => {
  test('a capture is two commits', async () => {
    const { start, journal } = place()
    const { device } = await start()
    await device.capture()
    const before = (await texts(journal, 'device/reader')).length
    for (let i = 0; i < 10; i++) await device.capture()
    expect((await texts(journal, 'device/reader')).length - before).toBe(20)
  })

  test('what an error carries stays out of the journal', async () => {
    const { driver, start, journal } = place()
    const secret = 'the ridges of a finger'
    const leaky = [
      Object.assign(new Error('no'), { pixels: secret }),
      new Error('no', { cause: secret }),
      { pixels: secret },
      secret,
    ]
    const { device } = await start({
      driver: but(driver, { perform: () => () => Promise.reject(leaky.shift()), probe: () => answers(undefined) }),
    })
    const errors = []
    for (let i = 0; i < 4; i++) errors.push(await device.capture().catch((error) => error))
    expect(errors[3]).toBe(secret)
    expect((await texts(journal, 'device/reader')).join()).not.toContain(secret)
  })
})

describe('leaving', () => {
  test('close answers all who wait, frees the device, refuses what comes, may be called twice; it can be opened again', async () => {
    const { driver, start } = place()
    const { device, host } = await start()
    driver.reader.faults.silent = 1
    const waiting = [device.capture(), device.led(true)].map(refused)
    await settle()
    await Promise.all([device.close(), device.close()])
    expect((await Promise.all(waiting)).map(({ code }) => code)).toEqual(['DEVICE_CLOSED', 'DEVICE_CLOSED'])
    for (const call of [device.capture(), device.led(true), device.retry()])
      expect((await refused(call)).code).toBe('DEVICE_CLOSED')
    expect(driver.reader).toMatchObject({ handles: 0, listeners: 0 })
    const again = await createDevice(host, { driver, id: 'reader' })
    await again.capture()
    await host.close()
  })

  test.each(['online', 'operating', 'disconnected', 'denied', 'unavailable', 'recovering', 'connecting'])(
    'close, and a host that is closed first, while it is %s: everybody is answered, nothing stays',
    async (where) => {
      for (const first of ['device', 'host'] as const) {
        const { driver, start, clock, pass } = place()
        const { reader } = driver
        if (where === 'disconnected') reader.unplug()
        if (where === 'denied') reader.faults.denied = true
        const broken = but(driver, {
          ...(where === 'unavailable' && { connect: () => fails('LOCKED') }),
          ...(where === 'connecting' && { connect: () => hangs() }),
        })
        const { device, host, state } = await start({ driver: broken })
        if (where === 'recovering') reader.faults = { halted: true, stubborn: 9 }
        if (where === 'operating') reader.faults.silent = 1
        const capture = where === 'online' ? undefined : refused(device.capture())
        await settle()
        expect(state()).toBe(where === 'operating' ? 'online' : where)
        const closing = first === 'device' ? device.close() : host.close()
        for (let i = 0; i < 10 && (await isPending(closing)); i++) await pass(5000)
        await closing
        expect((await capture)?.code ?? 'DEVICE_CLOSED').toBe('DEVICE_CLOSED')
        await device.close()
        await host.close()
        expect(reader).toMatchObject({ handles: 0, listeners: 0 })
        expect(clock.waiting).toBe(0)
      }
    },
  )

  test('paused and parked: what comes is refused, what waits is answered after its patience, and it goes on after resume', async () => {
    for (const hold of ['pause', 'park'] as const) {
      const { driver, start, pass } = place()
      const { device, host } = await start()
      driver.reader.faults.silent = 1
      const waiting = [device.capture(), device.led(true)].map(refused)
      await settle()
      await host[hold](device.machine, 'reader', by)
      const code = hold === 'pause' ? 'PAUSED' : 'PARKED'
      expect((await refused(device.capture())).code).toBe(code)
      await pass(15_000)
      await pass(60_000)
      expect((await Promise.all(waiting)).map((error) => error.code)).toEqual([code, code])
      await host.resume(device.machine, 'reader', by)
      await pass(10_000)
      expect((await device.capture()).width).toBe(260)
      expect(device.diagnosis()).toMatchObject({ queue_length: 0, interrupted: 2 })
    }
  })

  test('paused while it is refreshed, or probed: what waits is answered after its patience all the same', async () => {
    for (const where of ['refreshing', 'probing'] as const) {
      const { driver, start, pass } = place()
      let slow = false
      const { device, host } = await start({
        driver: but(driver, {
          connect: (signal) => (slow ? hangs() : driver.connect(signal)),
          probe: (signal) => (slow ? hangs() : driver.probe(signal)),
        }),
        maxOperationsBeforeRefresh: 1,
      })
      slow = true
      if (where === 'refreshing') await device.capture()
      else await refused(device.led('on' as never)) // its error is followed by a probe
      const waiting = refused(device.capture())
      await settle()
      expect(device.diagnosis().activity).toBe(where)
      await host.pause(device.machine, 'reader', by)
      await pass(90_000)
      expect(await isPending(waiting)).toBe(false)
      expect((await waiting).code).toBe('PAUSED')
    }
  })

  test('paused and parked: it can be closed, status$ completes, and its host closes', async () => {
    for (const hold of ['pause', 'park'] as const) {
      const { driver, start, clock } = place()
      const { device, host } = await start()
      let completed = 0
      const observing = device.status$.subscribe({ complete: () => completed++ })
      await host[hold](device.machine, 'reader', by)
      await device.close()
      expect(completed).toBe(1)
      expect(observing.closed).toBe(true)
      expect(driver.reader).toMatchObject({ handles: 0, listeners: 0 })
      await host.close()
      expect(clock.waiting).toBe(0)
    }
  })

  test('one that an operator holds, or has ended, is not opened; afterwards it is', async () => {
    const { driver, start } = place()
    const { device, host } = await start()
    await device.close()
    const again = () => createDevice(host, { driver, id: 'reader' })
    for (const [hold, code] of [
      ['pause', 'PAUSED'],
      ['park', 'PARKED'],
    ] as const) {
      await host[hold]('device', 'reader', by)
      expect(await refused(again())).toMatchObject({ code, hint: expect.stringContaining('host.resume') })
      await host.resume('device', 'reader', by)
    }
    await host.stop('device', 'reader', by)
    expect(await refused(again())).toMatchObject({ code: 'CLOSED', hint: expect.stringContaining('host.purge') })
    await host.purge('device', 'reader', by)
    const anew = await again()
    await anew.capture()
    await anew.close()
  })

  test('one id is one device; ids may be odd, but not anything', async () => {
    const { driver, start } = place()
    const { device, host } = await start()
    expect((await refused(createDevice(host, { driver, id: 'reader' }))).code).toBe('BAD_OPTION')
    const odd = await createDevice(host, { driver: { ...driver }, id: '1162:2201 / "ü" @3|x %2f' })
    await odd.capture()
    await odd.close()
    expect((await refused(createDevice(host, { driver: { ...driver }, id: 'a\nb' }))).code).toBe('BAD_ID')
    expect((await refused(createDevice(host, { driver, id: 'b' }))).code).toBe('BAD_OPTION') // it drives one device
    await device.close()
    await createDevice(host, { driver, id: 'b' })
    await host.close()
  })
})
