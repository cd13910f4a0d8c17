// The logger of a host and its adapters (G1), put together: what was given becomes plain data without secrets (plain.ts), pino
// decides on levels and writes JSON, line.ts writes lines, and both go to the console and to a file (log-file.ts).
import { Console } from 'node:console'
import { resolve } from 'node:path'
import { pino } from 'pino'
import { assertNames, badOption, optionsGiven } from '../../ports/given.ts'
import type { Logger } from '../../ports/logger.ts'
import { printable } from '../../ports/printable.ts'
import { bytesIn } from '../../ports/size.ts'
import { dump, textOf } from '../../ports/thrown.ts'
import { lineOf } from './line.ts'
import { LogFile, type Rotation } from './log-file.ts'
import { Plain } from './plain.ts'
import { type IsSecret, secretNames } from './secrets.ts'

/** A size in bytes, or a string with a unit: `'500kB'`, `'10MB'`, `'1GB'`. */
type Size = number | `${number}${'B' | 'kB' | 'MB' | 'GB'}`

/** Options of `createLogger`. */
export interface LoggerOptions {
  /** Who speaks: stands in every line. */
  readonly name: string
  /** What is less than this is not logged. Default `info`. */
  readonly level?: 'debug' | 'info' | 'warn' | 'error'
  /** `line`: `2025-12-17 10:30:00 - name - LEVEL - message`. `json`: an object a line, as pino writes it. Default `line`. */
  readonly format?: 'line' | 'json'
  /** Whether times of lines are in UTC rather than local. Default false. */
  readonly utc?: boolean
  /** Whether it goes to the console: to stdout, or to stderr. Default true, stdout. */
  readonly console?: boolean | 'stderr'
  /** A file that it goes to. It is made with its folder, for this user alone. Default none. */
  readonly file?: string
  /** When the file is put aside, under a name with the time. Default as below. */
  readonly rotate?: {
    /** Before it would be larger than this: bytes, or `'500kB'`, `'10MB'`, `'1GB'`. Default 10 MB. */
    readonly size?: Size
    /** How many of those that were put aside are kept. Default 5. */
    readonly keep?: number
  }
  /** More names of values that are secret: whole names, or patterns. Default none; docs/LOGGING.md has those that always are. */
  readonly redact?: readonly (string | RegExp)[]
}

/** A logger for `openHost({ logger })` and everything beside it. None of its calls throws. */
export interface CreatedLogger extends Logger {
  /** Closes the file. What is logged later goes to the console, or to stderr where that is off. */
  close(): void
}

const LEVELS = ['debug', 'info', 'warn', 'error'] as const
/** What pino itself puts into a line; details of these names get a `_` behind, so that they can't pass for it. */
const PINOS = ['level', 'time', 'pid', 'hostname', 'name', 'msg']

/**
 * A logger for the console and a file with rotation, in lines or JSON; passwords, tokens, pictures and the like are not shown.
 * A line is in the file once the call returns. Where the file can't be written, lines go to the console, until it can again.
 * Throws BAD_OPTION.
 */
