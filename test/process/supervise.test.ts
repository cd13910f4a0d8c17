// V1: `duramen supervise` with real programs: what it ends with, what it leaves, what it passes on.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { expect, it } from 'vitest'
import { askControl } from '../../src/adapters/process/control.ts'
import { processTable } from '../../src/adapters/process/table.ts'
import { told } from '../../src/cli/control.ts'
import { environmentFor } from '../../src/cli/supervise/environment.ts'
import { openHost } from '../../src/index.ts'
import { fileJournal } from '../../src/journal/index.ts'
import { start } from '../cli/command.ts'
import { noSmallDisk, smallDisk } from '../journal/disk.ts'
import { by, quiet } from '../support/host.ts'
import { counter } from '../support/machines.ts'
import { lines, livingOf, MAIN, newFolder, statusIn, supervise, watched } from './supervised.ts'

const linux = it.runIf(process.platform === 'linux')
const stateIn = (folder: string) => join(folder, '.duramen', 'supervise', 'app')

/** Writes its pid into `pids`, and stays. */
const STAYS = ['sh', '-c', 'echo $$ >> pids; exec sleep 300']

it('V1 a program that fails too often is given up as CRITICAL with exit code 3, whatever its own is', async () => {
  const folder = await newFolder()
  const one = supervise(
    folder,
    ['--max-restarts', '3'],
    ['sh', '-c', 'echo $$ >> pids; echo out; echo err >&2; exit 9'],
  )
  expect(await one.ended).toEqual({ code: 3, signal: null })
  expect(await lines(join(folder, 'pids'), 4)).toHaveLength(4)
  expect(one.output.stdout).toBe('out\n'.repeat(4))
  expect(one.output.stderr).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d - app - INFO - /)
  expect(one.output.stderr).toContain('CRITICAL: app was restarted 3 times')
  expect((await readFile(join(stateIn(folder), 'logs', 'output.log'), 'utf8')).match(/out|err/g)).toHaveLength(8)
})

it('V1 who is told of CRITICAL hears of it once; the supervisor’s own lines are JSON where that is asked for, and show no secret', async () => {
  const folder = await newFolder()
  const told: string[] = []
  const people = createServer(async (request, response) => {
    told.push(await text(request))
    response.end()
  }).listen(0, '127.0.0.1')
  await once(people, 'listening')
  const { port } = people.address() as AddressInfo
  const one = supervise(folder, ['--max-restarts', '0', '--json'], ['false', '--pin', 'secret'], {
    DURAMEN_WEBHOOK: `http://127.0.0.1:${port}/secret`,
  })
  expect(await one.ended).toEqual({ code: 3, signal: null })
  people.close()
  expect(told.map((body) => JSON.parse(body))).toEqual([{ text: expect.stringContaining('CRITICAL: app has ended') }])
  const said = one.output.stderr.trim().split('\n')
  expect(said.map((line) => JSON.parse(line).name)).toEqual(said.map(() => 'app'))
  expect(await readFile(join(stateIn(folder), 'logs', 'supervise.log'), 'utf8')).toBe(one.output.stderr)
  expect(one.output.stderr).not.toContain('secret')
})

it('V1 what can not be done is refused before anything is run', async () => {
  const folder = await newFolder()
  const ends = async (...options: string[]) => {
    const one = supervise(folder, options, STAYS)
    return [(await one.ended).code, one.output.stderr]
  }
  expect(await ends('--email', 'ops@example.org')).toEqual([1, expect.stringContaining('--smtp')])
  expect(await ends('--webhook', 'http://example.org')).toEqual([1, expect.stringContaining('https')])
  expect(await ends('--dev', '--prod')).toEqual([2, expect.stringContaining('--prod')])
  expect(await ends('--name', '../up')).toEqual([2, expect.stringContaining('plain name')])
  await writeFile(join(folder, 'file'), '')
  expect(await ends('--state', 'file')).toEqual([1, expect.stringContaining('state folder')])
  expect(await readdir(folder)).toEqual(['file'])
})

it('V1 variables that are empty are not set', async () => {
  const empty = { DURAMEN_WEBHOOK: '', DURAMEN_SMTP: '', DURAMEN_EMAIL_FROM: '' }
  expect(await supervise(await newFolder(), [], ['true'], empty).ended).toEqual({ code: 0, signal: null })
})

