// V1: the supervisor itself is killed, at any moment: its count is kept, and there are never two of its program.

import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { lines, livingOf, newFolder, type Supervised, statusIn, supervise } from './supervised.ts'

const linux = it.runIf(process.platform === 'linux')
const ROUNDS = process.env.DURAMEN_SOAK ? 60 : 8

const killed = async (one: Supervised) => {
  one.process.kill('SIGKILL')
  expect((await one.ended).signal).toBe('SIGKILL')
}

it('V1 a supervisor that is killed and started again keeps its count: each time is a failure, until it gives up', async () => {
  const folder = await newFolder()
  const pids = join(folder, 'pids')
  const begin = () => supervise(folder, ['--max-restarts', '2'], ['sh', '-c', 'echo $$ >> pids; exec sleep 300'])
  for (let round = 1; round <= 3; round++) {
    const one = begin()
    expect(await lines(pids, round)).toHaveLength(round)
    expect(await livingOf(pids)).toHaveLength(1)
    await one.says('started, pid')
    await killed(one)
  }
  const last = begin()
  expect(await last.ended).toEqual({ code: 3, signal: null })
  expect(last.output.stderr).toContain('CRITICAL: app was restarted 2 times')
  expect(await livingOf(pids)).toEqual([])
})

linux('V1i killed between the spawn and its record: what it began is found by its mark, and ended first', async () => {
  const folder = await newFolder()
  const pids = join(folder, 'pids')
  const dying = `import fs from 'node:fs'; import { syncBuiltinESMExports } from 'node:module'
    const { renameSync } = fs
    fs.renameSync = (from, to) => to.endsWith('child.json') ? process.kill(process.pid, 'SIGKILL') : renameSync(from, to)
    syncBuiltinESMExports()`
  const env = { NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(dying)}` }
  const command = ['sh', '-c', 'echo $$ >> pids; exec sleep 300']
  expect((await supervise(folder, [], command, env).ended).signal).toBe('SIGKILL')
  const [left] = await lines(pids, 1)
  await expect(stat(join(folder, '.duramen/supervise/app/child.json'))).rejects.toThrow('ENOENT')
  const next = supervise(folder, [], command)
  await lines(pids, 2)
  expect(await livingOf(pids)).not.toContain(Number(left))
  next.process.kill('SIGTERM')
  expect(await next.ended).toEqual({ code: 0, signal: null })
  expect(await livingOf(pids)).toEqual([])
})

linux.each([
  ['that stays', 'exec sleep 300'],
  ['that fails again and again', 'sleep 0.0$(($$ % 5)); exit 1'],
  ['that ignores SIGTERM and leaves its group', 'trap "" TERM; setsid sleep 300 & wait'],
])('V1i killed at any moment, over and over, there are never two of a program %s', async (_, script) => {
  const folder = await newFolder()
  const pids = join(folder, 'pids')
  // the lock is held by all that the program begins, until the last of them has ended
  const command = ['sh', '-c', `exec 9> lock; flock -n 9 || echo $$ >> two; echo $$ >> pids; ${script}`]
  const begin = () => supervise(folder, ['--max-restarts', '1000', '--stop-timeout', '50ms'], command)
  for (let round = 0; round < ROUNDS; round++) {
    const one = begin()
    await one.says('looked after')
    await sleep(Math.random() * 150)
    await killed(one)
  }
  const started = (await lines(pids, 0)).length // none, where each was killed before it began
  const last = begin()
  await lines(pids, started + 1)
  await last.says('started, pid')
  expect(await readFile(join(folder, 'two'), 'utf8').catch(() => 'none')).toBe('none')
  const { restarts } = await statusIn(join(folder, '.duramen/supervise/app'))
  expect(restarts).toBeGreaterThanOrEqual(started)
  last.process.kill('SIGTERM')
  expect(await last.ended).toEqual({ code: 0, signal: null })
  expect(await livingOf(pids)).toEqual([])
})
