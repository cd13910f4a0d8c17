// A real server for the tests of MongoDB. Looked for in this order: MONGODB_URI; a mongod (MONGOMS_SYSTEM_BINARY, or on
// the PATH); the FerretDB that make.sh has made; the download of mongodb-memory-server, where that is installed. Only
// REQUIRE_MONGODB=1 or DURAMEN_MAKE_MONGODB=1 make one: that takes minutes. With REQUIRE_MONGODB=1 none is a failure,
// else it is one skipped test that says why.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { MongoClient } from 'mongodb'
import { afterAll, test } from 'vitest'

/** Servers of one kind, as many as a test wants. */
export interface Mongo {
  /** What it is, in words. */
  readonly what: string
  /** Whether its servers are the tests' own: can be stopped, want a password, have a disk that gets full. */
  readonly own: boolean
  /** A server that is up; one that is not the tests' own takes no options. */
  server(options?: ServerOptions): Promise<MongoServer>
}

interface ServerOptions {
  /** Names and passwords are asked for; the `uri` has the right ones. Default: false. */
  readonly auth?: boolean
  /** Data on a disk of this size (`'400m'`), which `fillDisk` fills. Default: the machine's disk. */
  readonly disk?: string
}

export interface MongoServer {
  readonly uri: string
  /** Ends well. Data and port stay. */
  stop(): Promise<void>
  /** Ends by SIGKILL, all of its processes at once. Data and port stay. */
  kill(): Promise<void>
  start(): Promise<void>
  /** Nothing can be written any more that takes another page. */
  fillDisk(): Promise<void>
  freeDisk(): Promise<void>
  /** Ends it and removes its data; without this, the end of this process does. */
  close(): Promise<void>
}

/** The user of a server with `auth`. */
const USER = 'tester'
const PASSWORD = 'secret'

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url))
const required = process.env.REQUIRE_MONGODB === '1'
const home = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'duramen', 'mongodb')

/** Registers tests that need a server; without one, a skipped test that says why (a failure with REQUIRE_MONGODB=1). */
export async function withMongo(tests: (mongo: Mongo) => void): Promise<void> {
  const mongo = await findMongo()
  if (typeof mongo !== 'string') {
    if (!mongo.own) afterAll(dropAll)
    return tests(mongo)
  }
  if (required) throw new Error(`REQUIRE_MONGODB=1, and there is no server: ${mongo}`)
  process.stderr.write(`MongoDB's tests are skipped: ${mongo}\n`)
  test.skip(`MongoDB: ${mongo}`, () => {})
}

const names: string[] = []

/** A name for a database that no other test has. On a server that is not the tests' own it is dropped once they are over. */
export function freshName(): string {
  const name = `duramen_${randomBytes(6).toString('hex')}`
  names.push(name)
  return name
}

/** Only ever databases of these names. */
async function dropAll(): Promise<void> {
  const client = new MongoClient(process.env.MONGODB_URI!)
  for (const name of names) await client.db(name).dropDatabase()
  await client.close()
}

/** The servers to be had, or why there are none. */
async function findMongo(): Promise<Mongo | string> {
  const uri = process.env.MONGODB_URI
  if (uri) return external(uri)
  if (process.platform !== 'linux') return 'set MONGODB_URI: servers of the tests’ own are for Linux'
  const mongod = process.env.MONGOMS_SYSTEM_BINARY || onPath('mongod')
  if (mongod) return { what: mongod, own: true, server: (options) => ownServer(options, mongod) }
  const why = madeFerret()
  if (why === undefined) {
    const what = readFileSync(join(home, 'ok'), 'utf8').trim()
    return { what, own: true, server: (options) => ownServer(options) }
  }
  const downloaded = await download()
  if (downloaded) return { what: downloaded, own: true, server: (options) => ownServer(options, downloaded) }
  return `no MONGODB_URI, no mongod on the PATH, and ${why}`
}

