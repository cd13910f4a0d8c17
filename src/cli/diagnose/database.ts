// Whether the database that the environment names can be reached. What is printed holds the host and port only: never a
// user's name, a password, or what a driver says, which may quote them.
import { knock, knockSaid } from '../probes/tcp.ts'
import { type Finding, fail, ok } from './finding.ts'
import { hostsIn, placeIn } from './hosts.ts'

/** ms until it has answered. */
const LIMIT = 4_000

type Environment = Readonly<Record<string, string | undefined>>

/** `driver`: that of MongoDB, where it is installed. */
export async function database(env: Environment, signal: AbortSignal, driver = installed): Promise<Finding[]> {
  const { MONGODB_URI, DATABASE_URL } = env
  const found: Promise<Finding>[] = []
  if (MONGODB_URI) found.push(mongodb(MONGODB_URI, signal, 'MONGODB_URI', driver))
  if (DATABASE_URL) found.push(byScheme(DATABASE_URL, signal, driver))
  if (found.length === 0) return [ok('database', 'none is named: neither MONGODB_URI nor DATABASE_URL is set')]
  return Promise.all(found)
}

type Driver = typeof import('mongodb')
const installed = (): Promise<Driver | undefined> => import('mongodb').catch(() => undefined)

function byScheme(text: string, signal: AbortSignal, driver: typeof installed): Promise<Finding> {
  const [, scheme = 'unknown'] = /^([a-z][a-z0-9+.-]*):\/\//.exec(text) ?? []
  if (/^postgres(ql)?$/.test(scheme)) return postgres(text, signal)
  if (/^mongodb(\+srv)?$/.test(scheme)) return mongodb(text, signal, 'DATABASE_URL', driver)
  return Promise.resolve(ok('database', `DATABASE_URL is of the kind ${scheme}, which is not tried`))
}

const START = 'start it, or mend the address; duramen goes on once it answers'

async function postgres(text: string, signal: AbortSignal): Promise<Finding> {
  const hosts = hostsIn(text)
  if (!hosts) return notAnAddress('DATABASE_URL', 'postgres://HOST:5432/NAME')
  const [first, ...more] = hosts
  if (first === undefined) return ok('database', 'PostgreSQL without a host in its address is not tried')
  if (more.length > 0) return ok('database', `PostgreSQL at ${hosts.join(',')} is not tried: these are several`)
  const { host, port } = placeIn(first, 5432)
  const place = `PostgreSQL at ${first.includes(`:${port}`) ? first : `${first}:${port}`}`
  const knocked = await knock(host, port, { ask: sslRequest(), limit: LIMIT, signal })
  if (knocked.outcome !== 'answered') return fail('database', `${place} ${knockSaid(knocked)}`, START)
  const [letter] = knocked.reply.toString('latin1')
  if (letter === 'S' || letter === 'N') return ok('database', `${place} answers${letter === 'S' ? ', with TLS' : ''}`)
  return fail('database', `${place} answers, but not as PostgreSQL does`, 'look at the port in DATABASE_URL')
}

/** The first message of its protocol that needs no credentials: "do you speak TLS?" */
function sslRequest(): Buffer {
  const message = Buffer.alloc(8)
  message.writeInt32BE(8, 0)
  message.writeInt32BE(80877103, 4)
  return message
}

async function mongodb(uri: string, signal: AbortSignal, name: string, driver: typeof installed): Promise<Finding> {
  const hosts = hostsIn(uri)
  if (!hosts?.length || !/^mongodb(\+srv)?:/.test(uri)) return notAMongo(name)
  const place = `MongoDB at ${hosts.join(',')}`
  const mongo = await driver()
  if (mongo) return await hello(mongo, uri, place, name)
  if (uri.startsWith('mongodb+srv:')) return ok('database', `${place} is not tried: that needs the package mongodb`)
  if (hosts.some((one) => one.startsWith('%'))) return ok('database', `${place} is not tried: that is a socket`)
  const knocks = await Promise.all(
    hosts.map((one) => {
      const { host, port } = placeIn(one, 27017)
      return knock(host, port, { limit: LIMIT, signal })
    }),
  )
  const answered = knocks.find(({ outcome }) => outcome === 'answered')
  return answered
    ? ok('database', `${place} takes connections`)
    : fail('database', `${place} ${knockSaid(knocks[0]!)}`, START)
}

async function hello({ MongoClient }: Driver, uri: string, place: string, name: string): Promise<Finding> {
  let client: InstanceType<typeof MongoClient> | undefined
  try {
    client = new MongoClient(uri, { serverSelectionTimeoutMS: LIMIT, connectTimeoutMS: LIMIT })
    await client.db().command({ hello: 1 })
    return ok('database', `${place} answers`)
  } catch (error) {
    return client === undefined ? notAMongo(name) : mongoFinding(error as Error, place, name)
  } finally {
    await client?.close()
  }
}

/** AuthenticationFailed, Unauthorized, and what Atlas says instead. */
const CREDENTIALS: readonly unknown[] = [18, 13, 8000]

/** What an error of the driver says of the server, by its kind and code only: its text may quote the address. */
export function mongoFinding(error: Error, place: string, name: string): Finding {
  const { name: kind, code } = error as Error & { code?: unknown }
  if (kind === 'MongoParseError') return notAMongo(name)
  if (/^Mongo(ServerSelection|Network|NetworkTimeout|TopologyClosed)Error$/.test(kind))
    return fail('database', `${place} does not answer (${kind})`, START)
  if (CREDENTIALS.includes(code))
    return fail('database', `${place} refuses these credentials`, `mend the user or password in ${name}`)
  if (typeof code === 'number')
    return fail(
      'database',
      `${place} answers, and refuses: code ${code}`,
      'look at its log, and at the options in the address',
    )
  return fail('database', `${place} could not be asked (${kind})`, `look at the options in ${name}`)
}

const notAMongo = (name: string): Finding => notAnAddress(name, 'mongodb://HOST:27017/NAME')

const notAnAddress = (name: string, example: string): Finding =>
  fail(
    'database',
    `${name} is no address of a database`,
    `give it as ${example}, with @ : / in a password as %40 %3A %2F`,
  )
