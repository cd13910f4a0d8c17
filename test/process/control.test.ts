// V1: the control socket of a supervisor: who may ask, what is answered, and what junk comes to.
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { askControl, type ControlRequest, serveControl } from '../../src/adapters/process/control.ts'
import { connectTo } from '../../src/journal/unix-socket.ts'
import type { SupervisorStatus } from '../../src/ports/child.ts'
import { DuramenError } from '../../src/ports/errors.ts'
import { deferred } from '../support/deferred.ts'

const status: SupervisorStatus = {
  id: 'supervisor',
  state: 'running',
  pid: 4711,
  startedAt: 5,
  nextStartAt: null,
  restarts: 2,
  maxRestarts: 10,
  lastExit: { code: 1, signal: null },
  problem: null,
}

let folder = ''
let asked: ControlRequest[] = []
const closing: (() => Promise<void>)[] = []
const serve = async (where = folder, answer: (request: ControlRequest) => Promise<SupervisorStatus> = remember) => {
  const server = await serveControl(where, answer)
  closing.push(server.close)
  return server
}
const remember = async (request: ControlRequest) => {
  asked.push(request)
  return status
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'duramen-control-'))
  asked = []
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await Promise.all(closing.splice(0).map((close) => close()))
  await rm(folder, { recursive: true, force: true })
})

/** What is answered to these bytes. */
async function raw(bytes: string | Buffer): Promise<string> {
  const socket = await connectTo(join(folder, 'control.sock'))
  socket.end(bytes)
  let text = ''
  socket.setEncoding('utf8').on('data', (chunk) => (text += chunk))
  await once(socket, 'close')
  return text
}

it('V1l status, restart and stop are asked and answered, from several callers at once', async () => {
  await serve()
  const answers = await Promise.all([
    askControl(folder, { do: 'status' }),
    askControl(folder, { do: 'restart', why: 'new "settings"\n' }),
    askControl(folder, { do: 'stop' }),
  ])
  expect(answers).toEqual([status, status, status])
  expect(asked.sort((a, b) => a.do.localeCompare(b.do))).toEqual([
    { do: 'restart', why: 'new "settings"\n' },
    { do: 'status' },
    { do: 'stop' },
  ])
})

it('V1l what the supervisor answers with an error reaches the caller as that error', async () => {
  await serve(folder, () => Promise.reject(new DuramenError('CLOSED', 'It has ended', { hint: 'Begin it again.' })))
  await expect(askControl(folder, { do: 'restart' })).rejects.toMatchObject({
    code: 'CLOSED',
    message: 'It has ended',
    hint: 'Begin it again.',
  })
})

it('V1l junk, half a line, too long a line and nothing at all are answered, and the next caller is served', async () => {
  await serve()
  for (const junk of ['junk\n', '{"do":"reboot"}\n', '{"do":"stop","why":5}\n', 'null\n', '{"do":"stop"}', ''])
    expect(JSON.parse(await raw(junk))).toMatchObject({ ok: false, error: { code: 'BAD_OPTION' } })
  expect(await raw(Buffer.alloc(70_000, 'x'))).toContain('too long a line')
  expect(await raw(Buffer.from([0xff, 0xfe, 10]))).toContain('is no line of JSON')
  expect(asked).toEqual([])
  expect(await askControl(folder, { do: 'status' })).toEqual(status)
})

it('V1l the socket is for its own user alone, and nothing of its making stays', async () => {
  await chmod(folder, 0o777)
  const { close } = await serve()
  expect((await stat(join(folder, 'control.sock'))).mode & 0o777).toBe(0o600)
  expect(await readdir(folder)).toEqual(['control.sock'])
  await close()
  expect(await readdir(folder)).toEqual([])
})

it('V1l what a dead supervisor left is replaced: its socket, and what it was making', async () => {
  await mkdir(join(folder, '.control'))
  await writeFile(join(folder, '.control', 'sock'), 'left')
  await writeFile(join(folder, 'control.sock'), 'left')
  await expect(askControl(folder, { do: 'status' })).rejects.toMatchObject({ code: 'CLOSED' })
  await serve()
  expect(await askControl(folder, { do: 'status' })).toEqual(status)
})

it('V1l a folder with a path that no socket could have is served all the same', async () => {
  const deep = join(folder, 'a'.repeat(90), 'b'.repeat(90))
  await mkdir(deep, { recursive: true })
  const { close } = await serve(deep)
  expect(await askControl(deep, { do: 'status' })).toEqual(status)
  expect(await readdir(deep)).toEqual(['control.sock'])
  await close()
  await expect(askControl(deep, { do: 'status' })).rejects.toMatchObject({ code: 'CLOSED' })
})

it('V1l such a folder is served and asked by a relative path as well, and where TMPDIR is as long', async () => {
  const deep = join(folder, 'a'.repeat(90), 'b'.repeat(90))
  await mkdir(deep, { recursive: true })
  vi.stubEnv('TMPDIR', deep)
  await serve(relative(process.cwd(), deep))
  expect(await askControl(relative(process.cwd(), deep), { do: 'status' })).toEqual(status)
  expect(await readdir(deep)).toEqual(['control.sock'])
})

it('V1l no supervisor, one that is silent, one that goes: the caller learns which', async () => {
  await expect(askControl(folder, { do: 'status' })).rejects.toMatchObject({ code: 'CLOSED' })
  await expect(askControl(join(folder, 'not-there'), { do: 'status' })).rejects.toMatchObject({ code: 'CLOSED' })
  let calls = 0
  const second = deferred<void>()
  const { close } = await serve(folder, () => {
    if (++calls === 2) second.resolve()
    return new Promise(() => {})
  })
  await expect(askControl(folder, { do: 'status' }, { timeout: 50 })).rejects.toMatchObject({ code: 'TIMEOUT' })
  const left = expect(askControl(folder, { do: 'status' })).rejects.toMatchObject({ code: 'CLOSED' })
  await second.promise
  await close()
  await left
})

it('refuses what is no request before anybody is asked', async () => {
  await expect(askControl('', { do: 'status' })).rejects.toMatchObject({ code: 'BAD_OPTION' })
  await expect(askControl(folder, { do: 'reboot' } as never)).rejects.toMatchObject({ code: 'BAD_OPTION' })
  await expect(askControl(folder, { do: 'stop', why: 5 } as never)).rejects.toMatchObject({ code: 'BAD_OPTION' })
  await expect(askControl(folder, { do: 'stop' }, { timout: 5 } as never)).rejects.toMatchObject({ code: 'BAD_OPTION' })
})
