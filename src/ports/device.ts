// The port of a device that performs operations, such as a fingerprint reader. A driver knows how; when, how often and what
// to do about failures is the device machine's business (src/machines/device).
import type { TaskEither } from 'fp-ts/lib/TaskEither.js'
import type { DuramenError } from './errors.ts'

/** Types of one operation: what it is given, and what it answers. */
export interface Operation {
  readonly input: unknown
  readonly output: unknown
}

/** Types of the operations of a driver, by name: `{ capture: { input: void; output: Image }, led: { input: boolean; output: void } }`. */
export type Operations<Ops> = { readonly [K in keyof Ops]: Operation }

/** What has to be known of an operation without running it. */
export interface OperationTraits {
  /** It may be performed again where it is unknown whether it was (D4). */
  readonly repeatable: boolean
  /** It sets something that a connection forgets: its last input is given again after each one (D2). Default false. */
  readonly setting?: boolean
  /** How long it may take, ms. */
  readonly timeout: number
}

/** Which device it is. */
export interface DeviceIdentity {
  /** As people know it: `SecuGen (virtual) Virtual fingerprint reader`. */
  readonly name: string
  readonly serial: string | null
  /** Where it is now, e.g. `/dev/bus/usb/001/004`; null where there is no such thing. */
  readonly node: string | null
}

/** Whether this process may open the device (D6). */
export type Access =
  | { readonly state: 'absent' }
  | { readonly state: 'granted'; readonly node: string | null }
  | {
      readonly state: 'denied'
      readonly node: string
      /** Of the node, e.g. `root:root`; null where the device is there, but not its node, as in a container. */
      readonly owner: string | null
      /** Of the node, in octal digits, e.g. `0660`; null where it is not there. */
      readonly mode: string | null
      /** What mends it for good: a line for /etc/udev/rules.d; null where its mode allows it, but the system refuses it, as in a container. */
      readonly rule: string | null
    }

/** The rungs of the ladder, from the gentlest on (D5). `reopen` and `replug` end with an open connection. */
export const RUNGS = ['clearHalt', 'reset', 'reopen', 'replug'] as const

/** A rung of the ladder: `clearHalt`, `reset`, `reopen`, `replug`. */
export type Rung = (typeof RUNGS)[number]

/** What an operation has answered. */
export interface Performed<Output> {
  readonly output: Output
  /** What size and hash in the journal are taken of; absent for an operation without data (D9). */
  readonly bytes?: Uint8Array
}

/** One attempt at an operation. */
export interface Attempt {
  /** The same for every attempt. */
  readonly key: string
  /** From 1 on. */
  readonly attempt: number
  readonly signal: AbortSignal
}

/**
 * What drives one device. Calls come one at a time, but for `access` and `watch`, and for `close`, which may come at any time.
 *
 * Errors tell by their code what kind they are: USB_GONE (the device is not there), USB_ACCESS (it may not be opened), LOCKED
 * (another process drives it), USB_STALL, USB_TIMEOUT, USB_PROTOCOL, USB_BUSY, IO (recovery may help); any other is the
 * caller's: it is not tried again.
 */
export interface DeviceDriver<Ops extends Operations<Ops>> {
  /** For messages, and as the instance's id: `1162:2201`, or with the serial number. */
  readonly name: string
  readonly operations: { readonly [K in keyof Ops]: OperationTraits }
  /** Never set: it carries the types of the operations, so that `createDevice` finds them in drivers that are more than this. */
  readonly types?: Ops
  /** Is it there, and may it be opened? Does not talk to it. */
  access(signal: AbortSignal): TaskEither<DuramenError, Access>
  /** Finds, locks and opens it; a connection that is there is closed first. */
  connect(signal: AbortSignal): TaskEither<DuramenError, DeviceIdentity>
  perform<K extends keyof Ops & string>(
    op: K,
    input: Ops[K]['input'],
    attempt: Attempt,
  ): TaskEither<DuramenError, Performed<Ops[K]['output']>>
  /** Right: it answers. Changes nothing of it. */
  probe(signal: AbortSignal): TaskEither<DuramenError, void>
  /** One rung of the ladder (D5). Right: which device it is, where the connection was made anew. */
  recover(rung: Rung, signal: AbortSignal): TaskEither<DuramenError, DeviceIdentity | undefined>
  /**
   * Tells when this very device comes and goes, also where a rung has it do so, but not of what is connected anew by then; the
   * answer ends it. Never throws: where events can't come, it polls (D7).
   */
  watch(listener: (change: 'attached' | 'detached') => void): () => void
  /** Frees everything, the lock included. May be called twice. */
  close(): TaskEither<DuramenError, void>
}