function external(uri: string): Mongo {
  process.stderr.write('MongoDB’s tests write into databases duramen_<12 hex digits> of MONGODB_URI, and drop them\n')
  const cannot = async () => {
    throw new Error('the server of MONGODB_URI is not ours to steer')
  }
  const server = { uri, stop: cannot, kill: cannot, start: cannot, fillDisk: cannot, freeDisk: cannot }
  return {
    what: 'MONGODB_URI',
    own: false,
    server: async (options) => (options ? cannot() : { ...server, close: async () => {} }),
  }
}

function onPath(name: string): string | undefined {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}

/** Why there is no FerretDB; undefined when there is. */
function madeFerret(): string | undefined {
  if (process.getuid?.() !== 0) return 'FerretDB is started by root only (chroot)'
  if (required || process.env.DURAMEN_MAKE_MONGODB === '1')
    try {
      execFileSync(here('make.sh'), [home], { stdio: ['ignore', 'inherit', 'inherit'] })
    } catch {
      return 'FerretDB could not be made (test/support/mongodb/make.sh says why)'
    }
  return existsSync(join(home, 'ok')) ? undefined : 'FerretDB has not been made (npm run test:mongodb)'
}

async function download(): Promise<string | undefined> {
  const name: string = 'mongodb-memory-server-core'
  const memory = await import(name).catch(() => undefined)
  return memory?.MongoBinary.getPath().catch(() => undefined)
}

async function ownServer({ auth = false, disk = '' }: ServerOptions = {}, mongod = ''): Promise<MongoServer> {
  const port = await freePort()
  const root = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user']
  const guard = spawn(
    'unshare',
    [
      ...root,
      '--pid',
      '--mount',
      '--fork',
      '--kill-child',
      here('serve.sh'),
      home,
      `${port}`,
      auth ? 'auth' : '',
      disk,
      mongod,
    ],
    { stdio: ['pipe', 'pipe', 'inherit'], detached: true },
  )
  const end = () => guard.stdin?.end()
  process.once('disconnect', end) // vitest is gone, and its worker would stay for the server's sake
  const order = orders(guard)
  const server: MongoServer = {
    uri: `mongodb://${auth ? `${USER}:${PASSWORD}@` : ''}127.0.0.1:${port}/`,
    start: () => order('start'),
    stop: () => order('stop'),
    kill: () => order('kill'),
    fillDisk: () => order('fill'),
    freeDisk: () => order('free'),
    close: async () => {
      process.off('disconnect', end)
      end()
      if (guard.exitCode === null && guard.signalCode === null) await new Promise((ended) => guard.once('exit', ended))
    },
  }
  await server.start()
  if (auth && mongod) await addUser(port)
  return server
}

/** Gives orders to serve.sh, one after another, and takes its word for each. */
function orders(guard: ChildProcess): (order: string) => Promise<void> {
  const answers = createInterface({ input: guard.stdout! })[Symbol.asyncIterator]()
  let before: Promise<unknown> = Promise.resolve()
  guard.stdin!.on('error', () => {}) // it has ended: the next answer says so
  return (order) => {
    const answered = before.then(async () => {
      guard.stdin!.write(`${order}\n`)
      const { value = 'serve.sh has ended' } = await answers.next()
      if (value !== 'ok') throw new Error(`the MongoDB server: ${order}: ${value}`)
    })
    before = answered.catch(() => {})
    return answered
  }
}

/** The first user may be made by anyone who comes from the machine itself. */
async function addUser(port: number): Promise<void> {
  const client = new MongoClient(`mongodb://127.0.0.1:${port}/?directConnection=true`)
  await client.db('admin').command({ createUser: USER, pwd: PASSWORD, roles: ['root'] })
  await client.close()
}

/** A port that nobody has, and that no outgoing connection gets while the server is stopped (below 32768). */
async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000)
    const socket = connect(port, '127.0.0.1')
    const taken = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    })
    socket.destroy()
    if (!taken) return port
  }
}
