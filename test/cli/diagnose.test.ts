// V3 `duramen diagnose` against real trouble: each is told in one line with the next step, whatever else hangs.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, open, readdir, truncate, writeFile } from 'node:fs/promises'
import { createServer as createHttp, type RequestListener } from 'node:http'
import { createServer as createTls } from 'node:https'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { createMachine } from 'xstate'
import { database, mongoFinding } from '../../src/cli/diagnose/database.ts'
import { models } from '../../src/cli/diagnose/files.ts'
import { freePort as takenBy } from '../../src/cli/diagnose/free-port.ts'
import { hostsIn } from '../../src/cli/diagnose/hosts.ts'
import { journal as lookAtJournal } from '../../src/cli/diagnose/journal.ts'
import { CHECK_LIMIT, lookAll } from '../../src/cli/diagnose/look.ts'
import { dependencies } from '../../src/cli/diagnose/package.ts'
import { lookAtServer, serverFindings } from '../../src/cli/diagnose/server.ts'
import { listenerAt, listening } from '../../src/cli/probes/programs.ts'
import { durable, openHost } from '../../src/index.ts'
import { fileJournal } from '../../src/journal/index.ts'
import { add, must } from '../../src/testing/journal/case.ts'
import { cert, key } from '../support/certificate.ts'
import { folder, start } from './command.ts'

interface Told {
  readonly check: string
  readonly level: 'ok' | 'warn' | 'fail'
  readonly what: string
  readonly next?: string
}

/** In a folder of its own, without a database unless one is given. */
async function diagnose(args: readonly string[], { cwd = '', more = {} } = {}) {
  const none = { MONGODB_URI: '', DATABASE_URL: '' }
  const { code, stdout, stderr } = await start(['diagnose', ...args, '--json'], {
    cwd: cwd || (await folder()),
    more: { ...none, ...more },
  }).ended
  expect(stderr).toBe('')
  const { status, findings } = JSON.parse(stdout) as { status: string; findings: Told[] }
  expect(code).toBe(status === 'fail' ? 1 : 0)
  const of = (check: string) => findings.filter((finding) => finding.check === check)
  for (const { level, what, next } of findings) {
    expect(what).not.toMatch(/\n/)
    if (level !== 'ok') expect(next, what).toMatch(/\S/)
  }
  return { code, stdout, findings, of, bad: findings.filter(({ level }) => level === 'fail') }
}

/** What one check says, without a process of its own. */
const told = (findings: readonly Told[]) => ({
  of: (check: string) => findings.filter((finding) => finding.check === check),
  bad: findings.filter(({ level }) => level === 'fail'),
})
const never = new AbortController().signal
const served = async (port: number, protocol = 'http') =>
  told(serverFindings(await lookAtServer(new URL(`${protocol}://127.0.0.1:${port}`), never), undefined))

const ending: (() => unknown)[] = []
afterAll(async () => {
  for (const end of ending.reverse()) await end()
})

/** Listens until the end of all tests; the answer is its port. */
async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => sockets.add(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  ending.push(() => {
    for (const socket of sockets) socket.destroy()
    return new Promise((resolve) => server.close(resolve))
  })
  return (server.address() as AddressInfo).port
}

/** One that nobody listens on. */
async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

const asHost: RequestListener = ({ url }, response) => {
  const body = {
    '/live': {},
    '/ready': {},
    '/health': { status: 'healthy', timestamp: new Date().toISOString(), database: 'connected' },
  }[url ?? '']
  response.writeHead(body ? 200 : 404, { 'content-type': 'application/json' }).end(JSON.stringify(body ?? {}))
}

/** One host, well but for what its WebSocket does. */
async function host(upgrade?: (socket: Socket, key: string) => void): Promise<number> {
  const server = createHttp(asHost)
  if (upgrade)
    server.on('upgrade', (request, socket) => upgrade(socket as Socket, request.headers['sec-websocket-key']!))
  return listen(server)
}

