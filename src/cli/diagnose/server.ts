// Who serves the port: nobody, this host, or another program; and how it answers. What only answers oddly may be this
// host behind a proxy, or with TLS, so nobody is told to end it.
import { type Answer, get, type Handshake, handshake, objectIn } from '../probes/http.ts'
import { listenerAt } from '../probes/programs.ts'
import { type Knock, knock, knockSaid } from '../probes/tcp.ts'
import { type Finding, fail, ok, warn } from './finding.ts'
import { named } from './free-port.ts'
import type { Writer } from './journal.ts'

const PATHS = ['/live', '/health', '/ready'] as const
type Path = (typeof PATHS)[number]

/** ms for an answer; the port comes first, and all of them are asked at once. */
const ANSWER_LIMIT = 3_000
const KNOCK_LIMIT = 2_000

export interface ServerSeen {
  /** `127.0.0.1:8000`. */
  readonly place: string
  readonly knock: Knock
  /** Who listens there, where that is known. */
  readonly program?: { readonly pid: number; readonly name: string } | undefined
  readonly answers?: Readonly<Record<Path, Answer>>
  readonly socket?: Handshake
}

/** What is connected to. */
export const endOf = (url: URL) => ({
  host: url.hostname.replace(/^\[|\]$/g, ''),
  port: Number(url.port || (url.protocol === 'https:' ? 443 : 80)),
})

export async function lookAtServer(url: URL, signal: AbortSignal): Promise<ServerSeen> {
  const { host, port } = endOf(url)
  const place = `${url.hostname}:${port}`
  const knocked = await knock(host, port, { limit: KNOCK_LIMIT, signal })
  if (knocked.outcome !== 'answered') return { place, knock: knocked }
  const asking = { limit: ANSWER_LIMIT, signal }
  const at = (path: string) => new URL(url.pathname.replace(/\/$/, '') + path, url)
  const [program, live, health, ready, socket] = await Promise.all([
    listenerAt(knocked.address, port).catch(() => undefined), // where no tool of the system tells, it is left out
    get(at('/live'), asking),
    get(at('/health'), asking),
    get(at('/ready'), asking),
    handshake(at('/ws'), asking),
  ])
  const answers = { '/live': live, '/health': health, '/ready': ready }
  return { place, knock: knocked, program, answers, socket }
}

/** `writer`: the process that has the journal open. */
export function serverFindings(seen: ServerSeen, writer: Writer | undefined): Finding[] {
  const { place, knock, program, answers, socket } = seen
  if (knock.outcome === 'refused')
    return [fail('port', `nobody listens on ${place}`, 'start the application, as with: duramen supervise -- CMD')]
  if (!answers || !socket)
    return [fail('port', `${place} ${knockSaid(knock)}`, 'look at --host and --port, and at what filters connections')]
  const who = named(program)
  const health = answers['/health']
  const ours = isHealth(objectIn(health)) || (writer?.here === true && program?.pid === writer.pid)
  if (!ours && PATHS.every((path) => isStrange(path, answers[path])))
    return [
      fail(
        'port',
        `${place} is taken by another program: ${who}`,
        'look whether it is the application, and have it answer GET /live and /health; if not, stop it or take another port',
      ),
    ]
  const port = ok('port', `${place} is ${ours ? 'served' : 'held'} by ${who}`)
  return [port, ...merged(PATHS.map((path) => [path, pathFinding(path, answers[path])])), socketFinding(socket)]
}

/** What a host says of itself; no other program does. */
const isHealth = (body: Record<string, unknown> | undefined): boolean =>
  ['healthy', 'unhealthy', 'starting'].includes(String(body?.status))

/** No answer of a host to this path, nor of a proxy before it. 400 is also what a server of TLS says to plain HTTP. */
function isStrange(path: Path, answer: Answer): boolean {
  if (answer.outcome !== 'answered') return false
  const { status } = answer
  if (status === 200) return path === '/health'
  return status < 200 || (status > 403 && status < 500)
}

const RESTART = 'restart it; duramen monitor does that by itself'

