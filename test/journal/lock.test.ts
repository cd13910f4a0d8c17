import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { createServer, Server } from 'node:net'
import { hostname, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { acquireLock } from '../../src/journal/lock.ts'
import { compiledJournal } from './compiled.ts'

const compiled = compiledJournal()

let folder: string
let file: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'duramen-lock-'))
  file = join(folder, 'lock')
})
afterEach(() => rm(folder, { recursive: true }))

const left = async () => JSON.parse(await readFile(file, 'utf8'))
const leave = async (change: object) => {
  await rm(file, { force: true })
  const lock = await acquireLock(file)
  const content = JSON.stringify({ ...(await left()), ...change })
  await lock.release()
  await writeFile(file, content)
}
const ended = async () => {
  const child = spawn(process.execPath, ['-e', ''])
  await exit(child)
  return child.pid
}
const exit = (child: ChildProcess) => new Promise((resolve) => child.once('exit', resolve))

describe('K2 a lock has one holder', () => {
  test('a second holder in the same process is refused and told who holds it', async () => {
    const lock = await acquireLock(file)
    await expect(acquireLock(file)).rejects.toMatchObject({
      code: 'LOCKED',
      message: expect.stringMatching(new RegExp(`process ${process.pid} on ${hostname()} since 20`)),
      where: { file, pid: process.pid, host: hostname() },
    })
    await lock.release()
  })

  test('of many at once one gets it', async () => {
    const all = await Promise.allSettled(Array.from({ length: 20 }, () => acquireLock(file)))
    expect(all.filter((one) => one.status === 'fulfilled')).toHaveLength(1)
  })

  test('it is private and leaves no other file (K12)', async () => {
    await acquireLock(file)
    const { socket } = await left()
    const files = ['lock', ...(socket === undefined ? [] : [socket])]
    expect((await readdir(folder)).sort()).toEqual(files)
    for (const name of files) expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600)
  })

  test('a lock of another host is never taken, the hint says how to remove it', async () => {
    await leave({ host: 'elsewhere', pid: 1, bootId: 'other' })
    await expect(acquireLock(file)).rejects.toMatchObject({
      code: 'LOCKED',
      where: { host: 'elsewhere', pid: 1 },
      hint: expect.stringContaining(`remove ${file}`),
    })
  })
})

describe('K10 release', () => {
  test('after it the lock is free, and it may be called twice', async () => {
    const first = await acquireLock(file)
    await first.release()
    const second = await acquireLock(file)
    await first.release()
    await expect(acquireLock(file)).rejects.toMatchObject({ code: 'LOCKED' })
    await second.release()
    expect(await readdir(folder)).toEqual([])
  })

  test('it does not remove a lock that someone else put there', async () => {
    const lock = await acquireLock(file)
    await writeFile(file, 'other')
    await lock.release()
    expect(await readFile(file, 'utf8')).toBe('other')
  })
})

describe('K10 a stale lock is taken over', () => {
  test('when its process has ended', async () => {
    await leave({ pid: await ended() })
    const lock = await acquireLock(file)
    expect(await left()).toMatchObject({ pid: process.pid })
    await lock.release()
    expect(await readdir(folder)).toEqual([])
  })

  test('when its process was killed', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
    await leave({ pid: child.pid, processStart: undefined })
    await expect(acquireLock(file)).rejects.toMatchObject({ code: 'LOCKED', where: { pid: child.pid } })
    const gone = exit(child)
    child.kill('SIGKILL')
    await gone
    await acquireLock(file)
  })

  test.skipIf(process.platform !== 'linux')('when its pid belongs to another process by now', async () => {
    await leave({ pid: 1, processStart: '-1' })
    await acquireLock(file)
  })

  test.skipIf(process.platform !== 'linux')('when the machine was started again', async () => {
    await leave({ bootId: 'before' })
    await acquireLock(file)
  })

  test('when it is empty or torn', async () => {
    for (const content of ['', '{"pid":1', 'null', '{"pid":0,"host":"x"}']) {
      await writeFile(file, content)
      const lock = await acquireLock(file)
      await lock.release()
    }
  })

  test('by one of many takers, also when an earlier taker crashed half-way', async () => {
    for (let round = 0; round < 20; round++) {
      await leave({ pid: await ended(), round })
      const all = await Promise.allSettled(Array.from({ length: 5 }, () => acquireLock(file)))
      const winners = all.filter((one) => one.status === 'fulfilled')
      expect(winners).toHaveLength(1)
      await winners[0]?.value.release()
      expect(await readdir(folder)).toEqual([])
    }
  })
})

