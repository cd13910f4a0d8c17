// `duramen monitor`: watches an application from outside, restarts it when it no longer lives, tells people (V2).
//
// What to do is decided in watch.ts. Here it is done: a restart does not wait for those who are told, and an end does not wait
// for anybody.
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { isDuramenError } from '../../ports/errors.ts'
import type { Notifier } from '../../ports/notifier.ts'
import { printable } from '../../ports/printable.ts'
import { textOf } from '../../ports/thrown.ts'
import { EXIT, exitOfSignal } from '../exit-codes.ts'
import type { Interruption } from '../interruption.ts'
import type { Screen, Style } from '../screen.ts'
import { observe } from './observe.ts'
import type { Restart } from './restart.ts'
import { type Action, afterRestart, beginWatch, decide, type Settings, type Watch } from './watch.ts'

export interface MonitorCommand {
  readonly url: URL
  /** Seconds. */
  readonly interval: number
  readonly maxRestarts: number
  /** Undefined: it is only watched. */
  readonly restart: Restart | undefined
  readonly notifiers: readonly Notifier[]
  /** One look, without a restart. */
  readonly once: boolean
  readonly json: boolean
}

/** /live must fail so often in a row (S6). */
const IN_A_ROW = 3
/** ms at the start, and after a restart (S6). */
const GRACE = 30_000

/**
 * Watches until it is told to end; the answer is the exit code: 0, 1 for `once` where something is wrong, or SIGPIPE's where
 * nobody reads what it says.
 */
export async function monitor(command: MonitorCommand, screen: Screen, interrupted: Interruption): Promise<number> {
  const { url, interval, maxRestarts, restart, once } = command
  const { signal } = interrupted
  const settings: Settings = {
    name: url.host,
    maxRestarts: restart && !once ? maxRestarts : 0,
    unrestarted: once
      ? '--once only looks'
      : restart
        ? '--max-restarts is 0'
        : 'neither --restart nor --socket was given',
    inARow: once ? 1 : IN_A_ROW,
    grace: once ? 0 : GRACE,
  }
  const doing = new Doing(command, screen, signal)
  let watch = beginWatch(performance.now(), settings)
  if (!once) doing.say(`watches ${url.href} every ${interval} s`)
  for (let first = true; !signal.aborted; first = false) {
    const seen = await observe(url, { tries: once ? IN_A_ROW : 1, first }, signal)
    if (signal.aborted) break
    const decided = decide(watch, seen, performance.now(), settings)
    watch = decided.watch
    for (const action of decided.actions) {
      await doing.do(action)
      if (action.type === 'restart') watch = afterRestart(watch, performance.now(), settings)
    }
    if (once) return await doing.closed(watch)
    await sleep(interval * 1000, undefined, { signal }).catch(() => {})
  }
  // it was asked to end; or nobody reads it any more, and whoever looks after it must know
  return interrupted.exitCode === exitOfSignal('SIGPIPE') ? interrupted.exitCode : EXIT.fine
}

const STYLES: Readonly<Record<string, Style>> = { critical: 'red', problem: 'yellow', solved: 'green' }

class Doing {
  readonly #command: MonitorCommand
  readonly #screen: Screen
  readonly #signal: AbortSignal
  readonly #telling = new Set<Promise<void>>()

  constructor(command: MonitorCommand, screen: Screen, signal: AbortSignal) {
    this.#command = command
    this.#screen = screen
    this.#signal = signal
  }

  async do(action: Action): Promise<void> {
    if (action.type === 'say') return this.say(action.text)
    if (action.type === 'restart') return await this.#restart(action.why, action.nth)
    const { level, title, text } = action
    this.#line({ level, title, text }, `${title}${text && `. ${text}`}`, STYLES[level])
    for (const notifier of this.#command.notifiers) {
      const telling = this.#tell(notifier, action).finally(() => this.#telling.delete(telling))
      this.#telling.add(telling)
    }
  }

  say(text: string): void {
    this.#line({ level: 'info', title: text }, text)
  }

  /** Those who are told are waited for. */
  async closed({ open }: Watch): Promise<number> {
    await Promise.all(this.#telling)
    const wrong = Object.keys(open)
    if (wrong.length === 0) this.say(`${this.#command.url.host} is well`)
    return wrong.some((kind) => !['cpu', 'memory', 'loop'].includes(kind)) ? EXIT.failed : EXIT.fine
  }

  async #restart(why: string, nth: number): Promise<void> {
    const { restart, maxRestarts, url } = this.#command
    const which = `restart ${nth} of ${maxRestarts} of ${url.host}`
    this.#line({ level: 'restart', title: which, text: why }, `${which}: ${why}`, 'yellow')
    const ended = new Promise<void>((resolve) =>
      this.#signal.addEventListener('abort', () => resolve(), { once: true }),
    )
    try {
      await Promise.race([restart!(why), ended])
    } catch (error) {
      this.#failed(which, error)
    }
  }

  async #tell(notifier: Notifier, { level, title, text }: Extract<Action, { type: 'tell' }>): Promise<void> {
    const told = await notifier.notify({ level, title, text, at: Date.now() }, this.#signal)()
    if (told._tag === 'Left' && !this.#signal.aborted) this.#failed(notifier.name, told.left)
  }

  #failed(what: string, error: unknown): void {
    const message = textOf(error)
    const hint = (isDuramenError(error) && error.hint) || ''
    this.#line({ level: 'failed', title: `${what}: ${message}`, text: hint }, `${what}: ${message} ${hint}`, 'red')
  }

  #line(record: object, text: string, style?: Style): void {
    const at = new Date().toISOString()
    if (this.#command.json) return this.#screen.line(JSON.stringify({ at, ...record }))
    const plain = printable(`${at} ${text}`)
    this.#screen.line(style ? this.#screen.style(style, plain) : plain)
  }
}
