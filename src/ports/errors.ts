// The one error class, and the closed list of its codes. It lives with the ports because every port speaks it.

/** What can go wrong, as a closed list; docs/ERRORS.md says what to do about each. */
export type DuramenErrorCode =
  // sending and opening
  | 'BAD_EVENT'
  | 'BAD_INPUT'
  | 'NOT_SERIALIZABLE'
  | 'BINARY_TOO_LARGE'
  | 'MACHINE_THREW'
  | 'MAILBOX_FULL'
  | 'PARKED'
  | 'PAUSED'
  | 'STILL_ACTIVE'
  | 'NOT_TRIMMABLE'
  | 'TRIMMED'
  | 'UNKNOWN_EFFECT'
  | 'UNKNOWN_MACHINE'
  | 'UNKNOWN_INSTANCE'
  | 'INSTANCE_EXISTS'
  | 'BAD_MACHINE'
  | 'BAD_ID'
  | 'BAD_OPTION'
  | 'NO_HOST'
  | 'TIMEOUT'
  | 'CLOSED'
  | 'REPLAY_DIVERGED'
  // journal
  | 'CONFLICT'
  | 'OUTCOME_UNKNOWN'
  | 'JOURNAL_DAMAGED'
  | 'JOURNAL_FAILED'
  | 'LOCKED'
  | 'NOT_EMPTY'
  | 'BACKUP_MISMATCH'
  | 'NO_BACKUP'
  | 'EXPORT_DAMAGED'
  | 'ERASED'
  | 'CODEC_MISSING'
  | 'CODEC_FAILED'
  | 'WRONG_KEY'
  // files and images
  | 'IO'
  | 'NO_SPACE'
  | 'NO_PERMISSION'
  | 'READ_ONLY'
  | 'FOLDER_MISSING'
  | 'FILE_GONE'
  | 'FILE_CHANGED'
  | 'NOT_A_FILE'
  | 'NOT_AN_IMAGE'
  | 'OUTPUTS_MISSING'
  | 'PAIRING_MISMATCH'
  | 'PROCESSING_CRASHED'
  | 'STORE_MISMATCH'
  | 'NO_IMAGE'
  | 'ABORTED'
  | 'NOT_CONNECTED'
  | 'MISSING_PACKAGE'
  // devices
  | 'USB_ACCESS'
  | 'USB_GONE'
  | 'USB_BUSY'
  | 'USB_STALL'
  | 'USB_TIMEOUT'
  | 'USB_PROTOCOL'
  | 'USB_ABSENT'
  | 'DEVICE_UNAVAILABLE'
  | 'DEVICE_DENIED'
  | 'DEVICE_CLOSED'
  | 'OPERATION_FAILED'
  | 'INTERRUPTED'
  | 'QUEUE_FULL'
  // programs that are looked after
  | 'CHILD_FAILED'
  // telling people
  | 'NOTIFY_FAILED'
  // start-up
  | 'STARTUP_FAILED'
  | 'TASK_TIMEOUT'

/** Where it went wrong; only what is known is set. */
export interface ErrorPlace {
  machine?: string
  instance?: string
  event?: string
  /** A path inside a value (`event.items[3].raw`) or inside a machine (`@1/pay@17`). */
  path?: string
  stream?: string
  seq?: number
  position?: number
  file?: string
  offset?: number
  /** Of an export, from 1 on. */
  line?: number
  pid?: number
  host?: string
}

/** What an error says beside its code and message. */
export interface DuramenErrorOptions {
  /** What it came from. Default: nothing. */
  cause?: unknown
  /** Whether the same call may succeed later without anything being changed. Default false. */
  retryable?: boolean
  /** What to do next, as one sentence. Default: none. */
  hint?: string
  /** Machine, instance, event and path, or file and offset, as far as they are known. Default: nothing. */
  where?: ErrorPlace
}

/**
 * The only error that duramen rejects with. `code` is for programs, `message` and `hint` are for people,
 * `where` names machine, instance, event and path, or file and offset.
 */
export class DuramenError extends Error {
  override readonly name = 'DuramenError'
  readonly code: DuramenErrorCode
  readonly retryable: boolean
  readonly where: ErrorPlace
  readonly hint: string | undefined

  constructor(code: DuramenErrorCode, message: string, options: DuramenErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retryable = options.retryable ?? false
    this.where = options.where ?? {}
    this.hint = options.hint
  }
}

/** True for every error that duramen made, also one that came back from a journal as plain data. */
export function isDuramenError(value: unknown): value is DuramenError {
  try {
    return value instanceof Error && value.name === 'DuramenError' && 'code' in value
  } catch {
    return false // what is thrown may throw itself when it is looked at
  }
}