describe.concurrent('V3 the server', () => {
  it('nothing runs', async () => {
    const port = await freePort()
    const { bad } = await diagnose(['--port', String(port)])
    expect(bad).toEqual([
      {
        check: 'port',
        level: 'fail',
        what: `nobody listens on 127.0.0.1:${port}`,
        next: 'start the application, as with: duramen supervise -- CMD',
      },
    ])
  })

  it('the port is taken by another program: which one, and at which address', async () => {
    const script = `require('http').createServer((q, s) => s.writeHead(404).end('hello'))
      .listen(...JSON.parse(process.argv[1]), function () { console.log(this.address().port) })`
    const other = async (address: string, port: number) => {
      const args = ['-e', script, JSON.stringify([port, address])]
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
      ending.push(() => child.kill('SIGKILL'))
      return {
        pid: child.pid!,
        port: await new Promise<number>((resolve) => child.stdout.once('data', (text) => resolve(Number(text)))),
      }
    }
    const { pid, port } = await other('127.0.0.1', 0)
    const { bad } = await diagnose(['--port', String(port)])
    expect(bad).toHaveLength(1)
    expect(bad[0]).toMatchObject({ check: 'port', what: expect.stringContaining('taken by another program') })
    expect(bad[0]!.what).toContain(`(pid ${pid})`)
    const second = process.platform === 'linux' ? await other('127.0.0.2', port) : undefined
    for (const [host, who] of [
      ['127.0.0.1', pid],
      ['0.0.0.0', pid],
      ['127.0.0.2', second?.pid],
    ] as const) {
      if (who === undefined) continue
      const taken = await takenBy(host, port)
      expect(taken.what, host).toMatch(host === '0.0.0.0' ? /\(pid \d+\)/ : new RegExp(`\\(pid ${who}\\)`))
      expect(taken.next).not.toMatch(/kill/)
    }
  })

  it('the port is taken by a program that answers in another protocol', async () => {
    const upgrade = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n'
    const port = await listen(createServer((socket) => void socket.on('error', () => {}).write(upgrade)))
    const { bad } = await served(port)
    expect(bad).toMatchObject([{ check: 'port', what: expect.stringContaining('taken by another program') }])
  })

  it.each([
    // [listeners, asked, who gets the connection]
    [['127.0.0.2', '127.0.0.1'], '127.0.0.1', 1],
    [['127.0.0.2'], '127.0.0.1', undefined],
    [['0.0.0.0', '127.0.0.1'], '127.0.0.1', 1],
    [['10.0.0.1', '*'], '127.0.0.1', 1],
    [['::'], '127.0.0.1', 0],
    [['::', '0.0.0.0'], '127.0.0.1', 1],
    [['0.0.0.0'], '::1', undefined],
    [['::ffff:127.0.0.1'], '127.0.0.1', 0],
    [['127.0.0.53%lo'], '127.0.0.53', 0],
    [['[::1]'], '::1', 0],
    [['127.0.0.7'], '0.0.0.0', 0],
  ])('of %j who is asked at %s', (listeners, asked, expected) => {
    const those = listeners.map((address, index) => ({ address, index }))
    expect(listening(those, asked)?.index).toBe(expected)
  })

  it('an address of another machine is not looked for here', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve))
    ending.push(() => server.close())
    expect(await listenerAt('203.0.113.7', (server.address() as AddressInfo).port)).toBeUndefined()
  })

  const answering =
    (of: Record<string, [number, string?]>): RequestListener =>
    ({ url }, response) => {
      const [status, body = ''] = of[url ?? ''] ?? [404]
      response.writeHead(status).end(body)
    }
  const all = (status: number) => ({ '/live': [status], '/health': [status], '/ready': [status] }) as never

  it.each([
    ['TLS, asked without', createTls({ cert, key }), 'http', /no whole answer \(.+\)/, /--url https:/],
    [
      'TLS that nobody trusts',
      createTls({ cert, key }),
      'https',
      /\(DEPTH_ZERO_SELF_SIGNED_CERT\)/,
      /NODE_EXTRA_CA_CERTS/,
    ],
    ['HTTP, asked with TLS', createHttp(answering(all(200))), 'https', /no whole answer/, /--url http:/],
    ['TLS behind a proxy', createHttp(answering(all(400))), 'http', /: 400$/, /--url https:/],
    ['a redirection', createHttp(answering(all(301))), 'http', /: 301/, /ask there/],
    ["a proxy's 502", createHttp(answering(all(502))), 'http', /502/, /behind it/],
    ['a wrong /health', createHttp(answering({ '/live': [200], '/health': [500] })), 'http', /\/health: 500/, /log/],
    [
      'no /health of a host',
      createHttp(answering({ '/live': [200], '/health': [200, 'hi'] })),
      'http',
      /no JSON/,
      /whether/,
    ],
    [
      'another protocol',
      createServer((one) => one.on('error', () => {}).end('220 mail\r\n')),
      'http',
      /no whole/,
      /log/,
    ],
  ])('%s is held, and how it answers: nobody is told to end it', async (_, server, protocol, said, next) => {
    const { of, bad } = await served(await listen(server), protocol)
    expect(of('port')).toMatchObject([{ level: 'ok', what: expect.stringContaining(' is held by ') }])
    const http = bad.filter(({ check }) => check === 'http')
    expect(http.map(({ what }) => what).join()).toMatch(said)
    expect(http.map(({ next }) => next).join()).toMatch(next)
  })

  it('an application with /live and /health has all that is needed; without them it is told to answer both', async () => {
    const well: [number, string] = [200, '{"status":"healthy"}']
    const both = await served(await listen(createHttp(answering({ '/live': [200], '/health': well }))))
    expect([...both.of('http'), ...both.of('websocket')].map(({ level, what }) => `${level} ${what}`)).toEqual([
      'ok GET /live: 200',
      'ok GET /health: 200, healthy, database not told',
      'ok GET /ready: not there',
      'ok /ws is not there',
    ])
    const one = await served(await listen(createHttp(answering({ '/health': well }))))
    expect(one.of('http')).toContainEqual({
      check: 'http',
      level: 'warn',
      what: 'GET /live: not there',
      next: 'have the application answer GET /live and /health',
    })
  })

  it('a token that is wanted is no other program', async () => {
    const { bad } = await served(await listen(createHttp(answering(all(401)))))
    expect(bad).toEqual([])
  })

  it('HTTP hangs', async () => {
    const port = await listen(createServer(() => {}))
    const { of } = await served(port)
    expect(of('http')).toEqual([
      {
        check: 'http',
        level: 'fail',
        what: 'GET /live, /health, /ready: no answer within 3 s',
        next: expect.stringContaining('restart it'),
      },
    ])
    expect(of('port')).toMatchObject([{ level: 'ok', what: expect.stringContaining('held by') }])
  })

  it('an answer that never ends is none', async () => {
    const port = await listen(
      createHttp((request, response) => {
        if (request.url === '/live') asHost(request, response)
        else response.writeHead(200).write('{"status":')
      }),
    )
    const { of } = await served(port)
    expect(of('http').map(({ level, what }) => `${level} ${what}`)).toEqual([
      'ok GET /live: 200',
      'fail GET /health, /ready: no answer within 3 s',
    ])
  })

  it('a host that is well, with a real handshake', async () => {
    const guid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
    const port = await host((socket, key) => {
      const accept = createHash('sha1')
        .update(key + guid)
        .digest('base64')
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
      )
    })
    const { code, of } = await diagnose(['--port', String(port)])
    expect(code).toBe(0)
    expect(of('websocket')).toMatchObject([{ level: 'ok', what: '/ws opens' }])
    expect(of('http').map(({ what }) => what)).toEqual([
      'GET /live, /ready: 200',
      'GET /health: 200, healthy, database connected',
    ])
    expect(of('port')[0]!.what).toContain('served by')
  })

  it('a WebSocket that refuses, is full, breaks off, says nothing, or is none', async () => {
    const answers: [(socket: Socket) => void, string][] = [
      [(socket) => socket.end('HTTP/1.1 403 Forbidden\r\n\r\n'), 'refuses the handshake: 403'],
      [(socket) => socket.end('HTTP/1.1 503 Busy\r\n\r\n'), 'refuses the handshake: 503'],
      [(socket) => socket.destroy(), 'breaks the connection off'],
      [() => {}, 'does not answer the handshake within 3 s'],
      [
        (socket) => socket.write('HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'),
        'breaks the connection off (wrong Sec-WebSocket-Accept)',
      ],
    ]
    const looks = answers.map(async ([upgrade, said]) => {
      const { bad } = await served(await host(upgrade))
      expect(bad).toMatchObject([{ check: 'websocket', what: expect.stringContaining(said) }])
    })
    await Promise.all(looks)
  })

  it('an unhealthy database is told from a host that hangs', async () => {
    const port = await listen(
      createHttp((request, response) => {
        if (request.url !== '/health') return asHost(request, response)
        response
          .writeHead(503)
          .end('{"status":"unhealthy","timestamp":"2026-01-01T00:00:00Z","database":"disconnected"}')
      }),
    )
    const { bad } = await served(port)
    expect(bad).toMatchObject([{ check: 'http', what: expect.stringContaining('database disconnected') }])
    expect(bad[0]!.next).toContain('mend the database')
  })
})

