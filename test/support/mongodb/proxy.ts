// A TCP proxy between the driver and a server, that knows which command passes: it cuts the connection before a command,
// after it or in the midst of its answer, holds it back, or answers in the server's place what the server can't be
// brought to say (NotWritablePrimary, a write-concern error).
import { type AddressInfo, createServer, type Server, type Socket, connect as tcp } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { BSON } from 'mongodb'
import { deferred } from '../deferred.ts'
import { answer, answersTo, bodyOf, frames, numberOf } from './wire.ts'

type Document = BSON.Document

/** What befalls a command. */
export type Trouble =
  /** The connection is cut: the server has not got the command; has carried it out, and the answer is lost; half an answer. */
  | { readonly cut: 'before' | 'after' | 'in the answer' }
  /** The command is passed on so many ms later, and all that follows on its connection too. */
  | { readonly delay: number }
  /** The server does not get the command: this is the answer. */
  | { readonly answer: Document }
  /** The server carries the command out; this is the answer all the same. The same object: as it came. */
  | { readonly replace: (answer: Document) => Document }

/** Which commands, and how many of them. */
interface Fits {
  /** The command's name, as in `insert`. Default: any. */
  readonly command?: string
  /** The database; the driver's own commands are of `admin`. Default: any. */
  readonly db?: string
  /** The collection. Default: any. */
  readonly collection?: string
  /** Is told of each that is met. */
  readonly seen?: (command: Document) => void
  /** How many that fit are passed on first. Default: 0. */
  readonly after?: number
  /** How many are met. Default: 1. */
  readonly times?: number
}

/** A trouble that waits for its command. */
interface Waiting {
  /** How many commands it has met. */
  readonly met: number
  /** The first command it meets, once it has. */
  readonly first: Promise<Document>
  /** No more of it. */
  lift(): void
}

export interface MongoProxy {
  /** The server's, by way of the proxy. */
  readonly uri: string
  trouble(what: Trouble, fits?: Fits): Waiting
  /** Cuts every connection there is. */
  cut(): void
  /** Cuts them, and refuses new ones until `accept`. */
  refuse(): Promise<void>
  accept(): Promise<void>
  close(): Promise<void>
}

interface Rule {
  readonly what: Trouble
  readonly fits: (command: Document) => boolean
  meet(command: Document): void
}

export async function mongoProxy(uri: string): Promise<MongoProxy> {
  const target = new URL(uri)
  const rules = new Set<Rule>()
  const pairs = new Set<() => void>()
  let listener = await listen(0)
  const { port } = listener.address() as AddressInfo

  function listen(port: number): Promise<Server> {
    const server = createServer({ noDelay: true }, pair)
    return new Promise((resolve, reject) =>
      server.once('error', reject).listen(port, '127.0.0.1', () => resolve(server)),
    )
  }

  /** One connection of the driver's and the server's end of it; both are gone when one is. */
  function pair(driver: Socket): void {
    const server = tcp({ port: Number(target.port), host: target.hostname, noDelay: true })
    const gone = new AbortController()
    const cut = () => {
      pairs.delete(cut)
      gone.abort()
      driver.destroy()
      server.destroy()
    }
    pairs.add(cut)
    for (const socket of [driver, server]) socket.on('error', cut).on('close', cut)
    const answers = new Map<number, Trouble>()
    commands(driver, server, answers, gone.signal).catch(cut)
    replies(server, driver, answers).catch(cut)
  }

  async function commands(driver: Socket, server: Socket, answers: Map<number, Trouble>, gone: AbortSignal) {
    for await (const frame of frames(driver)) {
      const command = bodyOf(frame)
      const rule = command && [...rules].find(({ fits }) => fits(command))
      rule?.meet(command!)
      const what = rule?.what
      if (what === undefined) await write(server, frame)
      else if ('answer' in what) await write(driver, answer(numberOf(frame), what.answer))
      else if ('cut' in what && what.cut === 'before') throw new Error('cut')
      else {
        if ('delay' in what) await sleep(what.delay, undefined, { signal: gone })
        else answers.set(numberOf(frame), what)
        await write(server, frame)
      }
    }
  }

  async function replies(server: Socket, driver: Socket, answers: Map<number, Trouble>) {
    for await (const frame of frames(server)) {
      const to = answersTo(frame)
      const what = answers.get(to)
      answers.delete(to)
      if (what === undefined) await write(driver, frame)
      else if ('replace' in what) {
        const said = bodyOf(frame)!
        const other = what.replace(said)
        await write(driver, other === said ? frame : answer(to, other))
      } else {
        if ('cut' in what && what.cut === 'in the answer') await write(driver, frame.subarray(0, frame.length >> 1))
        throw new Error('cut')
      }
    }
  }

  const cut = () => {
    for (const one of pairs) one()
  }
  const refuse = async () => {
    const closed = new Promise((resolve) => listener.close(resolve))
    cut()
    await closed
  }
  const own = new URL(uri)
  own.host = `127.0.0.1:${port}`
  return {
    uri: own.href,
    cut,
    refuse,
    close: refuse,
    accept: async () => {
      listener = await listen(port)
    },
    trouble(what, { command, db, collection, seen, after = 0, times = 1 } = {}) {
      const first = deferred<Document>()
      let fitting = 0
      let met = 0
      const rule: Rule = {
        what,
        fits: (one) => {
          const [name] = Object.keys(one)
          if (command !== undefined && name !== command) return false
          if (db !== undefined && one.$db !== db) return false
          return (collection === undefined || one[name!] === collection) && ++fitting > after
        },
        meet: (one) => {
          first.resolve(one)
          seen?.(one)
          if (++met >= times) rules.delete(rule)
        },
      }
      rules.add(rule)
      return {
        get met() {
          return met
        },
        first: first.promise,
        lift: () => rules.delete(rule),
      }
    },
  }
}

/** Written and handed to the system, as far as it takes more; an end of the connection is an error. */
function write(socket: Socket, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => socket.write(bytes, (error) => (error ? reject(error) : resolve())))
}
