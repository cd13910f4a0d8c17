// Whether the database that the environment names can be reached. What is printed holds the host and port only: never a
// user's name, a password, or what a driver says, which may quote them.
import { knock, knockSaid } from '../probes/tcp.ts'
import { type Finding, fail, ok } from './finding.ts'

/** ms until it has answered. */
const LIMIT = 4_000

type Environment = Readonly<Record<string, string | undefined>>

export async function database(env: Environment, signal: AbortSignal): Promise<Finding[]> {
  const { MONGODB_URI, DATABASE_URL } = env
  const found: Promise<Finding>[] = []
  if (MONGODB_URI) found.push(mongodb(MONGODB_URI, signal))
  if (DATABASE_URL) found.push(byScheme(DATABASE_URL, signal))
  if (found.length === 0) return [ok('database', 'none is named: neither MONGODB_URI nor DATABASE_URL is set')]
  return Promise.all(found)
}

function byScheme(text: string, signal: AbortSignal): Promise<Finding> {
  const [scheme = ''] = text.split(':', 1)
  if (/^postgres(ql)?$/.test(scheme)) return postgres(text, signal)
  if (/^mongodb(\+srv)?$/.test(scheme)) return mongodb(text, signal, 'DATABASE_URL')
  const known = /^[a-z][a-z0-9+.-]*$/.test(scheme) && scheme !== text ? scheme : 'unknown'
  return Promise.resolve(ok('database', `DATABASE_URL is of the kind ${known}, which is not tried`))
}

const START = 'start it, or mend the address; duramen goes on once it answers'

async function postgres(text: string, signal: AbortSignal): Promise<Finding> {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url?.hostname) return notAnAddress('DATABASE_URL', 'postgres://HOST:5432/NAME')
  const place = `PostgreSQL at ${url.hostname}:${url.port || 5432}`
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const knocked = await knock(host, Number(url.port || 5432), { ask: sslRequest(), limit: LIMIT, signal })
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

async function mongodb(uri: string, signal: AbortSignal, name = 'MONGODB_URI'): Promise<Finding> {
  const [, srv, list] = /^mongodb(\+srv)?:\/\/(?:[^/?]*@)?([^/?@]+)/.exec(uri) ?? []
  if (list === undefined) return notAnAddress(name, 'mongodb://HOST:27017/NAME')
  const place = `MongoDB at ${list}`
  const driver = await import('mongodb').catch(() => undefined)
  if (driver) return await hello(driver, uri, place, name)
  if (srv) return ok('database', `${place} is not tried: that needs the package mongodb`)
  const knocks = await Promise.all(
    list.split(',').map((one) => {
      const { hostname, port } = new URL(`tcp://${one}`)
      return knock(hostname.replace(/^\[|\]$/g, ''), Number(port || 27017), { limit: LIMIT, signal })
    }),
  )
  const answered = knocks.find(({ outcome }) => outcome === 'answered')
  return answered
    ? ok('database', `${place} takes connections`)
    : fail('database', `${place} ${knockSaid(knocks[0]!)}`, START)
}

async function hello(
  { MongoClient }: typeof import('mongodb'),
  uri: string,
  place: string,
  name: string,
): Promise<Finding> {
  let client: InstanceType<typeof MongoClient> | undefined
  try {
    client = new MongoClient(uri, { serverSelectionTimeoutMS: LIMIT, connectTimeoutMS: LIMIT })
    await client.db().command({ hello: 1 })
    return ok('database', `${place} answers`)
  } catch (error) {
    const { name: kind, code } = error as Error & { code?: unknown }
    if (code === 18)
      return fail('database', `${place} refuses these credentials`, `mend the user or password in ${name}`)
    if (client === undefined || kind === 'MongoParseError') return notAnAddress(name, 'mongodb://HOST:27017/NAME')
    return fail('database', `${place} does not answer (${kind})`, START)
  } finally {
    await client?.close()
  }
}

const notAnAddress = (name: string, example: string): Finding =>
  fail('database', `${name} is no address of a database`, `give it as ${example}`)
