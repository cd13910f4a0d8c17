// A unix socket at a path that the kernel would not take.
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readlink, realpath, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { byLink, connectTo, listenAt } from '../../src/journal/unix-socket.ts'

let folder = ''
let deep = ''
const servers: Server[] = []

beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'duramen-socket-')))
  deep = join(folder, 'a'.repeat(100), 'b'.repeat(100))
  await mkdir(deep, { recursive: true })
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await Promise.all(servers.splice(0).map(closed))
  await rm(folder, { recursive: true, force: true })
})

async function serve(path: string, word: string): Promise<Server> {
  const server = createServer((socket) => socket.end(word))
  await listenAt(server, path)
  servers.push(server)
  return server
}
const heard = async (path: string) => text(await connectTo(path))
const closed = async (server: Server) => {
  if (server.listening) await once(server.close(), 'close')
}

it('listens and connects at a short path, a long one, and a long one that is relative', async () => {
  await serve(join(folder, 's'), 'short')
  await serve(join(deep, 's'), 'long')
  expect(await heard(join(folder, 's'))).toBe('short')
  expect(await heard(join(deep, 's'))).toBe('long')
  expect(await heard(relative(process.cwd(), join(deep, 's')))).toBe('long')
})

it('needs no short folder for temporary files, and leaves nothing there', async () => {
  vi.stubEnv('TMPDIR', deep)
  await serve(join(deep, 's'), 'long')
  expect(await heard(join(deep, 's'))).toBe('long')
  expect(await readdir(deep)).toEqual(['s'])
})

it('says of a socket that is not there what the system says', async () => {
  for (const path of [join(folder, 's'), join(deep, 's'), join(deep, 'none', 's')])
    await expect(connectTo(path)).rejects.toMatchObject({ code: 'ENOENT' })
  await expect(listenAt(createServer(), join(deep, 'none', 's'))).rejects.toMatchObject({ code: 'ENOENT' })
  await serve(join(deep, 's'), 'first')
  await expect(listenAt(createServer(), join(deep, 's'))).rejects.toMatchObject({ code: 'EADDRINUSE' })
})

it('a server that closes takes nothing from one that has begun since, and keeps no folder open', async () => {
  const other = join(folder, 'c'.repeat(200))
  await mkdir(other)
  const first = await serve(join(deep, 's'), 'first')
  await serve(join(other, 's'), 'second')
  await closed(first)
  expect(await heard(join(other, 's'))).toBe('second')
  if (process.platform !== 'linux') return
  const fds = await readdir('/proc/self/fd')
  const open = await Promise.all(fds.map((fd) => readlink(join('/proc/self/fd', fd)).catch(() => '')))
  expect(open.filter((path) => path.startsWith(folder))).toEqual([other])
})

it('by a link, where a descriptor is no folder: short also where TMPDIR is long, and gone once it is released', async () => {
  const server = await serve(join(deep, 's'), 'long')
  for (const room of [tmpdir(), deep]) {
    vi.stubEnv('TMPDIR', room)
    const { path, release } = await byLink(join(deep, 's'))
    expect(path.length).toBeLessThan(100)
    expect(await heard(path)).toBe('long')
    await release()
    await expect(connectTo(path)).rejects.toMatchObject({ code: 'ENOENT' })
  }
  expect(server.listening).toBe(true)
})
