// How the holder of a lock shows that it lives to processes that can't see its pid: a socket beside the lock, at which it listens.
//
// K2 The kernel answers for it while the process lives, also while that is stopped or busy, and refuses from its end on, whatever
//   that was. Containers have pids and networks of their own, but a socket that lies in a folder of both is one socket.
// K10 Each has a name of its own, under which it only ever stands once it is listened at. So one that refuses is a dead one's,
//   and may be removed. The draft that it is before refuses for a moment, too: it is left alone while it is new.
import { randomBytes } from 'node:crypto'
import { chmod, lstat, readdir, rename, unlink } from 'node:fs/promises'
import { createServer } from 'node:net'
import { basename, dirname, join } from 'node:path'
import { connectTo, listenAt } from './unix-socket.ts'

/** A socket that is listened at. */
export interface Presence {
  /** Of the socket, in the folder of the lock. */
  readonly name: string
  /** Nobody listens any more, and the socket is gone. Never rejects: what stays is removed by the next holder. */
  end(): Promise<void>
}

/** What may be there again in a moment, or a draft that was taken for a dead one's: a lock without a socket would be worse than none. */
const SHORT: readonly unknown[] = ['EMFILE', 'ENFILE', 'ENOMEM', 'ENOBUFS', 'ENOSPC', 'EDQUOT', 'ENOENT']
/** So long a draft is taken for one of a process that is about to listen. */
const DRAFT_MS = 10_000

/**
 * Listens beside the lock `file`, with mode 0600, and keeps no process alive by it. Undefined where no socket can be made, as
 * on a file system that has none: a lock without one says so by that. Rejects when the system is short of something.
 */
export async function present(file: string): Promise<Presence | undefined> {
  const id = `${randomBytes(4).toString('hex')}.sock`
  const name = `${basename(file)}.${id}`
  const place = join(dirname(file), name)
  const draft = `${file}.new-${id}`
  const server = createServer((caller) => caller.destroy())
  server.on('error', () => {}).unref() // of a caller who could not be let in: the kernel has answered him
  const end = async (path: string) => {
    server.close()
    await remove(path)
  }
  try {
    await listenAt(server, draft)
    await chmod(draft, 0o600)
    await rename(draft, place)
    return { name, end: () => end(place) }
  } catch (error) {
    await end(draft)
    if (SHORT.includes((error as NodeJS.ErrnoException).code)) throw error
    return undefined
  }
}

/** Whether somebody listens at a socket beside the lock `file`, as far as can be known: whoever can't be asked may live. */
export async function isPresent(file: string, name: string): Promise<boolean> {
  const place = placeOf(file, name)
  const answer = await ask(place)
  return answer === 'ENOENT' ? isThere(place) : answer !== 'ECONNREFUSED'
}

/** Whether it is known that nobody does: the socket is there, and refuses. */
export const isAbandoned = async (file: string, name: string): Promise<boolean> =>
  (await ask(placeOf(file, name))) === 'ECONNREFUSED'

/** Removes the sockets that dead ones have left beside the lock `file`. */
export async function removeLeft(file: string): Promise<void> {
  const names = await readdir(dirname(file)).catch(() => []) // they do no harm
  for (const name of names) {
    const place = join(dirname(file), name)
    const kind = kindOf(basename(file), name)
    if (kind === undefined || (kind === 'draft' && !(await isOld(place))) || (await isPresent(file, name))) continue
    await remove(place)
  }
}

/** Not by `rm`: in Node 22, whoever removes a socket by it gets packages behind links, as pnpm has them, by the wrong path. */
const remove = (socket: string) => unlink(socket).catch(() => {})

/** What a name is beside a lock of this name. */
function kindOf(lock: string, name: string): 'draft' | 'socket' | undefined {
  const found = name.startsWith(`${lock}.`) ? /^(new-)?[0-9a-f]{8}\.sock$/.exec(name.slice(lock.length + 1)) : null
  return found === null ? undefined : found[1] === undefined ? 'socket' : 'draft'
}

const isOld = (place: string): Promise<boolean> =>
  lstat(place).then(
    ({ mtimeMs }) => Math.abs(Date.now() - mtimeMs) > DRAFT_MS,
    () => false,
  )

const placeOf = (file: string, name: string) => join(dirname(file), basename(name))

/** Undefined where somebody listens, else what the system says. */
const ask = (place: string): Promise<string | undefined> =>
  connectTo(place).then(
    (socket) => void socket.destroy(),
    (error) => String(error.code),
  )

/** The way to it may be what is missing. */
const isThere = (place: string): Promise<boolean> =>
  lstat(place).then(
    () => true,
    (error) => error.code !== 'ENOENT',
  )
