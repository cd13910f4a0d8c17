// The ServiceManager that is systemd (S6). One call of the command is under way at a time; what is said meanwhile waits as
// one message, in which the last word on each thing counts. So the order holds, and nothing grows with what is said.
// What could not be told is told with the next message, or by itself a second later: a lost READY=1 would end the service.
import { assertNames, badOption, optionsGiven } from '../../ports/given.ts'
import { type Logger, loggerOf, type PinoLogger } from '../../ports/logger.ts'
import { printable } from '../../ports/printable.ts'
import type { ServiceManager } from '../../ports/service.ts'
import { tell } from './command.ts'
import { pingEvery } from './watchdog.ts'

/** Options of `systemd`. */
export interface SystemdOptions {
  /** Where NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID and PATH are read from. Default `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Where it says that systemd can't be told. Default `console`. */
  readonly logger?: Logger | PinoLogger
}

/** Most characters of a status; more is cut off. */
const STATUS = 200
/** How long after a failure it tries again by itself, ms. */
const AGAIN = 1_000

/**
 * Tells systemd how this process is doing, through the command `systemd-notify`. Where NOTIFY_SOCKET is not set nobody wants to
 * know: all calls do nothing. From `ready` on it says that the event loop turns, at half of WATCHDOG_USEC, where systemd has
 * asked this very process for it (WATCHDOG_PID). None of its calls throws; what can't be told is logged, once.
 * Throws BAD_OPTION. docs/SUPERVISION.md has the unit file.
 */
export function systemd(options?: SystemdOptions): ServiceManager {
  const given = optionsGiven('systemd', options, 'Leave it out, or give { env, logger }.')
  assertNames('systemd', given, ['env', 'logger'])
  const env = given.env ?? process.env
  if (typeof env !== 'object') throw badOption('systemd env', env, 'is no environment', 'Leave it out: process.env.')
  const logger = loggerOf(given.logger ?? console)
  return env.NOTIFY_SOCKET ? new Systemd(env, logger) : NOBODY
}

/** Nobody has started this process and waits for it. */
const NOBODY: ServiceManager = { ready() {}, status() {}, extend() {}, stopping() {}, async close() {} }

type Environment = Readonly<Record<string, string | undefined>>

class Systemd implements ServiceManager {
  readonly #env: Environment
  readonly #logger: Logger
  /** What is to be told next: the last word on each thing, in the order in which they were said. */
  #waiting = new Map<string, string>()
  #underWay: Promise<void> | undefined
  #pings: NodeJS.Timeout | undefined
  #again: NodeJS.Timeout | undefined
  #isReady = false
  #failing = false
  #missing = false
  #ended = false

  constructor(env: Environment, logger: Logger) {
    this.#env = env
    this.#logger = logger
  }

  ready(): void {
    if (this.#isReady || this.#ended) return
    this.#isReady = true
    this.#say('READY', '1')
    const every = pingEvery(this.#env, process.pid)
    if (every === undefined) return
    this.#pings = setInterval(() => this.#say('WATCHDOG', '1'), every)
    this.#pings.unref()
  }

  status(text: string): void {
    this.#say('STATUS', printable(String(text)).slice(0, STATUS)) // one line: another would be a message of its own
  }

  extend(ms: number): void {
    if (ms > 0) this.#say('EXTEND_TIMEOUT_USEC', String(Math.min(Math.round(ms * 1_000), Number.MAX_SAFE_INTEGER)))
  }

  stopping(): void {
    this.#say('STOPPING', '1')
  }

  async close(): Promise<void> {
    this.#ended = true
    clearInterval(this.#pings)
    clearTimeout(this.#again)
    if (this.#waiting.size > 0 && !this.#missing) this.#underWay ??= this.#tell() // for the last time
    await this.#underWay
  }

  #say(name: string, value: string): void {
    if (this.#ended) return
    this.#waiting.delete(name) // its place is that of the last word
    this.#waiting.set(name, value)
    this.#underWay ??= this.#tell()
  }

  /** Until nothing waits, or until it fails. */
  async #tell(): Promise<void> {
    clearTimeout(this.#again)
    while (this.#waiting.size > 0) {
      const message = this.#waiting
      this.#waiting = new Map()
      const told = await tell(
        [...message].map(([name, value]) => `${name}=${value}`),
        this.#env,
      )
      if (told.told) {
        this.#failing = false
        continue
      }
      this.#waiting = new Map([...message, ...this.#waiting])
      this.#failed(told.why, told.missing)
      break
    }
    this.#underWay = undefined
  }

  #failed(why: string, missing: boolean): void {
    if (missing) {
      this.#missing = this.#ended = true
      clearInterval(this.#pings)
    } else if (!this.#ended) {
      this.#again = setTimeout(() => {
        this.#underWay ??= this.#tell()
      }, AGAIN)
      this.#again.unref()
    }
    if (this.#failing) return
    this.#failing = true
    const hint = missing ? 'install the package systemd, or leave Type=notify out of the unit' : 'tried again by itself'
    this.#logger.warn(`systemd can't be told how this process is doing: ${why} (${hint})`)
  }
}
