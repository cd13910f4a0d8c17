// What an error of the driver or of a server means: whether the command may have been carried out all the same, and what
// a caller is told. By names, codes and labels alone: the driver may be another copy than ours.
import { type TaskEither, tryCatch } from 'fp-ts/lib/TaskEither.js'
import { DuramenError, type DuramenErrorCode } from '../../ports/errors.ts'

interface Thrown {
  readonly name?: string
  readonly message?: string
  readonly code?: unknown
  readonly syscall?: unknown
  readonly errorLabels?: readonly string[]
  /** What it was made of: a server's answer as it came. */
  readonly errorResponse?: { readonly ok?: unknown }
  readonly writeErrors?: readonly { readonly code: number; readonly errmsg?: string }[]
}

/** An error of the driver's over many documents comes wrapped, without its name. */
function unwrapped(error: unknown): unknown {
  const { errorResponse } = (error ?? {}) as Thrown
  return errorResponse instanceof Error ? errorResponse : error
}

function thrown(error: unknown): Thrown {
  const own = unwrapped(error)
  return typeof own === 'object' && own !== null ? own : {}
}

/** A command that had no answer in time. Not the driver's own: it has no limit that spares write concerns (timeoutMS). */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer'
}

/** The connection broke, or there was none; the command may have got through before. */
const AWAY = new Set([
  'MongoNetworkError',
  'MongoNetworkTimeoutError',
  'MongoServerSelectionError',
  'MongoPoolClearedError',
  'PoolClearedOnNetworkError',
  'MongoWaitQueueTimeoutError',
  'MongoOperationTimeoutError',
  'MongoStalePrimaryError',
  'MongoTopologyClosedError',
  'NoAnswer',
])

/**
 * A server that takes no more for now: Cosmos DB (16500); AdmissionQueueOverflow, RateLimitExceeded,
 * IngressRequestRateLimitExceeded.
 */
const OVERLOADED = [16500, 433, 449, 462]

/**
 * A server that stops, starts, steps down, is short of time, has forgotten a cursor, holds a lock, moves chunks to another
 * shard or has lost one: the next one, or the same one later, takes the command.
 */
const PASSING = new Set([
  ...[6, 7, 24, 43, 46, 50, 63, 89, 91, 112, 117, 133, 134, 150, 175, 189, 202, 237, 262, 365, 407, 9001],
  ...[10107, 11600, 11601, 11602, 13388, 13435, 13436, ...OVERLOADED],
])

const DUPLICATE = 11000

/** What takes away the host's client: no later try can succeed on it. */
const CLOSED = new Set(['MongoClientClosedError', 'MongoNotConnectedError'])

/** The command was carried out, but not as safely as it was to be; nobody knows whether it stays. */
const isConcern = (error: unknown) => thrown(error).name === 'MongoWriteConcernError' || isBulkConcern(error)

function isBulkConcern(error: unknown): boolean {
  const { name, writeErrors, errorResponse } = thrown(error)
  return name === 'MongoBulkWriteError' && writeErrors?.length === 0 && errorResponse?.ok !== 0
}

/** The codes of an answer: one, or one of each document that was refused. */
function codesOf(error: unknown): readonly unknown[] {
  const { code, writeErrors = [] } = thrown(error)
  return writeErrors.length > 0 ? writeErrors.map((one) => one.code) : [code]
}

/** Some documents of many may have been there already: that alone is no refusal. */
const only = (codes: readonly unknown[], some: (code: unknown) => boolean) =>
  codes.some(some) && codes.every((code) => code === DUPLICATE || some(code))

/** The name of a server could not be looked up. The driver leaves that error as it came. */
const isNameless = ({ syscall }: Thrown) => typeof syscall === 'string' && /^(query|getaddrinfo)/.test(syscall)

/** Whether the connection broke, or there was none: nobody answers. */
const isAway = (error: unknown): boolean => AWAY.has(thrown(error).name ?? '') || isNameless(thrown(error))

/** Whether the command may have been carried out or not, and may be asked again. */
export function isUnknown(error: unknown): boolean {
  const { errorLabels = [] } = thrown(error)
  return (
    isAway(error) ||
    only(codesOf(error), (code) => PASSING.has(code as number)) ||
    errorLabels.includes('RetryableWriteError') ||
    isOverloaded(error) ||
    isConcern(error)
  )
}

/** Whether the server takes no more for now. What it has not refused of many documents is done. */
export function isOverloaded(error: unknown): boolean {
  const { errorLabels = [] } = thrown(error)
  const codes = codesOf(error)
  return (
    errorLabels.includes('SystemOverloadedError') ||
    (codes.some((code) => OVERLOADED.includes(code as number)) && only(codes, (code) => PASSING.has(code as number)))
  )
}