describe.concurrent('V3 the database', () => {
  const SECRET = 'hunter2%40'

  it('is down, and no credentials are shown', async () => {
    const port = await freePort()
    for (const more of [
      { MONGODB_URI: `mongodb://ann:${SECRET}@127.0.0.1:${port}/shop` },
      { DATABASE_URL: `postgres://ann:${SECRET}@127.0.0.1:${port}/shop` },
    ]) {
      const { stdout, of } = await diagnose(['--startup'], { more })
      expect(of('database')).toMatchObject([{ level: 'fail', what: expect.stringContaining(`127.0.0.1:${port}`) }])
      expect(stdout).not.toMatch(/hunter2|ann/)
    }
  })

  it.each([
    ['N', 'ok', /answers$/],
    ['S', 'ok', /answers, with TLS$/],
    ['HTTP/1.1 400 Bad Request\r\n\r\n', 'fail', /not as PostgreSQL does/],
  ])('a server that answers %j to the request for TLS', async (reply, level, said) => {
    let asked = Buffer.alloc(0)
    const port = await listen(
      createServer((socket) => {
        socket
          .on('error', () => {})
          .once('data', (bytes) => {
            asked = bytes
            socket.write(reply)
          })
      }),
    )
    const findings = await database({ DATABASE_URL: `postgresql://127.0.0.1:${port}/shop` }, never)
    expect(findings).toMatchObject([{ level, what: expect.stringMatching(said) }])
    expect(asked.toString('hex')).toBe('0000000804d2162f')
  })

  it.each([
    ['mongodb+srv://admin:hun/ter2@h', 'fail'],
    ['mongodb://admin:12/34secret@h', 'fail'],
    ['mongodb://admin:sec@ret/34@h', 'fail'],
    ['mongodb://admin:hunter2@', 'fail'],
    ['mongodb://admin:hunter2', 'fail'],
    ['postgres://admin:12/34secret@h/db', 'fail'],
    ['postgres://admin:secret#1@h/db', 'fail'],
    ['postgres://admin:sec@ret@h/db', 'fail'],
    ['admin:hunter2@host', 'ok'],
    ['postgresql:///db?host=/var/run/postgresql', 'ok'],
    ['postgres://admin:hunter2@a:1,b/db', 'ok'],
  ])('no part of the credentials in %s is printed, also where they move the host', async (DATABASE_URL, level) => {
    for (const driver of [async () => undefined, () => import('mongodb')]) {
      const findings = await database({ DATABASE_URL }, never, driver)
      expect(findings).toMatchObject([{ level }])
      expect(JSON.stringify(findings)).not.toMatch(/admin|hun|ter2|12|34|sec|ret/)
    }
  })

  it('hosts are known beyond doubt, or not at all', () => {
    const of = (hosts: string) => hostsIn(`mongodb://ann:hunter2@${hosts}`)
    expect(of('a:1,[::1]:2,%2Ftmp%2Fm.sock/shop?w=1')).toEqual(['a:1', '[::1]:2', '%2Ftmp%2Fm.sock'])
    expect(of('shop.example.net:10255/?ssl=true&appName=@shop@'), 'as of Azure').toEqual(['shop.example.net:10255'])
    for (const doubtful of ['a@b', 'a/@b', 'a?x=@b', 'a:b', 'a b']) expect(of(doubtful), doubtful).toBeUndefined()
  })

  it('MongoDB that answers with an error is not away', async () => {
    const { MongoServerError, MongoNetworkError, MongoServerSelectionError, MongoMissingDependencyError } =
      await import('mongodb')
    const said = [
      ...[18, 13, 8000, 211].map((code) => new MongoServerError({ message: 'of ann', code })),
      new MongoNetworkError('of ann'),
      new MongoServerSelectionError('of ann', {} as never),
      new MongoMissingDependencyError('of ann', { dependencyName: 'socks', cause: new Error('ann') }),
    ].map((error) => mongoFinding(error, 'MongoDB at h', 'MONGODB_URI').what)
    expect(said).toEqual([
      ...Array(3).fill('MongoDB at h refuses these credentials'),
      'MongoDB at h answers, and refuses: code 211',
      'MongoDB at h does not answer (MongoNetworkError)',
      'MongoDB at h does not answer (MongoServerSelectionError)',
      'MongoDB at h could not be asked (MongoMissingDependencyError)',
    ])
  })

  it('MongoDB without its driver: of several hosts one that takes connections will do', async () => {
    const MONGODB_URI = `mongodb://ann:${SECRET}@127.0.0.1:${await freePort()},127.0.0.1:${await listen(createServer())}/shop`
    const [finding] = await database({ MONGODB_URI }, never, async () => undefined)
    expect(finding).toMatchObject({
      level: 'ok',
      what: expect.stringMatching(/^MongoDB at [\d.:,]+ takes connections$/),
    })
  })

  it('an address that is none is not printed', async () => {
    const { stdout, of } = await diagnose(['--startup'], { more: { MONGODB_URI: SECRET, DATABASE_URL: SECRET } })
    expect(of('database').map(({ level }) => level)).toEqual(['fail', 'ok'])
    expect(stdout).not.toContain('hunter2')
  })
})

