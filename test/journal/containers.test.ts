// K2 K10 with real namespaces of pids: processes of two containers that have one host name and one folder.
import { spawn } from 'node:child_process'
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { must } from '../../src/testing/journal/case.ts'
import { compiledJournal } from './compiled.ts'
import { contained, noContainer, signalInside } from './container.ts'
import { newFolder, openIn } from './folder.ts'

const compiled = compiledJournal()

/** A process with a journal, alone in its namespace of pids. */
function begin(folder: string, what = 'hold') {
  const child = spawn(...contained(process.execPath, join(import.meta.dirname, 'child.mjs'), compiled, folder, what), {
    stdio: ['ignore', 'pipe', 'ignore'], // some versions of unshare complain of signals
  })
  let output = ''
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const said = new Promise<string>((resolve) => {
    child.stdout.on('data', (chunk) => {
      output += chunk
      if (output.includes('\n')) resolve(output.split('\n')[0]!)
    })
    void ended.then(() => resolve(output))
  })
  const signal = (name: NodeJS.Signals) => signalInside(child, name)
  onTestFinished(async () => {
    await signal('SIGKILL')
    await ended
  })
  return { said, ended, signal }
}

const kill = async (one: ReturnType<typeof begin>) => {
  await one.signal('SIGKILL')
  await one.ended
}
const locked = (folder: string) => readFile(join(folder, 'lock'), 'utf8').then(JSON.parse)
const ofLock = async (folder: string) => (await readdir(folder)).filter((name) => name.startsWith('lock')).sort()

describe.skipIf(noContainer !== undefined)(`two containers${noContainer ? ` (${noContainer})` : ''}`, () => {
  test.each([
    ['a short path', []],
    ['a path that is longer than that of a socket may be', ['a'.repeat(60), 'b'.repeat(60), 'c'.repeat(60)]],
  ])(
    'K2 the second is refused, also while the first is stopped; K10 a killed one is followed; on %s',
    async (_, names) => {
      const folder = join(await newFolder(), ...names)
      await mkdir(folder, { recursive: true })
      const first = begin(folder)
      expect(await first.said).toBe('open')
      expect(await begin(folder).said).toBe('LOCKED undefined') // no pid that somebody could take for one of his
      await first.signal('SIGSTOP')
      expect(await begin(folder).said).toBe('LOCKED undefined')
      const lock = await locked(folder)
      await expect(openIn(folder)).rejects.toMatchObject({
        code: 'LOCKED',
        message: expect.stringContaining(
          `held by process ${lock.pid} in another container (pid namespace) on ${hostname()}`,
        ),
        where: { file: join(folder, 'lock'), host: hostname() },
        hint: expect.stringContaining('taken over by itself'),
      })
      await first.signal('SIGCONT')
      expect(await locked(folder)).toEqual(lock)
      await kill(first)
      expect(await ofLock(folder)).toEqual(['lock', lock.socket])
      const next = begin(folder) // the container that is started again
      expect(await next.said).toBe('open')
      const { socket } = await locked(folder)
      expect(await ofLock(folder)).toEqual(['lock', socket])
      await kill(next)
      const here = await openIn(folder)
      await must(here.close())
      expect(await ofLock(folder)).toEqual([])
    },
  )

  test('K2 a process out here is not taken for dead in a container', async () => {
    const folder = await newFolder()
    const journal = await openIn(folder)
    expect(await begin(folder).said).toBe('LOCKED undefined')
    await must(journal.close())
    expect(await begin(folder).said).toBe('open')
  })

  test('K2 of containers that all find a dead lock, one takes it over', { timeout: 120_000 }, async () => {
    const folder = await newFolder()
    for (let round = 0; round < (process.env.DURAMEN_SOAK ? 50 : 3); round++) {
      const before = begin(folder)
      expect(await before.said).toBe('open')
      await kill(before)
      const all = [begin(folder), begin(folder), begin(folder)]
      const said = await Promise.all(all.map((one) => one.said))
      expect(said.sort()).toEqual(['LOCKED undefined', 'LOCKED undefined', 'open'])
      const { socket } = await locked(folder)
      expect(await ofLock(folder)).toEqual(['lock', socket])
      await Promise.all(all.map(kill))
    }
  })
})
