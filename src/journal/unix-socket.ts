// A unix socket at a path of any length. The kernel takes about a hundred bytes: a longer one is reached by way of its folder,
// which Linux names by a descriptor that is open on it, and macOS by a short link.
import { mkdtemp, open, rm, symlink } from 'node:fs/promises'
import { connect, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'

const MAX_PATH = 100 // bytes of sun_path: 108 on Linux, 104 on macOS

/** Another path to the same file, that is short, until it is released. */
interface Way {
  readonly path: string
  release(): Promise<void>
}

/**
 * Resolves once the server listens at this path; rejects with what the system says. Whoever closes it removes the file: Node
 * removes the one that has the path it listened at, which is another path here, or none any more.
 */
export async function listenAt(server: Server, path: string): Promise<void> {
  const way = await wayTo(path)
  try {
    await new Promise<void>((done, failed) => {
      // exclusive: in a worker of node:cluster it is that one's own, which nobody else keeps open
      server.once('error', failed).listen({ path: way.path, exclusive: true }, () => {
        server.off('error', failed)
        done()
      })
    })
  } catch (error) {
    await way.release()
    throw error
  }
  // not before: what Node removes then must not be found by the way to another folder
  server.once('close', () => void way.release())
}

/** The socket, connected; rejects with what the system says. */
export async function connectTo(path: string): Promise<Socket> {
  const way = await wayTo(path)
  try {
    return await new Promise((done, failed) => {
      const socket = connect(way.path)
      socket.once('error', failed).once('connect', () => done(socket.off('error', failed)))
    })
  } finally {
    await way.release()
  }
}

function wayTo(path: string): Way | Promise<Way> {
  const whole = resolve(path)
  if (fits(whole)) return { path: whole, release: async () => {} }
  return process.platform === 'linux' ? byDescriptor(whole) : byLink(whole)
}

async function byDescriptor(path: string): Promise<Way> {
  const folder = await open(dirname(path))
  return { path: `/proc/self/fd/${folder.fd}/${basename(path)}`, release: () => folder.close() }
}

/** For systems where a descriptor is no folder. */
export async function byLink(path: string): Promise<Way> {
  const name = basename(path)
  const room = await mkdtemp(join(fits(join(tmpdir(), 'duramen-XXXXXX', 'f', name)) ? tmpdir() : '/tmp', 'duramen-'))
  const release = () => rm(room, { recursive: true, force: true })
  try {
    await symlink(dirname(path), join(room, 'f'))
    return { path: join(room, 'f', name), release }
  } catch (error) {
    await release()
    throw error
  }
}

const fits = (path: string) => Buffer.byteLength(path) <= MAX_PATH