describe('V3 the journal', () => {
  async function sample() {
    const dir = await folder()
    const journal = await fileJournal(join(dir, 'data'))
    for (let seq = 0; seq < 50; seq++) await add(journal, `notes-${seq % 5}`, Math.floor(seq / 5), `text ${seq}`)
    return { dir, journal }
  }

  it('that is sound, beside its writer, which is named; nothing is changed', async () => {
    const { dir, journal } = await sample()
    const before = await readdir(join(dir, 'data'))
    const { of } = await diagnose(['--port', String(await freePort())], { cwd: dir })
    expect(of('journal')).toMatchObject([{ level: 'ok', what: expect.stringContaining('50 records of 5 streams') }])
    expect(of('processes')[0]!.what).toContain(`pid ${process.pid} writes to ./data`)
    expect(await readdir(join(dir, 'data'))).toEqual(before)
    await must(journal.close())
  })

  it('whose instances are parked, also a small one; those that were purged are none', async () => {
    const dir = await folder()
    const machine = durable(createMachine({ id: 'order', initial: 'open', states: { open: {} } }))
    const host = await openHost({ journal: await fileJournal(join(dir, 'data')), machines: [machine] })
    for (const id of ['a', 'b', 'c']) await host.actor(machine, id)
    for (const id of ['a', 'b', 'c']) await host.park(machine, id, { who: 'ann', why: 'no address' })
    await host.stop(machine, 'c', { who: 'ann', why: 'gone' })
    await host.purge(machine, 'c', { who: 'ann', why: 'gone' })
    await host.close()
    const [sound, parked] = await lookAtJournal(join(dir, 'data'), never)
    expect(sound!.level).toBe('ok')
    expect(parked).toMatchObject({ level: 'warn', what: expect.stringMatching(/^2 instances parked/) })
    expect(parked!.next).toMatch(/^duramen list .* --status parked$/)
  })

  it('that is damaged: where, and what to do', async () => {
    const { dir, journal } = await sample()
    await must(journal.close())
    const [segment] = (await readdir(join(dir, 'data'))).filter((name) => name.endsWith('.log'))
    const path = join(dir, 'data', segment!)
    const file = await open(path, 'r+')
    await file.write(Buffer.from('????'), 0, 4, 700)
    await file.close()
    const { of } = await diagnose(['--startup'], { cwd: dir })
    expect(of('journal')).toMatchObject([{ level: 'fail', next: 'duramen check "./data"' }])
    expect(of('journal')[0]!.what).toMatch(/DAMAGED in 1 place, first .*\.log at byte \d+/)
  })
})

