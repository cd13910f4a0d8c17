// How a supervisor is asked from another process: a socket in its state folder; one line of JSON in, one line out.
//
// V1l
// - Only its own user is let in: the socket is bound inside a folder of mode 0700, is 0600 before anybody else can see
//   it, and is moved into place. So what a dead supervisor left is replaced, by the one who holds the folder's lock.
// - A path of any length will do, also one that is relative.
// - Junk harms nobody: a line has a limit, a caller who says nothing is let go, and callers have a limit.
import { chmod, mkdir, rename, rm, unlink } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { fsError } from '../../journal/fs-error.ts'
import { connectTo, listenAt } from '../../journal/unix-socket.ts'
import type { SupervisorStatus } from '../../ports/child.ts'
import { DuramenError, type DuramenErrorCode, isDuramenError } from '../../ports/errors.ts'
import { assertNames, assertPath, badOption, optionsGiven } from '../../ports/given.ts'
import { partOf, textOf } from '../../ports/thrown.ts'
import { type Duration, milliseconds } from '../../runtime/duration.ts'

/** What a supervisor is asked: how it is doing; to restart its program, which does not count; to end it and itself. */
export interface ControlRequest {
  readonly do: 'status' | 'restart' | 'stop'
  /** Why, for the records. Default: none. */
  readonly why?: string
}

/** Options of `askControl`. */
export interface AskControlOptions {
  /** How long an answer may take before it rejects with TIMEOUT. Default `'5s'`. */
  timeout?: Duration
}

type Answer =
  | { readonly ok: true; readonly status: SupervisorStatus }
  | {
      readonly ok: false
      readonly error: { readonly code: DuramenErrorCode; readonly message: string; readonly hint?: string | undefined }
    }

const REQUESTS: readonly unknown[] = ['status', 'restart', 'stop']
const MAX_LINE = 65_536 // bytes of a request or an answer
const MAX_CALLERS = 32
const PATIENCE = 10_000 // ms for a caller to say its line

/** Answers at the socket of this folder until it is closed. Its caller holds the lock of the folder. */
export async function serveControl(
  folder: string,
  answer: (request: ControlRequest) => Promise<SupervisorStatus>,
): Promise<{ close(): Promise<void> }> {
  const callers = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    callers.add(socket)
    socket.on('close', () => callers.delete(socket)).on('error', () => socket.destroy())
    void converse(socket, answer)
  })
  server.on('error', () => {}) // who could not be let in sees so himself
  server.maxConnections = MAX_CALLERS
  const place = placeOf(folder)
  await bindInPrivate(server, folder, place)
  return {
    async close() {
      await unlink(place).catch(() => {}) // the next one replaces what stays
      const closed = new Promise((resolve) => server.close(resolve))
      for (const caller of callers) caller.destroySoon()
      await closed
    },
  }
}

/**
 * Asks the supervisor with this state folder (`.duramen/supervise/app`), and gives how it is doing then.
 * Rejects with CLOSED when none runs there, TIMEOUT, NO_PERMISSION for another user's, BAD_OPTION, or what the supervisor
 * answered.
 */
export async function askControl(
  folder: string,
  request: ControlRequest,
  options?: AskControlOptions,
): Promise<SupervisorStatus> {
  assertPath('askControl folder', folder)
  const given = optionsGiven<AskControlOptions>('askControl options', options)
  assertNames('askControl', given, ['timeout'])
  const limit = milliseconds(given.timeout ?? '5s', 'askControl timeout')
  const text = lineOf(request)
  const place = placeOf(folder)
  const socket = await connectTo(place).catch((error) => {
    throw unreachable(error, place, folder)
  })
  const line = await exchange(socket, text, limit, folder, place)
  const answer = parsed(line, folder)
  if (answer.ok) return answer.status
  const { code, message, hint } = answer.error
  throw new DuramenError(code, message, hint === undefined ? {} : { hint })
}

/** The request as it goes over the socket. Throws BAD_OPTION. */
function lineOf(request: ControlRequest): string {
  const wanted = partOf(request, 'do')
  if (!REQUESTS.includes(wanted))
    throw badOption('control', wanted, 'is nothing that a supervisor can do', "Ask for 'status', 'restart' or 'stop'.")
  const why = partOf(request, 'why')
  if (why !== undefined && typeof why !== 'string')
    throw badOption('control why', why, 'is no text', 'Leave it out, or say why in a few words.')
  return `${JSON.stringify({ do: wanted, why })}\n`
}

