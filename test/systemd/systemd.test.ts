// S6 against a real socket: what systemd hears, in which order, and that a blocked event loop is not said to turn.
import { spawnSync } from 'node:child_process'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemd } from '../../src/adapters/systemd/index.ts'
import { pingEvery } from '../../src/adapters/systemd/watchdog.ts'
import { recordingLogger } from '../../src/testing/index.ts'
import { noUnhandledRejections } from '../support/host.ts'
import { cannot, type Receiver, receiver } from './receiver.ts'

noUnhandledRejections()

const { PATH } = process.env
let manager: Receiver
let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'duramen-systemd-'))
})
afterEach(() => rm(folder, { recursive: true }))

/** A command systemd-notify that is this script. */
async function command(script: string): Promise<string> {
  await writeFile(join(folder, 'systemd-notify'), `#!/bin/sh\n${script}\n`)
  await chmod(join(folder, 'systemd-notify'), 0o700)
  return folder
}

describe.skipIf(cannot)(`systemd on a real socket${cannot ? ` (skipped: no ${cannot} here)` : ''}`, () => {
  beforeEach(async () => {
    manager = await receiver()
  })
  afterEach(() => manager.close())

  it('S6: hears READY once, STATUS, EXTEND_TIMEOUT_USEC and STOPPING, in order', async () => {
    const service = systemd({ env: { NOTIFY_SOCKET: manager.socket, PATH } })
    service.status('starting: model')
    await manager.heard('STATUS=starting: model')
    service.extend(30_000)
    service.ready()
    service.ready()
    await manager.heard('READY=1')
    service.status('running')
    service.stopping()
    await service.close()
    service.status('never')
    await service.close()
    await manager.heard('STOPPING=1')
    expect(manager.lines()).toEqual([
      'STATUS=starting: model',
      'EXTEND_TIMEOUT_USEC=30000000',
      'READY=1',
      'STATUS=running',
      'STOPPING=1',
    ])
  })

  it('S6: of 1,000 messages none overtakes another, and the last status is what stands', async () => {
    const service = systemd({ env: { NOTIFY_SOCKET: manager.socket, PATH } })
    for (let n = 1; n <= 1_000; n++) {
      service.status(`step ${n}`)
      if (n === 500) service.ready()
      if (n % 100 === 0) await manager.heard(`STATUS=step ${n}`)
    }
    service.stopping()
    await service.close()
    await manager.heard('STOPPING=1')
    const steps = manager.lines().flatMap((line) => /^STATUS=step (\d+)$/.exec(line)?.[1] ?? [])
    expect(steps.map(Number)).toEqual(steps.map(Number).toSorted((a, b) => a - b))
    expect(steps.at(-1)).toBe('1000')
    expect(manager.messages.length).toBeLessThan(100) // what is said while a call is under way is one message
    expect(manager.lines().filter((line) => line === 'READY=1')).toHaveLength(1)
    expect(manager.lines().at(-1)).toBe('STOPPING=1')
  })

  it('S6: pings from ready on, while the event loop turns, and never while it is blocked', async () => {
    const service = systemd({ env: { NOTIFY_SOCKET: manager.socket, PATH, WATCHDOG_USEC: '40000' } })
    service.status('before ready')
    await manager.heard('STATUS=before ready')
    service.ready()
    await manager.heard('WATCHDOG=1')
    const say = (text: string) =>
      spawnSync('systemd-notify', [`STATUS=${text}`], { env: { NOTIFY_SOCKET: manager.socket, PATH } })
    say('blocked')
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500) // 25 pings would have been due
    say('free')
    await manager.heard('STATUS=free')
    const lines = manager.lines()
    const blocked = lines.slice(lines.indexOf('STATUS=blocked'), lines.indexOf('STATUS=free'))
    expect(lines.indexOf('WATCHDOG=1')).toBeGreaterThan(lines.indexOf('READY=1'))
    expect(blocked.filter((line) => line === 'WATCHDOG=1').length).toBeLessThanOrEqual(1) // one was on its way
    const before = manager.lines().length
    while (!manager.lines().slice(before).includes('WATCHDOG=1')) await new Promise((go) => setTimeout(go, 5))
    await service.close()
    say('closed')
    await new Promise((go) => setTimeout(go, 100))
    say('later')
    await manager.heard('STATUS=later')
    expect(manager.lines().slice(-2)).toEqual(['STATUS=closed', 'STATUS=later'])
  })

  it('S6: a status is one line of at most 200 characters: it can not say READY=1', async () => {
    const service = systemd({ env: { NOTIFY_SOCKET: manager.socket, PATH } })
    service.status(`file\nREADY=1\0${'x'.repeat(300)}`)
    await service.close()
    await manager.heard(`STATUS=file\\u000aREADY=1\\u0000${'x'.repeat(200 - 23)}`)
    expect(manager.messages).toHaveLength(1)
  })

  it('S6: what could not be told is told with the next message, and the failure is logged once', async () => {
    const logger = recordingLogger()
    const service = systemd({ env: { NOTIFY_SOCKET: `${folder}/later`, PATH }, logger })
    service.ready()
    while (logger.lines.length === 0) await new Promise((go) => setTimeout(go, 5))
    service.status('still there')
    await new Promise((go) => setTimeout(go, 50))
    const bound = spawnSync('ln', ['-s', manager.socket, `${folder}/later`])
    expect(bound.status).toBe(0)
    await manager.heard('READY=1')
    await manager.heard('STATUS=still there')
    await service.close()
    expect(logger.lines).toHaveLength(1)
    expect(logger.lines[0]).toContain("systemd can't be told")
  })
})