describe('V3 the disk', () => {
  const root = process.getuid?.() === 0
  const mounted = (dir: string) =>
    root && spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', dir]).status === 0

  it('that is full', async (context) => {
    const dir = await folder()
    const small = join(dir, 'small')
    await mkdir(small)
    if (!mounted(small)) return context.skip()
    ending.push(() => spawnSync('umount', ['-l', small]))
    await writeFile(join(small, 'filler'), Buffer.alloc(1 << 20)).catch(() => {})
    const { bad } = await diagnose(['--startup', '--journal', join(small, 'data')])
    expect(bad).toMatchObject([{ check: 'disk', what: expect.stringMatching(/^0 B of 1\.0 MB left .*small\/data$/) }])
    expect(bad[0]!.next).toContain('free space')
  })
})

describe('V3 what a start needs', () => {
  it('variables, models and packages, each with what is wrong of it', async () => {
    const cwd = await folder()
    const good = Buffer.from('weights')
    const sha256 = createHash('sha256').update(good).digest('hex')
    await writeFile(join(cwd, 'good.onnx'), good)
    await writeFile(join(cwd, 'other.onnx'), 'other')
    await writeFile(join(cwd, 'empty.onnx'), '')
    await writeFile(join(cwd, 'lfs.onnx'), `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256}\nsize 7\n`)
    await mkdir(join(cwd, 'node_modules/old'), { recursive: true })
    await writeFile(join(cwd, 'node_modules/old/package.json'), '{"version":"1.9.0"}')
    const manifest = { engines: { node: '>=99' }, dependencies: { gone: '^1.0.0', old: '^2.0.0' } }
    await writeFile(join(cwd, 'package.json'), JSON.stringify({ ...manifest, duramen: { models: ['lfs.onnx'] } }))
    await writeFile(
      join(cwd, 'package-lock.json'),
      JSON.stringify({ packages: { '': { dependencies: { old: '^1.0.0' } } } }),
    )
    const wanted = [`good.onnx:${sha256}`, `other.onnx:${sha256}`, 'empty.onnx', 'missing.onnx']
    const { findings } = await diagnose(
      ['--startup', '--env', 'SECRET_KEY', ...wanted.flatMap((one) => ['--model', one])],
      { cwd, more: { NODE_ENV: 'production', DEBUG: '1', AUTO_MIGRATE: ' False ' } },
    )
    const lines = findings.map(({ check, level, what }) => `${level} ${check}: ${what}`)
    expect(lines).toEqual(
      expect.arrayContaining([
        'fail environment: not set: SECRET_KEY',
        'fail environment: on in production: DEBUG',
        `fail runtime: Node ${process.versions.node}, and package.json needs >=99`,
        'fail dependencies: missing: gone',
        'warn lock file: package-lock.json is older than package.json: gone, old',
        'ok models: good.onnx, 7 B, hash as it should be',
        `fail models: other.onnx has another hash: ${createHash('sha256').update('other').digest('hex')}`,
        'fail models: empty.onnx is empty',
        'fail models: missing.onnx is not there',
        'fail models: lfs.onnx is a pointer of git-lfs, not the file',
      ]),
    )
  })
})