/** Where the socket of a folder is. */
const placeOf = (folder: string): string => join(folder, 'control.sock')

async function bindInPrivate(server: Server, folder: string, place: string): Promise<void> {
  const room = join(folder, '.control')
  const made = join(room, 'sock')
  const clear = async () => {
    await unlink(made).catch(() => {}) // by itself: what `rm` does to Node 22 when it meets a socket, see presence.ts
    await rm(room, { recursive: true, force: true })
  }
  try {
    await clear() // of one that was killed here
    await mkdir(room, { mode: 0o700 })
    await listenAt(server, made)
    await chmod(made, 0o600)
    await rename(made, place)
  } catch (error) {
    throw fsError(error, `make the socket ${place}`, { file: place })
  } finally {
    await clear()
  }
}

/** One caller: one line, one answer. */
async function converse(socket: Socket, answer: (request: ControlRequest) => Promise<SupervisorStatus>): Promise<void> {
  socket.setTimeout(PATIENCE, () => socket.destroy())
  const reply: Answer = await lineFrom(socket)
    .then((line) => {
      socket.setTimeout(0)
      return answer(requestIn(line))
    })
    .then(
      (status) => ({ ok: true, status }) as const,
      (error) => ({ ok: false, error: told(error) }) as const,
    )
  socket.end(`${JSON.stringify(reply)}\n`)
}

function requestIn(line: string): ControlRequest {
  let request: unknown
  try {
    request = JSON.parse(line)
  } catch {
    throw badOption('control', line.slice(0, 80), 'is no line of JSON', 'Say { "do": "status" } and a newline.')
  }
  lineOf(request as ControlRequest)
  return request as ControlRequest
}

function told(error: unknown): Extract<Answer, { ok: false }>['error'] {
  if (isDuramenError(error)) return { code: error.code, message: error.message, hint: error.hint }
  return { code: 'IO', message: textOf(error), hint: 'Look at the log of the supervisor.' }
}

/** All up to the first newline. */
function lineFrom(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let bytes = Buffer.alloc(0)
    const tooMuch = () =>
      badOption('control', `${bytes.length} bytes`, 'is too long a line', `At most ${MAX_LINE} bytes.`)
    const take = (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk])
      const end = bytes.indexOf(10)
      if (end < 0 && bytes.length <= MAX_LINE) return
      socket.off('data', take).resume() // what follows is not wanted
      if (end < 0 || end > MAX_LINE) reject(tooMuch())
      else resolve(bytes.toString('utf8', 0, end))
    }
    socket.on('data', take)
    socket.once('end', () =>
      reject(badOption('control', bytes.toString(), 'is no whole line', 'End it with a newline.')),
    )
    socket.once('error', reject)
  })
}

/** Sends a line and gives the one that comes back. */
function exchange(socket: Socket, text: string, limit: number, folder: string, place: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(
        new DuramenError('TIMEOUT', `The supervisor in ${folder} has not answered within ${limit} ms`, {
          hint: 'Ask again; if it stays so, look at its log.',
          retryable: true,
        }),
      )
      socket.destroy()
    }, limit)
    socket.write(text)
    lineFrom(socket)
      .then(resolve, (error) => reject(isDuramenError(error) ? noAnswer(folder) : unreachable(error, place, folder)))
      .finally(() => {
        clearTimeout(timer)
        socket.destroy()
      })
  })
}

function unreachable(error: NodeJS.ErrnoException, path: string, folder: string): DuramenError {
  if (['ENOENT', 'ENOTDIR', 'ECONNREFUSED'].includes(error.code ?? ''))
    return new DuramenError('CLOSED', `No supervisor runs with the state folder ${folder}`, {
      cause: error,
      where: { file: path },
      hint: 'Give the folder that `duramen supervise` says it has when it begins.',
    })
  return fsError(error, `reach the supervisor in ${folder}`, { file: path })
}

const noAnswer = (folder: string) =>
  new DuramenError('CLOSED', `The supervisor in ${folder} has gone without an answer`, {
    hint: 'It was about to end: look whether it still runs.',
  })

function parsed(line: string, folder: string): Answer {
  try {
    const answer = JSON.parse(line)
    if (typeof answer?.ok === 'boolean') return answer
  } catch {}
  throw new DuramenError('IO', `What answers in ${folder} is no supervisor`, { hint: 'Look which process it is.' })
}
