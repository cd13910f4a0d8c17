// Where messages go, and the two shapes of loggers that users have.
import { DuramenError } from './errors.ts'

/** Where messages go. `console` fits, and what is shaped like it (winston, tslog, loglevel). */
export interface Logger {
  debug(message: string, details?: object): void
  info(message: string, details?: object): void
  warn(message: string, details?: object): void
  error(message: string, details?: object): void
}

/** A logger that takes the details first: pino, its children, and so the logger of Fastify. */
export interface PinoLogger {
  debug(details: object, message: string): void
  info(details: object, message: string): void
  warn(details: object, message: string): void
  error(details: object, message: string): void
  /** What each line of it carries; loggers shaped like console have no such method, and are told apart by it. */
  bindings(): object
}

const LEVELS = ['debug', 'info', 'warn', 'error'] as const

/**
 * Any logger, as the one shape that is used inside. Errors reach pino as `err`, where its serializer looks for them. One
 * that throws, or can't print what it is given, harms nobody: the message is lost.
 * Throws BAD_OPTION for what lacks a level: it would be missed when something has gone wrong already.
 */
export function loggerOf(given: Logger | PinoLogger): Logger {
  for (const level of LEVELS)
    if (typeof (given as Partial<Logger>)[level] !== 'function')
      throw new DuramenError('BAD_OPTION', `logger: it has no function '${level}'`, {
        hint: 'Give console, a pino logger, or an object with debug, info, warn and error.',
      })
  const say =
    (level: (typeof LEVELS)[number]) =>
    (message: string, details?: object): void => {
      try {
        if ('bindings' in given)
          given[level](details === undefined || isPlain(details) ? (details ?? {}) : { err: details }, message)
        else if (details === undefined) given[level](message)
        else given[level](message, details)
      } catch {} // there is nowhere to say so
    }
  return { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') }
}

/** A logger whose messages say whose they are. */
export function namedLog(logger: Logger, name: string): Logger {
  const say =
    (level: keyof Logger) =>
    (message: string, details?: object): void =>
      logger[level](`${name}: ${message}`, details)
  return { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') }
}

/** What is thrown need not be an Error, nor even an object. */
const isPlain = (details: unknown): details is object =>
  typeof details === 'object' && details !== null && !(details instanceof Error)
