// `duramen supervise -- CMD`: a program that is looked after by this process (V1).
//
// V1 the history is on record, in a folder of its own that one supervisor at a time may have; whoever comes after one that was
//   killed goes on counting, and ends what was left before it starts the program again.
import { hostname } from 'node:os'
import { join, resolve } from 'node:path'
import { pipe } from 'fp-ts/lib/function.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import { createLogger } from '../../adapters/logging/index.ts'
import { serveControl } from '../../adapters/process/control.ts'
import { type ControlRequest, childRunner } from '../../adapters/process/index.ts'
import { fileJournal } from '../../journal/index.ts'
import { type Supervisor, supervisor } from '../../machines/index.ts'
import type { Child, ChildRunner, SupervisorStatus } from '../../ports/child.ts'
import { DuramenError, isDuramenError } from '../../ports/errors.ts'
import type { Logger } from '../../ports/logger.ts'
import { textOf } from '../../ports/thrown.ts'
import { type Host, openHost } from '../../runtime/host.ts'
import type { People } from '../commands/people.ts'
import { EXIT, exitOfSignal } from '../exit-codes.ts'
import type { Interruption } from '../interruption.ts'
import { counted } from '../text.ts'
import { environmentFor, type Mode } from './environment.ts'
import { notifierFor } from './notifiers.ts'
import { onSignals } from './signals.ts'
import { watchFiles } from './watch.ts'

/** K9 space is given back by segments; the history of a supervisor is small. */
const SEGMENT_BYTES = 1024 * 1024

/** How often within a window, and times in ms. */
type Limits = Readonly<Record<'restartDelay' | 'maxRestarts' | 'window' | 'stable' | 'stopTimeout', number>>

/** As commander has read it. */
export interface SuperviseCommand extends People, Limits {
  readonly name: string
  /** Default: `.duramen/supervise/<name>`. */
  readonly state?: string
  readonly dev?: true
  readonly prod?: true
  /** ms. */
  readonly backoff?: number
  /** What is watched. Default: nothing, or with `--dev` the sources in the working folder. */
  readonly watch?: readonly string[]
  /** Default: `logs` in the state folder. */
  readonly logDir?: string
  readonly logSize: number
  readonly logKeep: number
  readonly json?: true
}

/** Looks after the program until it has ended for good. The answer: the exit code. `before`: who has heard of signals so far. */
export async function supervise(
  [command, ...args]: readonly [string, ...string[]],
  given: SuperviseCommand,
  before: Interruption,
): Promise<number> {
  const { name, restartDelay, maxRestarts, window, stable, backoff, stopTimeout, logSize, logKeep } = given
  const mode: Mode | undefined = given.dev ? 'dev' : given.prod ? 'prod' : undefined
  const state = resolve(given.state ?? join('.duramen', 'supervise', name))
  const logDir = resolve(given.logDir ?? join(state, 'logs'))
  const logger = createLogger({
    name,
    format: given.json ? 'json' : 'line',
    console: 'stderr', // stdout is the program's
    file: join(logDir, 'supervise.log'),
    rotate: { size: logSize, keep: logKeep },
  })
  const notifier = notifierFor(given, logger)
  const program = kept(childRunner(state, { logDir, logSize, logKeep, logger }), logger)
  if (process.pid === 1)
    logger.warn(
      'Nobody reaps orphans for process 1, which this is: use `docker run --init`, or `init: true` in compose',
    )

  let one: Supervisor | undefined
  let asked = false
  let stopping: Promise<void> | undefined
  let fail!: (error: unknown) => void
  const failed = new Promise<never>((_, reject) => {
    fail = reject
  })
  failed.catch(() => {}) // it is looked at below
  const stop = () => {
    asked = true
    stopping ??= one?.stop()
    stopping?.catch(fail)
  }
  const unlisten = onSignals(
    {
      stop(signal) {
        logger.info(`${signal}: ${name} is ended`)
        stop()
      },
      kill(signal) {
        program.child()?.signal('SIGKILL')
        process.exit(exitOfSignal(signal))
      },
      pass: (signal) => program.child()?.signal(signal),
    },
    process.stdin.isTTY || process.stdout.isTTY,
  )
  before.release() // not sooner: process 1 never hears of a signal that nobody listens for
  const closing: (() => unknown)[] = [unlisten, logger.close]
  try {
    const host = await opened(state, logger)
    closing.unshift(() => host.close())
    if (asked) return EXIT.fine
    // its arguments may hold a secret, in a form that nobody knows
    logger.info(
      `${name} is looked after, with the state folder ${state}: ${command}, ${counted(args.length, 'argument')}`,
    )
    one = await supervisor(host, {
      id: name,
      runner: program.runner,
      order: { command, args, cwd: process.cwd(), env: environmentFor(process.env, mode) },
      restartDelay,
      maxRestarts,
      window,
      stable,
      stopTimeout,
      ...(backoff !== undefined && { backoff: { max: backoff } }),
      ...(notifier && { notifier }),
    })
    if (asked) stop()
    closing.unshift(await controlled(state, one, stop, logger))
    const watch = given.watch ?? (mode === 'dev' ? [] : undefined)
    if (watch !== undefined) closing.unshift(await reloading(one, watch, [state, logDir], logger))
    const { outcome } = await Promise.race([one.ended, failed])
    await stopping
    return outcome === 'critical' ? EXIT.critical : EXIT.fine
  } finally {
    for (const close of closing) await close()
  }
}