/** For how long the server wants to be left alone, ms, where it says so: `Error=16500, RetryAfterMs=34, Details=…` */
export function retryAfter(error: unknown): number {
  const { message = '', writeErrors = [] } = thrown(error)
  const said = [message, ...writeErrors.map(({ errmsg = '' }) => errmsg)]
  return Math.max(...said.map((text) => Number(/RetryAfterMs=(\d{1,9})/.exec(text)?.[1] ?? 0)))
}

/** Whether a server has refused a command, and would refuse it again. */
export const isRefused = (error: unknown): boolean => thrown(error).name === 'MongoServerError' && !isUnknown(error)

/** Whether the server does not know such a command: CommandNotFound, CommandNotSupported. */
export const isUnheardOf = (error: unknown): boolean => [59, 115].includes(thrown(error).code as number)

/** Whether there was no server to send it to; with the driver's own retries: not any more. */
export const isUnsent = (error: unknown): boolean =>
  thrown(error).name === 'MongoServerSelectionError' || isNameless(thrown(error))

/** Whether the client has no open topology: its first connect has failed, or its owner has just closed it. */
export const isUnopened = (error: unknown): boolean => thrown(error).name === 'MongoTopologyClosedError'

/** Whether all that was refused was there already. */
export const isDuplicate = (error: unknown): boolean => codesOf(error).every((code) => code === DUPLICATE)

/**
 * ReadConcernMajorityNotEnabled, and the ways to say that an option is not known: FailedToParse, InvalidOptions,
 * CommandNotSupported, NotImplemented, 303 (Amazon DocumentDB), IDLUnknownField.
 */
const NO_MAJORITY: readonly unknown[] = [148, 9, 72, 115, 238, 303, 40415]

/** A server that has no majority to read from, or doesn't know the word. By its code: a text may quote the command. */
export const refusesMajority = (error: unknown): boolean => NO_MAJORITY.includes(thrown(error).code)

interface Meaning {
  readonly code: DuramenErrorCode
  readonly hint: string
  readonly retryable?: true
}

/** Disks and quotas that are full have a code of their own only where the server is MongoDB's, and not always there. */
const FULL = /no space left|disk full|could not extend file|over your space quota|storage quota/i

function meaningOf(error: unknown): Meaning {
  const { name = '', message = '', code } = thrown(error)
  if (CLOSED.has(name))
    return { code: 'CLOSED', hint: 'The MongoClient was closed; make a new one, and a store or connection on it.' }
  if (code === 14031 || FULL.test(message))
    return {
      code: 'NO_SPACE',
      hint: 'Free space on the disk of the database, or raise its quota; the same call then works.',
      retryable: true,
    }
  if (code === 13 || code === 18 || code === 8000)
    return {
      code: 'NO_PERMISSION',
      hint: 'See to user, password and authSource of the MongoClient; the user needs the role readWrite on the database.',
    }
  if (isConcern(error))
    return {
      code: 'OUTCOME_UNKNOWN',
      hint: 'Call again: what was written is recognised. If it stays, see to the members of the replica set.',
      retryable: true,
    }
  if (isOverloaded(error))
    return {
      code: 'NOT_CONNECTED',
      hint: 'The database takes no more for now. If it stays, raise its throughput, or the `timeout` of the store.',
      retryable: true,
    }
  if (isUnknown(error))
    return {
      code: 'NOT_CONNECTED',
      hint: 'See whether the database runs and can be reached; the same call then works.',
      retryable: true,
    }
  if (code === 10334 || name === 'MongoInvalidArgumentError' || /^BSON/.test(name))
    return { code: 'BAD_INPUT', hint: 'MongoDB takes no document of that size or form.' }
  return { code: 'IO', hint: "Look at the database's log.", retryable: true }
}

/** The DuramenError for what went wrong; `doing` completes "Could not …". */
export function mongoError(error: unknown, doing: string, signal?: AbortSignal): DuramenError {
  if (error instanceof DuramenError) return error
  const cause = withoutBytes(error)
  if (signal?.aborted)
    return new DuramenError('ABORTED', `Stopped while trying to ${doing}`, { cause, retryable: true })
  const { code, hint, retryable = false } = meaningOf(error)
  return new DuramenError(code, `Could not ${doing}: ${thrown(error).message}`, { cause, hint, retryable })
}

/** K12: an error over many documents brings them along, with an image's bytes. */
function withoutBytes(error: unknown): unknown {
  const { name, message, code, writeErrors } = thrown(error)
  return writeErrors === undefined ? unwrapped(error) : Object.assign(new Error(message), { name, code })
}

/** A port's call: `work` as a TaskEither whose error says what was being done. */
export const task = <A>(doing: string, work: () => Promise<A>, signal?: AbortSignal): TaskEither<DuramenError, A> =>
  tryCatch(
    async () => {
      signal?.throwIfAborted()
      return await work()
    },
    (error) => mongoError(error, doing, signal),
  )