it('V1 a program that ends with code 0 is not started again: exit code 0', async () => {
  const folder = await newFolder()
  const one = supervise(folder, [], ['sh', '-c', 'echo $$ >> pids'])
  expect(await one.ended).toEqual({ code: 0, signal: null })
  expect(await lines(join(folder, 'pids'), 1)).toHaveLength(1)
})

it.each([
  ['is missing', 'not-there', "no program 'not-there'"],
  ['is not executable', './plain', 'chmod +x'],
  ['is a folder', './folder', 'is a folder'],
])('V1 a program that %s is given up at once, with what to do', async (_, command, hint) => {
  const folder = await newFolder()
  await writeFile(join(folder, 'plain'), '')
  await mkdir(join(folder, 'folder'))
  const one = supervise(folder, [], [command])
  expect(await one.ended).toEqual({ code: 3, signal: null })
  expect(one.output.stderr).toContain(hint)
})

it.each(['SIGTERM', 'SIGINT'] as const)(
  'V1j %s ends the program with all that it has begun: exit code 0',
  async (signal) => {
    const folder = await newFolder()
    const script =
      'sleep 300 & echo $! >> pids; (trap "" TERM; echo $$ >> pids; exec setsid sleep 300) & echo $$ >> pids; wait'
    const one = supervise(folder, [], ['sh', '-c', script])
    await lines(join(folder, 'pids'), 3)
    one.process.kill(signal)
    one.process.kill(signal) // npm and terminals say it twice
    expect(await one.ended).toEqual({ code: 0, signal: null })
    expect(await livingOf(join(folder, 'pids'))).toEqual([])
    expect(await readdir(stateIn(folder))).toEqual(['id', 'journal', 'logs'])
  },
)

// a SIGTERM from within, at a moment that is not left to chance
const AT = {
  'while its modules load': `import { register } from 'node:module'
    register('data:text/javascript,' + encodeURIComponent(\`
      export const load = (url, context, next) => {
        if (url.endsWith('/cli/supervise/supervise.js')) process.kill(process.pid, 'SIGTERM')
        return next(url, context)
      }\`))`,
  'before its first wait': `import fs from 'node:fs'
    import { syncBuiltinESMExports } from 'node:module'
    const { realpathSync } = fs
    fs.realpathSync = (path) => {
      if (path.endsWith('/supervise/app')) process.kill(process.pid, 'SIGTERM')
      return realpathSync(path)
    }
    syncBuiltinESMExports()`,
}
it.each(Object.entries(AT))('V1 a SIGTERM %s: exit code 0, and the program is never started', async (_, script) => {
  const folder = await newFolder()
  await writeFile(join(folder, 'at.mjs'), script)
  const more = { NODE_OPTIONS: `--import=${pathToFileURL(join(folder, 'at.mjs'))}` }
  const one = supervise(folder, [], ['sh', '-c', 'echo $$ >> pids'], more)
  expect(await one.ended).toEqual({ code: 0, signal: null })
  expect(await readdir(folder)).not.toContain('pids')
})

it('V1 a second signal ends it at once: exit code 128 and its number', async () => {
  const folder = await newFolder()
  const script = 'trap "echo asked >> asked" TERM; echo $$ >> pids; while :; do sleep 0.05; done'
  const one = supervise(folder, ['--stop-timeout', '1h'], ['sh', '-c', script])
  await lines(join(folder, 'pids'), 1)
  one.process.kill('SIGTERM')
  await lines(join(folder, 'asked'), 1)
  await sleep(300) // what follows sooner is the same keypress
  one.process.kill('SIGTERM')
  expect(await one.ended).toEqual({ code: 143, signal: null })
  while ((await livingOf(join(folder, 'pids'))).length > 0) await sleep(20) // SIGKILL takes a moment
})