/** `what` goes on behind the path. */
function pathFinding(path: Path, answer: Answer): Finding {
  if (answer.outcome === 'hangs')
    return fail('http', `no answer within ${answer.limit / 1000} s`, `its event loop may be blocked: ${RESTART}`)
  if (answer.outcome === 'refused') return fail('http', 'refuses connections', RESTART)
  if (answer.outcome === 'broken') return fail('http', `no whole answer (${answer.code})`, brokenNext(answer.code))
  const { status } = answer
  if (status >= 300 && status < 400) return fail('http', `${status}, leads elsewhere`, 'ask there: --url https://HOST')
  if (status === 400) return fail('http', '400', `look at its log; ${TLS}`)
  if (status === 404)
    return path === '/ready'
      ? ok('http', 'not there')
      : warn('http', 'not there', 'have the application answer GET /live and /health')
  if (status === 401 || status === 403) return ok('http', `wants a token (${status})`)
  if (path === '/health') return healthFinding(status, objectIn(answer))
  if (status === 200) return ok('http', '200')
  if (path === '/ready')
    return warn('http', `${status}, not ready`, 'wait, and look at its log for the task that it waits for')
  if (GATEWAY.includes(status))
    return fail('http', `${status}, as of a proxy`, 'look whether the application behind it runs')
  return fail('http', `${status}`, RESTART)
}

const GATEWAY: readonly number[] = [502, 503, 504]
const TLS = 'if it serves TLS, ask with --url https://HOST:PORT'

function brokenNext(code: string): string {
  if (/CERT|SIGNATURE|ISSUER/.test(code))
    return 'mend its certificate, or name the one to trust: NODE_EXTRA_CA_CERTS=ca.pem'
  if (/EPROTO|WRONG_VERSION_NUMBER|PACKET_LENGTH/.test(code))
    return 'if it serves no TLS, ask with --url http://HOST:PORT'
  return `look at its log; ${TLS}`
}

function healthFinding(code: number, body: Record<string, unknown> | undefined): Finding {
  const { status, database } = body ?? {}
  const said = `${code}, ${status ?? 'no JSON'}, database ${database ?? 'not told'}`
  if (status === 'starting') return warn('http', said, 'wait for the end of its start-up')
  if (database === 'disconnected') return fail('http', said, 'mend the database; a restart does not help')
  if (code === 200 && status === 'healthy') return ok('http', said)
  if (code === 200 && !isHealth(body))
    return fail('http', said, 'look whether this is the application: a host says "status": "healthy"')
  return fail('http', said, 'look at its log, and at /health/detailed')
}

/** What is the same of several paths, in one line. */
function merged(found: readonly (readonly [Path, Finding])[]): Finding[] {
  const groups = new Map<string, { paths: Path[]; finding: Finding }>()
  for (const [path, finding] of found) {
    const key = JSON.stringify(finding)
    const group = groups.get(key)
    if (group) group.paths.push(path)
    else groups.set(key, { paths: [path], finding })
  }
  return [...groups.values()].map(({ paths, finding }) => ({
    ...finding,
    what: `GET ${paths.join(', ')}: ${finding.what}`,
  }))
}

function socketFinding(socket: Handshake): Finding {
  const refused = (how: string, next: string) => fail('websocket', `/ws ${how}`, next)
  switch (socket.outcome) {
    case 'opened':
      return ok('websocket', '/ws opens')
    case 'hangs':
      return refused(`does not answer the handshake within ${socket.limit / 1000} s`, RESTART)
    case 'refused':
    case 'broken': {
      const code = socket.outcome === 'broken' ? ` (${socket.code})` : ''
      return refused(`breaks the connection off${code}`, 'look at its log, and at the proxy before it')
    }
    case 'answered':
      if (socket.status === 404) return ok('websocket', '/ws is not there')
      if (socket.status === 401) return ok('websocket', '/ws wants a token (401)')
      if (socket.status === 403)
        return refused('refuses the handshake: 403', 'let it know this Host and Origin, or give a token')
      if (socket.status === 503)
        return refused('refuses the handshake: 503', 'raise MAX_WEBSOCKET_CONNECTIONS, or close dashboards')
      return refused(
        `answers ${socket.status} instead of 101`,
        'let the proxy before it pass Upgrade on, or look at its log',
      )
  }
}