export function createLogger(options: LoggerOptions): CreatedLogger {
  const { name, level, format, utc, console, file, rotation, isSecret } = settings(options)
  const out = console === false ? undefined : screen(console === 'stderr' ? process.stderr : process.stdout)
  const last = screen(process.stderr)
  const logFile = file === undefined ? undefined : new LogFile(file, rotation, (message) => log.error(message))

  const put = (text: string) => {
    const kept = logFile?.write(text) ?? false
    if (out) out(text)
    else if (!kept) last(text)
  }
  // What pino would make of an error has been made already. Details come to it one level down: of those that look like a
  // request it would keep the request alone.
  const inner = pino(
    {
      name,
      level,
      serializers: { err: (facts) => facts },
      formatters: { log: ({ details }) => details as Record<string, unknown> },
    },
    { write: (json) => put(`${printable(json.trimEnd())}\n`) },
  )

  const say =
    (level: (typeof LEVELS)[number]) =>
    (first: unknown, second?: unknown): void => {
      if (!inner.isLevelEnabled(level)) return
      try {
        const { message, details } = ordered(first, second)
        const plain = new Plain(isSecret).details(details)
        const text = new Plain(isSecret).text(message)
        if (format === 'json') inner[level]({ details: withoutPinos(plain) }, text)
        else put(lineOf(name, { time: Date.now(), level, message: text, details: plain }, utc))
      } catch (error) {
        last(`a line of the log was lost: ${printable(textOf(error))}\n`)
      }
    }
  const log = { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') }
  return { ...log, close: () => logFile?.close() }
}

/** Pino's own order, details first, is taken as well: what is no text must not pass by the names of its secrets. */
function ordered(first: unknown, second: unknown): { message: string; details: unknown } {
  if (typeof first === 'string') return { message: first, details: second }
  if (typeof second === 'string') return { message: second, details: first }
  const message = first instanceof Error ? textOf(first) : ''
  return { message, details: second === undefined ? first : [first, second] }
}

/** Writes to a stream; one that is closed or full is not waited for, and does not end the process. */
function screen(stream: NodeJS.WriteStream): (text: string) => void {
  const screen = new Console({ stdout: stream, ignoreErrors: true })
  return (text) => screen.log('%s', text.slice(0, -1))
}

const withoutPinos = (details: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(details).map(([key, value]) => [PINOS.includes(key) ? `${key}_` : key, value]))

interface Settings extends Required<Pick<LoggerOptions, 'name' | 'level' | 'format' | 'utc' | 'console'>> {
  readonly file: string | undefined
  readonly rotation: Rotation
  readonly isSecret: IsSecret
}

function settings(options: LoggerOptions): Settings {
  const given = optionsGiven('createLogger', options, 'Give { name }.')
  const names = ['name', 'level', 'format', 'utc', 'console', 'file', 'rotate', 'redact']
  assertNames('createLogger', given, names)
  const { name, level = 'info', format = 'line', utc = false, console = true, file, redact = [] } = given
  if (typeof name !== 'string' || name === '' || printable(name) !== name)
    throw badOption('createLogger name', name, 'is no name', "Give one like 'server'.")
  oneOf('level', level, LEVELS)
  oneOf('format', format, ['line', 'json'])
  oneOf('utc', utc, [true, false])
  oneOf('console', console, [true, false, 'stderr'])
  if (file !== undefined && (typeof file !== 'string' || file === '' || file.includes('\0')))
    throw badOption('createLogger file', file, 'is no path', "Give one like './logs/server.log'.")
  if (file === undefined && console === false)
    throw badOption('createLogger console', console, 'leaves nowhere to log to', 'Give a file, or leave it out.')
  if (!Array.isArray(redact) || redact.some((one) => typeof one !== 'string' && !(one instanceof RegExp)))
    throw badOption('createLogger redact', redact, 'is no list of names', "Give one like ['pin', /^card/].")
  return {
    name,
    level,
    format,
    utc,
    console,
    file: file === undefined ? undefined : resolve(file), // the process may change its folder
    rotation: rotationOf(given.rotate),
    isSecret: secretNames(redact),
  }
}

function oneOf(name: string, value: unknown, values: readonly unknown[]): void {
  if (!values.includes(value))
    throw badOption(`createLogger ${name}`, value, 'is none', `There are ${values.map((one) => dump(one)).join(', ')}.`)
}

function rotationOf(rotate: LoggerOptions['rotate']): Rotation {
  const given = optionsGiven('createLogger rotate', rotate, "Give { size: '10MB', keep: 5 }.")
  assertNames('createLogger rotate', given, ['size', 'keep'])
  return { size: bytesOf(given.size ?? '10MB'), keep: count('rotate.keep', given.keep ?? 5, 0) }
}

function bytesOf(size: Size): number {
  const bytes = typeof size === 'string' ? bytesIn(size) : size
  if (typeof bytes === 'number' && bytes >= 1) return bytes
  throw badOption('createLogger rotate.size', size, 'is no size', "Give bytes as a number, or a string like '10MB'.")
}

function count(name: string, value: unknown, least: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= least) return value
  throw badOption(`createLogger ${name}`, value, 'is no count', `Give ${least} or more.`)
}
