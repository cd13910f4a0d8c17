// V2 `duramen monitor` as a process, against a real server that comes and goes.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, createServer as createTcpServer, type Socket, type Server as TcpServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { type ControlRequest, serveControl } from '../../src/adapters/process/control.ts'
import { byCommand } from '../../src/cli/monitor/restart.ts'
import { cert, key } from '../support/certificate.ts'
import { folder, start } from './command.ts'

const ending: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end()
})

const close = (server: Server) =>
  new Promise((resolve) => {
    server.closeAllConnections()
    server.close(resolve)
  })

async function listen(listener: RequestListener, port = 0): Promise<{ server: Server; port: number; url: string }> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  ending.push(() => close(server))
  const { port: given } = server.address() as AddressInfo
  return { server, port: given, url: `http://127.0.0.1:${given}` }
}

const urlOf = (server: TcpServer, scheme = 'http') => `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`

/** Resolves once it was asked for this path so often. */
const askedOf = (server: Server, path: string, times: number) =>
  new Promise<void>((resolve) => server.on('request', ({ url }) => url === path && --times === 0 && resolve()))

const answering =
  (health: object = { status: 'healthy', database: 'connected' }): RequestListener =>
  ({ url }, response) => {
    const body = { '/live': {}, '/health': health }[url ?? '']
    response.writeHead(body ? 200 : 404).end(JSON.stringify(body ?? {}))
  }

/** With short looks; ended at the end of the test, if it has not ended. */
function monitor(args: readonly string[], more: Record<string, string> = {}) {
  const running = start(['monitor', '--interval', '1', ...args], { more })
  ending.push(() => {
    running.kill('SIGKILL')
    return running.ended
  })
  return running
}

/** Resolves once this file is there. */
async function there(file: string): Promise<void> {
  while ((await access(file).catch((error) => error)) !== undefined) await sleep(20)
}

/** How busy this machine is at the moment is another matter. */
const isLoad = (text: string) => /of the (processors|memory)/.test(text)

const recordsOf = (stdout: string) =>
  stdout
    .split('\n')
    .filter((line) => line !== '' && !isLoad(line))
    .map((line) => JSON.parse(line))

