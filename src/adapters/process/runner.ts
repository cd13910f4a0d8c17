// A program as a child of this process, looked after (V1).
//
// V1i never two of it: each run is recorded in one turn with its spawn and marked in its environment; none begins while
//   something of an earlier one lives, also where the supervisor was killed in between.
// V1j nothing is left: the program has a group of its own, and with it ends all that it has begun, also what left that group.
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { realpathSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import * as TE from 'fp-ts/lib/TaskEither.js'
import { fsError } from '../../journal/fs-error.ts'
import { makeFoldersSync } from '../../journal/make-folders.ts'
import type { Child, ChildOrder, ChildRunner, Exit } from '../../ports/child.ts'
import { DuramenError, isDuramenError } from '../../ports/errors.ts'
import { assertNames, assertPath, badOption, optionsGiven } from '../../ports/given.ts'
import { type Logger, loggerOf, type PinoLogger } from '../../ports/logger.ts'
import { textOf } from '../../ports/thrown.ts'
import { endAll, pidsOf, signalAt } from './group.ts'
import { type Known, leftovers } from './leftovers.ts'
import { MARK, marked, markOf } from './mark.ts'
import { passOn, reading } from './output.ts'
import { forget, record, recorded } from './record.ts'
import { type Identity, processTable } from './table.ts'

/** Options of `childRunner`. */
export interface ChildRunnerOptions {
  /** Where what the program writes to stdout goes as it comes. Default `process.stdout`. */
  stdout?: Writable
  /** The same of stderr. Default `process.stderr`. */
  stderr?: Writable
  /** A folder where both are kept as `output.log`, which is made if need be. Default: they are not kept. */
  logDir?: string
  /** Bytes of that file before it is rotated. Default 10,000,000. */
  logSize?: number
  /** How many older files are kept beside it, from 1 on. Default 5. */
  logKeep?: number
  /** What became of output that nobody takes, and of processes that were left. Default `console`. */
  logger?: Logger | PinoLogger
}

const NAMES = ['stdout', 'stderr', 'logDir', 'logSize', 'logKeep', 'logger']

/** ms that what a program leaves behind has to end by itself once it was asked. */
const REST_LIMIT = 5_000

/**
 * Runs one program, which is found again by this state folder, made if need be: two programs need two folders, and one
 * supervisor at a time may have it (its journal's lock does that). Linux and macOS; what has left the program's group is found
 * by its environment on Linux, else only while the process that began it lives. Throws BAD_OPTION, or what the file system says
 * of the folder.
 */
export function childRunner(folder: string, options?: ChildRunnerOptions): ChildRunner {
  assertPath('childRunner folder', folder)
  const given = optionsGiven<ChildRunnerOptions>('childRunner options', options, 'Leave it out, or give { logDir: … }.')
  assertNames('childRunner', given, NAMES)
  const { stdout = process.stdout, stderr = process.stderr, logDir, logSize = 10_000_000, logKeep = 5 } = given
  const logger = loggerOf(given.logger ?? console)
  if (logDir !== undefined) assertPath('childRunner logDir', logDir)
  for (const [name, value] of Object.entries({ logSize, logKeep }))
    if (!Number.isSafeInteger(value) || value < 1)
      throw badOption(`childRunner ${name}`, value, 'is no whole number from 1 on', 'Leave it out for the default.')
  for (const [name, value] of Object.entries({ stdout, stderr }))
    if (typeof (value as Partial<Writable> | null)?.write !== 'function' || typeof value.on !== 'function')
      throw badOption(`childRunner ${name}`, value, 'is no stream that can be written', 'Leave it out for the default.')
  if (process.platform === 'win32')
    throw new DuramenError('CHILD_FAILED', 'Programs are looked after on Linux and macOS only', {
      hint: 'On Windows, let its service manager do it.',
    })
  const { place, mark } = made(folder)
  const system = processTable()
  const consoles = { stdout: passOn(stdout, 'stdout', logger), stderr: passOn(stderr, 'stderr', logger) }
  const file = logDir === undefined ? undefined : { folder: logDir, size: logSize, keep: logKeep }
  const left = (known?: Known) => leftovers(system, mark, recorded(place), known)

  function begin(order: ChildOrder): Promise<Child> {
    const child = spawnWith(mark, order)
    const { pid } = child
    if (pid === undefined) return once(child, 'error').then(([error]) => Promise.reject(unstartable(error, order)))
    const identity: Identity = system.one(pid) ?? { pid, started: '' }
    try {
      record(place, identity)
    } catch (error) {
      logger.warn(`Process ${pid} could not be recorded: ${textOf(error)}`)
    }
    return Promise.resolve(watched(child, identity))
  }

  function watched(child: ChildProcessByStdio<null, Readable, Readable>, identity: Identity): Child {
    const readOut = reading({ stdout: child.stdout, stderr: child.stderr }, consoles, file, logger)
    const own = (known?: Known) => leftovers(system, mark, { ...identity, watched: true }, known)
    const ends = new Set<Promise<unknown>>()
    let tidied = false // its group lives on without its leader until then; from then on its pid may be another's, and so may its group
    child.on('error', () => {}) // of a signal that came too late
    const leader = new Promise<Exit>((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })))
    const exited = leader.then(async (exit) => {
      await Promise.allSettled(ends)
      await tidy(own)
      tidied = true
      await readOut()
      forget(place)
      return exit
    })
    return {
      pid: identity.pid,
      exited,
      signal(name) {
        if (!tidied) signalAt(-identity.pid, name as NodeJS.Signals)
      },
      async end(limit) {
        if (tidied) return exited
        const ending = endAll(system, own, limit)
        ends.add(ending)
        await ending
        return exited
      },
    }
  }

  /** What a program has left when it ended by itself. */
  async function tidy(own: (known?: Known) => Promise<readonly Identity[]>): Promise<void> {
    try {
      const rest = await own()
      if (rest.length === 0) return
      logger.warn(`It has ended and left ${pidsOf(rest)}, which are ended`)
      await endAll(system, own, REST_LIMIT)
    } catch (error) {
      logger.error(textOf(error), error as Error)
    }
  }

  return {
    clear: (limit) => TE.tryCatch(() => endAll(system, left, limit), failed),
    start: (order) =>
      TE.tryCatch(async () => {
        const found = await left()
        if (found.length > 0) throw stillThere(found)
        return begin(order)
      }, failed),
  }
}

