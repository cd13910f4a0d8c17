// V1i with real namespaces of pids: two containers with one host name and one state folder.
import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { contained, noContainer, signalInside } from '../journal/container.ts'
import { lines, MAIN, newFolder, statusIn, watched } from './supervised.ts'

it.skipIf(noContainer !== undefined)(
  `V1i a second container with the state folder of one that runs is refused; one that was killed is followed${noContainer ? ` (${noContainer})` : ''}`,
  async () => {
    const folder = await newFolder()
    const state = join(folder, 'state')
    const begin = () => {
      const command = [MAIN, 'supervise', '--state', state, '--restart-delay', '20ms', '--', 'sh', '-c']
      const child = spawn(...contained(process.execPath, ...command, 'echo $$ >> pids; exec sleep 300'), {
        cwd: folder,
        env: { PATH: process.env.PATH },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      const one = watched(child)
      onTestFinished(async () => {
        await signalInside(child, 'SIGKILL')
        await one.ended
      })
      return one
    }
    const first = begin()
    await lines(join(folder, 'pids'), 1)
    const second = begin()
    expect((await second.ended).code).toBe(1)
    expect(second.output.stderr).toContain('in another container (pid namespace)')
    expect(await readFile(join(folder, 'pids'), 'utf8')).toMatch(/^\d+\n$/)
    expect(await statusIn(state)).toMatchObject({ state: 'running', restarts: 0 })
    await signalInside(first.process, 'SIGKILL')
    await first.ended
    const next = begin() // its count goes on
    await lines(join(folder, 'pids'), 2)
    await next.says('started, pid')
    expect(await statusIn(state)).toMatchObject({ state: 'running', restarts: 1 })
  },
)