describe('V2 monitor', () => {
  it('restarts what no longer lives, by a command, up to the limit, and tells those who are to be told', async () => {
    const notices: string[] = []
    const hook = await listen((request, response) => {
      let body = ''
      request
        .on('data', (text) => (body += text))
        .on('end', () => {
          if (!isLoad(body)) notices.push(JSON.parse(body).text)
          response.end()
        })
    })
    const { server, port, url } = await listen(answering())
    const file = join(await folder(), 'restarts')
    const args = ['--url', url, '--max-restarts', '1', '--restart', `echo again >> "${file}"; echo to stderr`]
    const running = monitor(args, { DURAMEN_WEBHOOK: hook.url })
    await running.says('watches')
    await askedOf(server, '/health', 1)
    await close(server)
    await running.says('restart 1 of 1')
    await listen(answering(), port)
    await running.says('solved')
    running.kill('SIGTERM')
    const { code, stdout, stderr } = await running.ended
    expect({ code, stderr }).toEqual({ code: 0, stderr: 'to stderr\n' })
    expect(await readFile(file, 'utf8')).toBe('again\n')
    expect(stdout).toMatch(/nobody listens \(1\/3\)\n.*nobody listens \(2\/3\)\n/s)
    expect(notices).toHaveLength(2)
    expect(notices[0]).toContain(`127.0.0.1:${port}: GET /live is refused: nobody listens`)
    expect(notices[1]).toContain('solved')
    expect(stdout, 'the address of a webhook is a secret').not.toContain(hook.url)
  })

  it("asks the supervisor's control socket, and says what it answered", async () => {
    const dir = join(await folder(), 'state')
    await mkdir(dir)
    const asked: ControlRequest[] = []
    const control = await serveControl(dir, async (request) => {
      asked.push(request)
      throw new Error('it is stopping')
    })
    ending.push(() => control.close())
    const { server, url } = await listen(answering())
    const running = monitor(['--url', url, '--socket', dir, '--json'])
    await askedOf(server, '/health', 1)
    await close(server)
    await running.says('it is stopping')
    running.kill('SIGINT')
    const { code, stdout } = await running.ended
    expect(code).toBe(0)
    expect(asked).toEqual([{ do: 'restart', why: 'monitor: GET /live is refused: nobody listens' }])
    const levels = recordsOf(stdout).map(({ level }) => level)
    expect(levels).toEqual(['info', 'info', 'info', 'problem', 'restart', 'failed'])
  })

  it('tells of a database that is away, and restarts nothing for it', async () => {
    const { server, url } = await listen(answering({ status: 'unhealthy', database: 'disconnected' }))
    const running = monitor(['--url', url, '--restart', 'exit 1'])
    await askedOf(server, '/live', 4)
    running.kill('SIGTERM')
    const { code, stdout } = await running.ended
    expect(code).toBe(0)
    expect(stdout.match(/its database is disconnected/g)).toHaveLength(1)
    expect(stdout).not.toContain('restart 1')
  })

  it('a certificate that nobody vouches for: told, restarts nothing, and NODE_EXTRA_CA_CERTS mends it', async () => {
    const server = createTlsServer({ cert, key }, answering())
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    ending.push(() => close(server))
    const url = urlOf(server, 'https')
    const running = monitor(['--url', url, '--restart', 'exit 1'])
    await running.says('NODE_EXTRA_CA_CERTS')
    running.kill('SIGTERM')
    const { stdout } = await running.ended
    expect(stdout).toContain('can not be asked (DEPTH_ZERO_SELF_SIGNED_CERT)')
    expect(stdout).not.toContain('restart 1')
    const file = join(await folder(), 'ca.pem')
    await writeFile(file, cert)
    expect((await monitor(['--once', '--url', url], { NODE_EXTRA_CA_CERTS: file }).ended).code).toBe(0)
  })

  it.each<[string, (socket: Socket) => void, string]>([
    ['hangs up', (socket) => socket.destroy(), 'breaks off (ECONNRESET)'],
    ['is no HTTP', (socket) => socket.end('220 mail.example.org\r\n'), 'can not be asked (HPE_'],
    [
      'goes on in another protocol',
      (socket) =>
        socket
          .on('error', () => {})
          .write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n'),
      'GET /live answers 101',
    ],
  ])('--once says what it is that %s', async (_, listener, said) => {
    const server = createTcpServer(listener)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    ending.push(() => server.close())
    const { code, stdout } = await monitor(['--once', '--url', urlOf(server)]).ended
    expect(code).toBe(1)
    expect(stdout).toContain(said)
  })

  it('asks any port, also one that browsers never ask', async () => {
    const { code, stdout } = await monitor(['--once', '--url', 'http://127.0.0.1:10080']).ended
    expect(code).toBe(1)
    expect(stdout).toContain('nobody listens')
  })

  it.each([
    ['looks at what hangs', (): RequestListener => () => {}],
    ['looks at nothing', (): RequestListener => answering()],
  ])('ends at once while it %s', async (_, listener) => {
    const { server, url } = await listen(listener())
    const asked = new Promise<void>((resolve) => server.once('request', () => resolve()))
    const running = start(['monitor', '--interval', '3600', '--url', url])
    await asked
    running.kill('SIGTERM')
    expect((await running.ended).code).toBe(0)
  })

  it('with --once: one look, the exit code says it, and nothing is restarted', async () => {
    const { server, url } = await listen(answering())
    const well = await monitor(['--once', '--url', url]).ended
    expect(well.code).toBe(0)
    expect(isLoad(well.stdout) || / is well\n$/.test(well.stdout), well.stdout).toBe(true)
    await close(server)
    const down = await monitor(['--once', '--url', url, '--restart', 'echo RESTARTED', '--json']).ended
    expect(down.code).toBe(1)
    expect(recordsOf(down.stdout)).toMatchObject([
      {
        level: 'problem',
        title: expect.stringContaining('nobody listens'),
        text: 'It is not restarted: --once only looks.',
      },
    ])
    expect(down.stderr).toBe('')
  })

  it('a command that takes too long goes on alone: none is begun beside it, and its end is the end of the restart', async () => {
    const dir = await folder()
    const restart = byCommand(`echo begun >> '${dir}/begun'; while [ ! -e '${dir}/go' ]; do sleep 0.02; done`, 300)
    for (let i = 0; i < 2; i++) await expect(restart('')).rejects.toThrow('has not ended within 0.3 s')
    // asked again before it can have ended: then it would be begun anew, and rightly so
    const ended = (): Promise<void> =>
      restart('').catch(({ message }) => (/not ended/.test(message) ? ended() : message))
    const end = ended()
    await writeFile(join(dir, 'go'), '')
    expect(await end).toBeUndefined()
    expect(await readFile(join(dir, 'begun'), 'utf8')).toBe('begun\n')
    await expect(byCommand('exit 3')('')).rejects.toThrow('ended with code 3')
  })

  it('ends at once while a restart is under way, which goes on', async () => {
    const dir = await folder()
    const { server, url } = await listen(answering())
    const command = `exec > /dev/null 2>&1; echo > '${dir}/begun'; while [ ! -e '${dir}/go' ]; do sleep 0.02; done; echo > '${dir}/done'`
    const running = monitor(['--url', url, '--restart', command])
    await askedOf(server, '/health', 1)
    await close(server)
    await there(join(dir, 'begun'))
    running.kill('SIGTERM')
    expect((await running.ended).code).toBe(0)
    await writeFile(join(dir, 'go'), '')
    await there(join(dir, 'done'))
  })

  it('a reader that goes ends it with the code of SIGPIPE, so that somebody starts it again', async () => {
    const { server, url } = await listen(answering())
    const unread = spawn(process.execPath, ['dist/cli/main.js', 'monitor', '--interval', '1', '--url', url], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    ending.push(() => unread.kill('SIGKILL'))
    await once(unread.stdout, 'data')
    unread.stdout.destroy()
    const ended = once(unread, 'exit')
    await close(server) // there is something to say
    expect(await ended).toEqual([141, null])
  })

  it.each([
    [['--interval', '0'], {}],
    [[], { MONITORING_INTERVAL: 'often' }],
    [[], { MAX_RESTARTS: '-1' }],
    [['--url', 'ftp://127.0.0.1'], {}],
    [['--url', 'http://ann:hunter2@127.0.0.1'], {}],
    [['--restart', 'a', '--socket', 'b'], {}],
  ])('%j %j makes no sense', async (args, more) => {
    const { code, stdout } = await start(['monitor', ...args], { more }).ended
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  })

  it('variables that are empty are not set', async () => {
    const more = { MONITORING_INTERVAL: '', MAX_RESTARTS: '', DURAMEN_WEBHOOK: '', DURAMEN_SMTP: '' }
    const { url } = await listen(answering())
    const { code, stderr } = await start(['monitor', '--once', '--url', url], { more }).ended
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  })

  it('--email without a mail server', async () => {
    const { code, stderr } = await start(['monitor', '--email', 'a@b.c', '--json']).ended
    expect(code).toBe(1)
    expect(JSON.parse(stderr).error).toMatchObject({
      code: 'BAD_OPTION',
      hint: expect.stringContaining('DURAMEN_SMTP'),
    })
  })

  it('a webhook that takes nothing is said, and stops nothing', async () => {
    const hook = await listen((_, response) => response.writeHead(400).end())
    const { server, url } = await listen(answering({ status: 'unhealthy' }))
    const { code, stdout } = await monitor(['--once', '--url', url, '--webhook', hook.url, '--json']).ended
    expect(code).toBe(1)
    const [problem, failed] = recordsOf(stdout)
    expect(problem).toMatchObject({ level: 'problem', title: expect.stringContaining('it says that it is unhealthy') })
    expect(failed).toMatchObject({ level: 'failed', title: expect.stringContaining('webhook 127.0.0.1') })
    expect(server.listening).toBe(true)
  })
})