it.each([
  [['--env', 'SECRET_KEY'], /--env.*--startup/],
  [['--deploy', '--model', 'a.onnx'], /--model/],
  [['--url', 'http://127.0.0.1:8000', '--port', '9000'], /--url.*cannot be used with.*--port/],
])('V3 %j: an option that nothing would come of is a mistake', async (args, said) => {
  const { code, stdout, stderr } = await start(['diagnose', ...args], { cwd: await folder() }).ended
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toMatch(said)
})

it('V3 --startup takes host and port from --url', async () => {
  const port = await freePort()
  const { of } = await diagnose(['--startup', '--url', `http://127.0.0.1:${port}/app`])
  expect(of('port')).toMatchObject([{ level: 'ok', what: `127.0.0.1:${port} is free` }])
})

it.each([
  ['package-lock.json', 'npm ci'],
  ['pnpm-lock.yaml', 'pnpm install --frozen-lockfile'],
  ['yarn.lock', 'yarn install --frozen-lockfile'],
  [undefined, 'npm install'],
])('V3 what is missing is installed with the tool of %s, above it too, while nothing runs', async (lock, tool) => {
  const root = await folder()
  const cwd = join(root, 'packages/app')
  await mkdir(cwd, { recursive: true })
  if (lock) await writeFile(join(root, lock), '{}')
  const [finding] = await dependencies(cwd, { dependencies: { gone: '^1.0.0' } })
  expect(finding).toMatchObject({ level: 'fail', next: `stop the application first, then ${tool}` })
})