describe.skipIf(process.platform !== 'linux')('K2 K10 a holder whose pid is none of here', () => {
  const elsewhere = 'pid:[1]'
  const listening = async (name: string) => {
    const server = createServer((caller) => caller.destroy())
    await new Promise<void>((resolve) => server.listen(join(folder, name), resolve))
    onTestFinished(() => void server.close())
    return server
  }
  /** A socket at which nobody listens any more, as the kill of its process leaves it. */
  const dead = async (name: string) => {
    const server = await listening(`${name}.before`)
    await rename(join(folder, `${name}.before`), join(folder, name))
    await new Promise((resolve) => server.close(resolve))
  }

  test('has it while somebody listens at its socket; a program is not told a pid that is another one here', async () => {
    await leave({ pidNamespace: elsewhere, socket: 'lock.00000001.sock' })
    await listening('lock.00000001.sock')
    const refused = await acquireLock(file).catch((error) => error)
    expect(refused).toMatchObject({
      code: 'LOCKED',
      message: expect.stringContaining(`process ${process.pid} in another container (pid namespace) on ${hostname()}`),
      hint: expect.stringContaining('taken over by itself'),
    })
    expect(refused.where).toEqual({ file, host: hostname() })
    expect((await readdir(folder)).sort()).toEqual(['lock', 'lock.00000001.sock'])
  })

  test('has it no more once that refuses, or is gone; whoever comes next removes what dead ones left, and nothing else', async () => {
    for (const socket of ['lock.00000002.sock', 'lock.00000003.sock']) {
      await leave({ pidNamespace: elsewhere, socket })
      await dead('lock.00000002.sock')
      await dead('lock.0000000a.sock')
      await dead('locks.00000000.sock')
      await listening('lock.00000004.sock') // of one who is about to find the lock taken
      const lock = await acquireLock(file)
      const own = (await left()).socket
      const others = ['lock.00000004.sock', 'locks.00000000.sock']
      expect((await readdir(folder)).sort()).toEqual(['lock', ...others, own].sort())
      await lock.release()
      expect((await readdir(folder)).sort()).toEqual(others)
      for (const name of others) await rm(join(folder, name))
    }
  })

  test('leaves no draft of a socket for ever, and never takes one that is new', async () => {
    for (const name of ['lock.new-00000001.sock', 'lock.new-00000002.sock', 'locks.new-00000003.sock']) await dead(name)
    await listening('lock.new-00000004.sock')
    const long = new Date(Date.now() - 60_000)
    for (const name of ['lock.new-00000001.sock', 'locks.new-00000003.sock', 'lock.new-00000004.sock'])
      await utimes(join(folder, name), long, long)
    await (await acquireLock(file)).release()
    expect((await readdir(folder)).sort()).toEqual([
      'lock.new-00000002.sock', // of one who is about to listen
      'lock.new-00000004.sock',
      'locks.new-00000003.sock',
    ])
  })

  test('has a socket whose drafts a filter for .sock leaves out of copies, too', async () => {
    const listen = vi.spyOn(Server.prototype, 'listen')
    onTestFinished(() => listen.mockRestore())
    await acquireLock(file)
    expect(listen.mock.calls).toEqual([
      [expect.objectContaining({ path: expect.stringMatching(/\.sock$/) }), expect.anything()],
    ])
  })

  test('has it where it could make no socket; the hint says how to remove it', async () => {
    await leave({ pidNamespace: elsewhere, socket: undefined })
    await expect(acquireLock(file)).rejects.toMatchObject({
      code: 'LOCKED',
      hint: expect.stringContaining(`remove ${file} by hand`),
    })
  })

  test('has it no more when the machine was started again', async () => {
    await leave({ pidNamespace: elsewhere, socket: undefined, bootId: 'before' })
    await (await acquireLock(file)).release()
  })

  test('a lock that says nothing of containers is judged by its pid: an earlier version wrote it', async () => {
    await leave({ pidNamespace: undefined, socket: undefined })
    await expect(acquireLock(file)).rejects.toMatchObject({ code: 'LOCKED', where: { pid: process.pid } })
    await leave({ pidNamespace: undefined, socket: undefined, pid: await ended() })
    await acquireLock(file)
  })
})

test.skipIf(process.platform !== 'linux')(
  'K2 K10 a thread of this process has it until it is terminated, also where its socket was removed',
  async () => {
    const code = `const { parentPort, workerData } = require('node:worker_threads')
      import(workerData.module).then(({ fileJournal }) => fileJournal(workerData.folder)).then(() => parentPort.postMessage('open'))
      setInterval(() => {}, 1000)`
    const thread = new Worker(code, { eval: true, workerData: { module: compiled, folder } })
    await new Promise((resolve, reject) => thread.once('message', resolve).once('error', reject))
    await expect(acquireLock(file)).rejects.toMatchObject({ code: 'LOCKED', where: { pid: process.pid } })
    const socket = join(folder, (await left()).socket)
    await rename(socket, `${socket}.away`)
    await expect(acquireLock(file)).rejects.toMatchObject({ code: 'LOCKED', where: { pid: process.pid } })
    await rename(`${socket}.away`, socket)
    await thread.terminate()
    await (await acquireLock(file)).release()
  },
)

test('a missing folder is named', async () => {
  await expect(acquireLock(join(folder, 'no', 'lock'))).rejects.toMatchObject({ code: 'FOLDER_MISSING' })
})

const DIE = 'require("net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))'

test('K10 a socket of a dead holder goes without harm to how Node finds packages behind links', async () => {
  await mkdir(join(folder, 'store/one'), { recursive: true })
  await mkdir(join(folder, 'node_modules'))
  await writeFile(join(folder, 'store/one/package.json'), '{ "name": "one", "exports": "./index.js" }')
  await writeFile(join(folder, 'store/one/index.js'), '')
  await symlink('../store/one', join(folder, 'node_modules/one'))
  const socket = join(folder, 'lock.0badcafe.sock')
  await exit(spawn(process.execPath, ['-e', DIE, socket]))
  expect(await readdir(folder)).toContain('lock.0badcafe.sock')
  const script = `import { acquireLock } from '${pathToFileURL(join(dirname(compiled), 'lock.js'))}'
    await acquireLock(process.argv[2])
    console.log(import.meta.resolve('one'))`
  await writeFile(join(folder, 'take.mjs'), script)
  const { stdout } = await promisify(execFile)(process.execPath, [join(folder, 'take.mjs'), file])
  expect(stdout.trim()).toMatch(/\/store\/one\/index\.js$/)
  expect(await readdir(folder)).not.toContain('lock.0badcafe.sock')
})