it('V1j a second signal also ends what ignores SIGTERM where the program itself has ended', async () => {
  const folder = await newFolder()
  const script =
    '(trap "" TERM; echo > ready; exec sleep 300) & echo $! >> pids; while [ ! -e ready ]; do sleep 0.02; done; echo $$ >> pids; wait'
  const one = supervise(folder, ['--stop-timeout', '1h'], ['sh', '-c', script])
  const program = (await lines(join(folder, 'pids'), 2))[1]
  one.process.kill('SIGTERM')
  while ((await livingOf(join(folder, 'pids'))).includes(Number(program))) await sleep(20)
  await sleep(300) // what follows sooner is the same keypress
  one.process.kill('SIGTERM')
  expect(await one.ended).toEqual({ code: 143, signal: null })
  while ((await livingOf(join(folder, 'pids'))).length > 0) await sleep(20) // as above
})

it('V1 SIGHUP, SIGUSR1 and SIGUSR2 are the program’s', async () => {
  const folder = await newFolder()
  const script =
    'for s in HUP USR1 USR2; do trap "echo $s >> got" $s; done; echo $$ >> pids; while :; do sleep 0.05; done'
  const one = supervise(folder, [], ['sh', '-c', script])
  await lines(join(folder, 'pids'), 1)
  for (const [at, signal] of (['SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const).entries()) {
    one.process.kill(signal)
    await lines(join(folder, 'got'), at + 1)
  }
  expect(await lines(join(folder, 'got'), 3)).toEqual(['HUP', 'USR1', 'USR2'])
  one.process.kill('SIGTERM')
  expect(await one.ended).toEqual({ code: 0, signal: null })
})

linux('V1j Ctrl+C in a terminal gives 0 and leaves nothing; a terminal that is closed leaves nothing', async () => {
  for (const end of ['type', 'close'] as const) {
    const folder = await newFolder()
    // exec: Ctrl+C goes to everything in the terminal's foreground, and a dash that waits there ends by it
    const command = `exec ${process.execPath} ${MAIN} supervise -- sh -c 'echo $$ >> pids; sleep 300 & echo $! >> pids; wait'`
    const terminal = spawn('script', ['-qefc', command, '/dev/null'], {
      cwd: folder,
      env: { ...process.env, SHELL: '/bin/sh' },
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const one = watched(terminal)
    await lines(join(folder, 'pids'), 2)
    if (end === 'type') {
      terminal.stdin!.write('\x03')
      expect(await one.ended).toEqual({ code: 0, signal: null })
    } else {
      terminal.kill('SIGKILL')
      await one.ended
      while ((await livingOf(join(folder, 'pids'))).length > 0) await sleep(20)
    }
    expect(await livingOf(join(folder, 'pids'))).toEqual([])
  }
})

it('V1 two supervisors never have one state folder: the second is refused and told what to do', async () => {
  const folder = await newFolder()
  const first = supervise(folder, [], STAYS)
  await lines(join(folder, 'pids'), 1)
  const second = supervise(folder, [], STAYS)
  expect(await second.ended).toEqual({ code: 1, signal: null })
  expect(second.output.stderr).toContain(`process ${first.pid}`)
  expect(second.output.stderr).toContain('--name')
  const third = supervise(folder, ['--name', 'other'], STAYS)
  expect(await lines(join(folder, 'pids'), 2)).toHaveLength(2)
  for (const one of [first, third]) one.process.kill('SIGTERM')
  expect(await Promise.all([first.ended, third.ended])).toEqual([
    { code: 0, signal: null },
    { code: 0, signal: null },
  ])
})

it('V1 a lock of another host, as of a container that was made anew: that host is named, and no pid of here', async () => {
  const folder = await newFolder()
  const lock = join(stateIn(folder), 'journal', 'lock')
  await mkdir(dirname(lock), { recursive: true })
  await writeFile(lock, JSON.stringify({ pid: 7, host: 'elsewhere', since: '2026-01-01T00:00:00.000Z' }))
  const one = supervise(folder, [], STAYS)
  expect(await one.ended).toEqual({ code: 1, signal: null })
  expect(one.output.stderr).toContain('process 7 on elsewhere')
  expect(one.output.stderr).toContain(`remove ${lock} by hand`)
  expect(one.output.stderr).not.toContain('Another supervisor')
})

it('V1l the control socket: status, a restart that does not count, stop', async () => {
  const folder = await newFolder()
  const one = supervise(folder, ['--max-restarts', '0'], STAYS)
  const [pid] = await lines(join(folder, 'pids'), 1)
  await one.says('started, pid')
  expect(await statusIn(stateIn(folder))).toMatchObject({
    state: 'running',
    pid: Number(pid),
    restarts: 0,
  })
  await askControl(stateIn(folder), { do: 'restart', why: 'new settings' })
  await lines(join(folder, 'pids'), 2)
  await one.says('new settings')
  await askControl(stateIn(folder), { do: 'stop' })
  expect(await one.ended).toEqual({ code: 0, signal: null })
  expect(await livingOf(join(folder, 'pids'))).toEqual([])
  await expect(askControl(stateIn(folder), { do: 'status' })).rejects.toMatchObject({ code: 'CLOSED' })
})

it('V1l duramen control: status, restart and stop from a shell; 1 where nobody answers', async () => {
  const folder = await newFolder()
  const one = supervise(folder, ['--max-restarts', '0'], STAYS)
  const [pid] = await lines(join(folder, 'pids'), 1)
  await one.says('started, pid')
  const ask = (...args: string[]) => start(['control', ...args], { main: MAIN, cwd: folder }).ended
  expect(await ask('status')).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(new RegExp(`^app: running, pid ${pid}, since 20.*Z, 0 of 0 restarts\n$`)),
    stderr: '',
  })
  expect(await ask('status', '--why', 'so')).toMatchObject({ code: 2, stdout: '' })
  expect((await ask('restart', '--state', stateIn(folder), '--why', 'new settings')).code).toBe(0)
  await one.says('new settings')
  await lines(join(folder, 'pids'), 2)
  const { code, stdout } = await ask('stop', '--why', 'for the night', '--json')
  expect({ code, id: JSON.parse(stdout).id }).toEqual({ code: 0, id: 'app' })
  expect(await one.ended).toEqual({ code: 0, signal: null })
  expect(one.output.stderr).toContain('for the night: app is ended')
  const nobody = await ask('status', '--json')
  expect(nobody).toMatchObject({ code: 1, stdout: '' })
  expect(JSON.parse(nobody.stderr).error.code).toBe('CLOSED')
})

it('V1l duramen control tells how the last run ended, when the next begins, and what is to be done', () => {
  const status = {
    id: 'app',
    state: 'waiting',
    pid: null,
    startedAt: null,
    nextStartAt: 0,
    restarts: 3,
    maxRestarts: 10,
    lastExit: { code: null, signal: 'SIGSEGV' },
    problem: { code: 'CHILD_FAILED', message: 'Could not\nstart it', hint: 'Mend the command.' },
  } as const
  expect(told(status)).toEqual([
    'app: waiting, starts again at 1970-01-01T00:00:00.000Z, 3 of 10 restarts, the last run ended by SIGSEGV',
    expect.stringMatching(/^ {2}Could not.*start it → Mend the command\.$/),
  ])
})

it('V1k a reader that goes (`| head -1`) ends nothing: the program goes on, and its output is kept', async () => {
  const folder = await newFolder()
  const one = supervise(
    folder,
    [],
    ['sh', '-c', 'echo first; while [ ! -e go ]; do sleep 0.02; done; seq 100000; exit 0'],
  )
  await one.says('first')
  one.process.stdout!.destroy()
  await writeFile(join(folder, 'go'), '')
  await new Promise((resolve) => one.process.once('exit', resolve))
  expect(one.process.exitCode).toBe(0)
  expect(await readFile(join(stateIn(folder), 'logs', 'output.log'), 'utf8')).toMatch(/\n99999\n100000\n$/)
  expect(one.output.stderr.match(/no longer goes to stdout/g)).toHaveLength(1)
})

it('V1k a reader that takes nothing any more stalls the program, and holds up nobody’s end', async () => {
  const folder = await newFolder()
  const command = [MAIN, 'supervise', '--', 'sh', '-c', 'echo $$ >> pids; exec seq 1000000000']
  const unread = spawn(process.execPath, command, { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'] })
  await lines(join(folder, 'pids'), 1)
  const ended = once(unread, 'exit')
  unread.kill('SIGTERM')
  expect(await ended).toEqual([0, null])
  expect(await livingOf(join(folder, 'pids'))).toEqual([])
})

linux(
  'V1k a program that floods its output with 1 GB costs a supervisor no memory, and only so many files',
  async () => {
    const folder = await newFolder()
    const script = 'echo $$ >> pids; head -c 1000000000 /dev/zero; echo done >> pids; exec sleep 300'
    const command = [MAIN, 'supervise', '--log-size', '4MB', '--log-keep', '3', '--', 'sh', '-c', script]
    const flooded = spawn(process.execPath, command, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
    let bytes = 0
    flooded.stdout.on('data', (piece: Buffer) => void (bytes += piece.length))
    await lines(join(folder, 'pids'), 1)
    const before = peak(await readFile(`/proc/${flooded.pid}/status`, 'utf8'))
    await lines(join(folder, 'pids'), 2)
    expect(peak(await readFile(`/proc/${flooded.pid}/status`, 'utf8')) - before).toBeLessThan(80_000)
    const one = watched(flooded)
    flooded.kill('SIGTERM')
    expect(await one.ended).toEqual({ code: 0, signal: null })
    expect(bytes).toBe(1_000_000_000)
    const logs = join(stateIn(folder), 'logs')
    const kept = (await readdir(logs)).filter((name) => name.startsWith('output.log')).sort()
    expect(kept).toEqual(['output.log', 'output.log.1', 'output.log.2', 'output.log.3'])
    for (const name of kept) expect((await stat(join(logs, name))).size).toBeLessThan(4_100_000)
  },
)

/** kB of memory that a process has ever had at once. */
const peak = (status: string) => Number(/VmHWM:\s+(\d+) kB/.exec(status)![1])

linux('V1j a program that crashes again and again leaves no zombie', async () => {
  const folder = await newFolder()
  const one = supervise(folder, ['--max-restarts', '1000'], ['sh', '-c', 'sleep 300 & echo $! >> pids; exit 1'])
  await lines(join(folder, 'pids'), 10)
  const dead = (await processTable().all()).filter(({ parent, ended }) => ended && parent === one.pid)
  expect(dead.length).toBeLessThanOrEqual(1) // the one that has just ended
  one.process.kill('SIGTERM')
  expect(await one.ended).toEqual({ code: 0, signal: null })
  expect(await livingOf(join(folder, 'pids'))).toEqual([])
})

it('V1 --dev: a change of the sources restarts the program and does not count; what it writes itself does not', async () => {
  const folder = await newFolder()
  for (const name of ['node_modules', '.git', 'src']) await mkdir(join(folder, name))
  await writeFile(join(folder, 'src', 'app.js'), '1')
  const script = 'echo "$HOST $PORT $NODE_ENV" >> env; echo $$ >> pids; exec sleep 300'
  const one = supervise(folder, ['--dev', '--max-restarts', '0'], ['sh', '-c', script], { PORT: '3000' })
  expect(await lines(join(folder, 'env'), 1)).toEqual(['127.0.0.1 3000 development'])
  await one.says('Files are watched')
  for (const name of ['node_modules/a.js', '.git/a.js', '.duramen/a.js', 'data.db', 'src/app.log', 'state.json'])
    await writeFile(join(folder, name), 'x')
  await sleep(400) // longer than changes are gathered
  for (const [at, name] of ['src/app.js', 'src/app.js', 'package.json'].entries()) {
    await appendFile(join(folder, name), '2')
    await lines(join(folder, 'pids'), at + 2)
  }
  expect(await lines(join(folder, 'pids'), 4)).toHaveLength(4)
  expect((await statusIn(stateIn(folder))).restarts).toBe(0)
  one.process.kill('SIGTERM')
  expect(await one.ended).toEqual({ code: 0, signal: null })
})

it('V1 --watch: all below a path, and nothing else', async () => {
  const folder = await newFolder()
  await mkdir(join(folder, 'views'))
  const one = supervise(folder, ['--watch', 'views'], STAYS)
  await lines(join(folder, 'pids'), 1)
  await one.says('Files are watched')
  await writeFile(join(folder, 'app.js'), '')
  await sleep(400) // longer than changes are gathered
  await writeFile(join(folder, 'views', 'page.txt'), '')
  expect(await lines(join(folder, 'pids'), 2)).toHaveLength(2)
  await one.says('views/page.txt has changed')
  one.process.kill('SIGTERM')
  expect(await one.ended).toEqual({ code: 0, signal: null })
})

it('S4 what must be there when a process starts reaches the program, and what the user has set stays', async () => {
  const folder = await newFolder()
  const script =
    'console.log(JSON.stringify([process.env.MALLOC_ARENA_MAX, process.env.MALLOC_TRIM_THRESHOLD_, typeof gc, process.env.HOST, process.env.WATCHDOG_PID, process.env.DURAMEN_WEBHOOK, process.env.DURAMEN_SMTP]))'
  const one = supervise(folder, [], [process.execPath, '-e', script], {
    WATCHDOG_PID: '1',
    MALLOC_ARENA_MAX: '4',
    DURAMEN_WEBHOOK: 'https://hooks.example.org/secret',
    DURAMEN_SMTP: 'smtps://ann:secret@mail.example.org',
  })
  expect(await one.ended).toEqual({ code: 0, signal: null })
  expect(JSON.parse(one.output.stdout)).toEqual(['4', '131072', 'function', null, null, null, null])
  expect(environmentFor({ NODE_OPTIONS: '--max-old-space-size=512' }, 'prod')).toEqual({
    MALLOC_ARENA_MAX: '2',
    MALLOC_TRIM_THRESHOLD_: '131072',
    NODE_OPTIONS: '--max-old-space-size=512 --expose-gc',
    HOST: '0.0.0.0',
    PORT: '8000',
    NODE_ENV: 'production',
  })
  const empty = { HOST: '', PORT: '', NODE_ENV: '', MALLOC_ARENA_MAX: '', NOTHING: '' }
  expect(environmentFor(empty, 'dev')).toMatchObject({
    HOST: '127.0.0.1',
    PORT: '8000',
    NODE_ENV: 'development',
    MALLOC_ARENA_MAX: '2',
    NOTHING: '',
  })
  expect(environmentFor(empty, undefined), 'without --dev and --prod').toMatchObject({ HOST: '', PORT: '' })
  expect(environmentFor({ NODE_OPTIONS: '--expose_gc', HOST: '::' }, 'dev')).toMatchObject({
    NODE_OPTIONS: '--expose_gc',
    HOST: '::',
  })
})

const namespaces = process.platform === 'linux' && spawnSync('unshare', ['-pf', '--mount-proc', 'true']).status === 0

it.runIf(namespaces)('V1 as process 1 it says who is to reap orphans', async () => {
  const folder = await newFolder()
  const command = ['-pf', '--mount-proc', process.execPath, MAIN, 'supervise', '--', 'true']
  const one = watched(spawn('unshare', command, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] }))
  expect(await one.ended).toEqual({ code: 0, signal: null })
  expect(one.output.stderr).toContain('init: true')
})

it.skipIf(noSmallDisk)('V1k a full disk under the log: one warning, and the program goes on', async () => {
  const folder = await newFolder()
  const one = supervise(folder, ['--log-dir', await smallDisk('size=100k')], ['seq', '100000'])
  expect(await one.ended).toEqual({ code: 0, signal: null })
  expect(one.output.stdout).toMatch(/\n100000\n$/)
  expect(one.output.stderr.match(/no longer goes to .*output.log/g)).toHaveLength(1)
})

it('K9 what is trimmed of its history leaves the disk', { timeout: 30_000 }, async () => {
  const folder = await newFolder()
  const state = stateIn(folder)
  const journal = await fileJournal(join(state, 'journal'), { segmentBytes: 256 * 1024, reclaim: false })
  const machine = counter()
  const host = await openHost({ journal, machines: [machine], logger: quiet })
  const actor = await host.actor(machine, 'a')
  for (let i = 0; i < 1200; i++) void actor.send({ type: 'INC', pad: 'x'.repeat(1000) })
  await host.trim(machine, 'a', by)
  await host.close()
  const done = join(state, 'journal', 'index', 'reclaimed')
  const one = supervise(folder, [], ['sh', '-c', `until [ -e '${done}' ]; do sleep 0.1; done`])
  expect(await one.ended).toEqual({ code: 0, signal: null })
  const again = await fileJournal(join(state, 'journal'))
  expect(await again.reclaim()).toMatchObject({ bytes: 0 }) // nothing was left
  await again.close()()
})