describe('V3 within 10 s', () => {
  it('a check that hangs costs its limit and hides none of the others; one that throws is a finding', async () => {
    expect(CHECK_LIMIT).toBeLessThan(9_000)
    const told: string[] = []
    await lookAll(
      [
        { name: 'stuck', look: () => new Promise(() => {}) },
        { name: 'broken', look: () => Promise.reject(new Error('no such tool')) },
        { name: 'well', look: async () => [{ check: 'well', level: 'ok', what: 'fine' }] },
      ],
      (index, [finding]) => told.push(`${index} ${finding!.check} ${finding!.level}`),
      10,
    )
    expect(told.sort()).toEqual(['0 stuck fail', '1 broken fail', '2 well ok'])
  })

  it('what a check knows at its limit is told: a model so big that its hash takes longer is no failure', async () => {
    const path = join(await folder(), 'big.onnx')
    await writeFile(path, 'weights')
    await truncate(path, 2 ** 40) // takes no room
    const told: Told[] = []
    const look = (signal: AbortSignal) => models([{ path, sha256: '0'.repeat(64) }], signal)
    await lookAll([{ name: 'models', look }], (_, findings) => told.push(...findings), 50)
    expect(told).toMatchObject([{ level: 'warn', what: `${path} was not read to its end in time` }])
  })

  it('a file whose reading never ends, as on a disk that is away: that check fails, the others are told, and it ends', async (context) => {
    const cwd = await folder()
    if (spawnSync('mkfifo', [join(cwd, 'package.json')]).status !== 0) return context.skip()
    const { findings, of } = await diagnose(['--startup', '--port', String(await freePort())], { cwd })
    for (const check of ['runtime', 'dependencies', 'models'])
      expect(of(check)).toMatchObject([{ level: 'fail', what: expect.stringMatching(/^there was no answer within/) }])
    expect(findings.filter(({ level }) => level === 'fail')).toHaveLength(3)
    expect(of('journal')).toMatchObject([{ level: 'ok' }])
  })

  it('a process that looks and ends is not said to hang', async () => {
    const dead = 'data:text/javascript,process.send && process.exit(7)'
    const { findings } = await diagnose(['--startup'], { more: { NODE_OPTIONS: `--import=${JSON.stringify(dead)}` } })
    expect(new Set(findings.map(({ level, what }) => `${level} ${what}`))).toEqual(
      new Set(['fail the process that looks has ended with code 7']),
    )
  })

  it('ends at once when it is told to, though something hangs', async () => {
    const server = createServer(() => {})
    const asked = new Promise((resolve) => server.once('connection', resolve))
    const running = start(['diagnose', '--port', String(await listen(server))], { cwd: await folder() })
    await asked
    running.kill('SIGINT')
    expect(await running.ended).toMatchObject({ code: 130, stdout: '' })
  })

  it('all that can hang does, and every line is there', async () => {
    const port = await listen(createServer(() => {}))
    const address = `127.0.0.1:${port}/shop`
    const { findings, of } = await diagnose(['--port', String(port)], {
      more: { MONGODB_URI: `mongodb://${address}`, DATABASE_URL: `postgres://${address}` },
    })
    expect(of('database').map(({ level }) => level)).toEqual(['fail', 'fail'])
    expect(new Set(findings.map(({ check }) => check))).toEqual(
      new Set([
        'port',
        'http',
        'websocket',
        'cpu',
        'processes',
        'memory',
        'disk',
        'database',
        'runtime',
        'dependencies',
        'folders',
        'models',
        'usb',
        'journal',
      ]),
    )
  })
})

it('for people: a line each, aligned, with the next step behind an arrow; colours when forced', async () => {
  const cwd = await folder()
  const args = ['diagnose', '--startup', '--model', 'gone\u001b[31m.onnx']
  const { code, stdout } = await start(args, { cwd, more: { MONGODB_URI: '', DATABASE_URL: '' } }).ended
  expect(code).toBe(1)
  expect(stdout).toMatch(/^fail {2}models {8}gone\\u001b\[31m\.onnx is not there → fetch it, or mend its path$/m)
  expect(stdout).toMatch(/\n1 failure, \d warnings?\.\n$/)
  const forced = await start(args, { cwd, more: { FORCE_COLOR: '1' } }).ended
  expect(forced.stdout).toContain('\u001b[31mfail\u001b[39m')
  expect(await readdir(cwd), 'nothing is made').toEqual([])
})