it('refuses an option that there is not', () => {
  expect(() => systemd({ enviroment: {} } as object)).toThrow(expect.objectContaining({ code: 'BAD_OPTION' }))
})

it('does nothing at all, and starts no process, where NOTIFY_SOCKET is not set', async () => {
  const log = join(folder, 'called')
  const path = await command(`echo called >> ${log}`)
  for (const env of [
    { PATH: path, WATCHDOG_USEC: '1000' },
    { PATH: path, NOTIFY_SOCKET: '' },
  ]) {
    const service = systemd({ env })
    service.status('x')
    service.extend(1)
    service.ready()
    service.stopping()
    await new Promise((go) => setTimeout(go, 50))
    await service.close()
  }
  await expect(readFile(log)).rejects.toThrow('ENOENT')
})

it('gives the command the socket and nothing else of the environment', async () => {
  const log = join(folder, 'called')
  const path = await command(`/usr/bin/env > ${log}; echo "$@" >> ${log}`)
  const service = systemd({ env: { PATH: path, NOTIFY_SOCKET: '/there', MONGODB_URI: 'mongodb://u:secret@db' } })
  service.ready()
  await service.close()
  const told = await readFile(log, 'utf8')
  expect(told).toContain('NOTIFY_SOCKET=/there')
  expect(told).toContain('READY=1')
  expect(told).not.toContain('secret')
})

it('says once that the command is missing, with what to install, and goes on', async () => {
  const logger = recordingLogger()
  const service = systemd({ env: { PATH: folder, NOTIFY_SOCKET: '/there', WATCHDOG_USEC: '2000' }, logger })
  service.ready()
  for (let n = 0; n < 20; n++) {
    service.status(`${n}`)
    await new Promise((go) => setTimeout(go, 5))
  }
  await service.close()
  expect(logger.lines).toHaveLength(1)
  expect(logger.lines[0]).toContain('install the package systemd')
})

it('what the command complains of is in the warning', async () => {
  const logger = recordingLogger()
  const path = await command('echo no such manager >&2; exit 3')
  const service = systemd({ env: { PATH: path, NOTIFY_SOCKET: '/there' }, logger })
  service.ready()
  await service.close()
  expect(logger.lines).toEqual([expect.stringContaining('no such manager')])
})

it('S6: pings at half of WATCHDOG_USEC, and only if it is for this very process', () => {
  expect(pingEvery({ WATCHDOG_USEC: '30000000' }, 5)).toBe(15_000)
  expect(pingEvery({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '5' }, 5)).toBe(15_000)
  expect(pingEvery({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '6' }, 5)).toBeUndefined()
  expect(pingEvery({ WATCHDOG_USEC: '1' }, 5)).toBe(1)
  expect(pingEvery({ WATCHDOG_USEC: `${2 ** 60}` }, 5)).toBe(2 ** 31 - 1)
  for (const odd of ['', '0', '-1', 'x', undefined]) expect(pingEvery({ WATCHDOG_USEC: odd }, 5)).toBeUndefined()
})