function made(folder: string): { readonly place: string; readonly mark: string } {
  try {
    makeFoldersSync(resolve(folder))
    const place = realpathSync(folder)
    return { place, mark: markOf(place) }
  } catch (error) {
    throw fsError(error, `make the state folder ${folder}`, { file: folder })
  }
}

function spawnWith(mark: string, order: ChildOrder) {
  const { command, args, cwd = process.cwd(), env = process.env } = order
  try {
    return spawn(command, args, {
      cwd,
      env: { ...env, [MARK]: marked(mark, env[MARK]) },
      detached: true, // a session and a group of its own
      stdio: ['inherit', 'pipe', 'pipe'],
    })
  } catch (error) {
    throw unstartable(error as NodeJS.ErrnoException, order)
  }
}

const failed = (error: unknown): DuramenError =>
  isDuramenError(error)
    ? error
    : new DuramenError('CHILD_FAILED', textOf(error), { cause: error, hint: 'Look at the cause.', retryable: true })

const stillThere = (found: readonly Identity[]) =>
  new DuramenError('CHILD_FAILED', `Of an earlier run there still is ${pidsOf(found)}`, {
    where: { pid: found[0]!.pid },
    hint: 'It is ended before the next run; if it can not be, look with `ps -o pid,user,stat,wchan -p …`.',
    retryable: true,
  })

/** What the system has to say, and where it is no use to try again. */
function unstartable(error: NodeJS.ErrnoException, { command, cwd = process.cwd() }: ChildOrder): DuramenError {
  const errno = error.code ?? textOf(error)
  const later = ['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE', 'ETXTBSY'].includes(errno)
  const hints: Record<string, string> = {
    ENOENT: `There is no program '${command}' in the PATH, or no folder '${cwd}'.`,
    EACCES: `${command} is a folder, or is not executable: chmod +x, or name the program that runs it.`,
    ENOEXEC: `${command} is no program: name the one that runs it, or begin the file with #!.`,
  }
  return new DuramenError('CHILD_FAILED', `Could not start ${command}: ${errno}`, {
    cause: error,
    hint: hints[errno] ?? (later ? 'The system has too little left; it is tried again.' : 'Mend the command.'),
    retryable: later,
  })
}