/** A runner of which the child that was begun last is known, and that says what to do where none could be begun. */
function kept(runner: ChildRunner, logger: Logger): { readonly runner: ChildRunner; child(): Child | undefined } {
  let last: Child | undefined
  const start: ChildRunner['start'] = (order) =>
    pipe(
      runner.start(order),
      TE.map((child) => (last = child)),
      TE.mapLeft((error) => {
        if (error.hint !== undefined) logger.warn(error.hint)
        return error
      }),
    )
  return { runner: { ...runner, start }, child: () => last }
}

async function opened(state: string, logger: Logger): Promise<Host> {
  try {
    const journal = await fileJournal(join(state, 'journal'), { segmentBytes: SEGMENT_BYTES, logger })
    return await openHost({ journal, logger })
  } catch (error) {
    if (!isDuramenError(error) || error.code !== 'LOCKED') throw error
    const { pid, host } = error.where
    if (host !== hostname() || pid === undefined) throw error // it is none of here, and the error says what to do
    throw new DuramenError('LOCKED', `Another supervisor has ${state}: process ${pid}`, {
      cause: error,
      where: error.where,
      hint: 'Stop that one, or give this one a --name of its own.',
    })
  }
}

/** Answers at the control socket. Without one the program is looked after all the same. */
async function controlled(
  state: string,
  one: Supervisor,
  stop: () => void,
  logger: Logger,
): Promise<() => Promise<void>> {
  const answer = async ({ do: wanted, why }: ControlRequest): Promise<SupervisorStatus> => {
    if (wanted === 'restart') await one.restart(why ?? 'asked for at the control socket')
    if (wanted === 'stop') {
      logger.info(`${why ?? 'asked for at the control socket'}: ${one.status().id} is ended`)
      stop()
    }
    return one.status()
  }
  try {
    return (await serveControl(state, answer)).close
  } catch (error) {
    logger.warn(`There is no control socket: ${textOf(error)}`)
    return async () => {}
  }
}

function reloading(one: Supervisor, paths: readonly string[], apart: readonly string[], logger: Logger) {
  return watchFiles(
    { folder: process.cwd(), paths, apart },
    (path) => {
      one.restart(`${path} has changed`).catch((error) => {
        if (!isDuramenError(error) || error.code !== 'CLOSED') logger.warn(textOf(error))
      })
    },
    logger,
  )
}
