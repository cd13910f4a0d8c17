// A driver as the machine's work calls it: one call at a time, none without a limit, settings given again after each connection.
//
// D1 A call begins once the one before has ended, also one that was aborted. A driver that does not end an aborted call is not
//    waited for longer than GRACE: what comes next is a rung of the ladder.
// D2 D5 The last input of each setting is performed again on every new connection. One that the device refuses then, with
//    nothing wrong with the device, is dropped: a device without it is of more use than none.
import { type Either, isLeft } from 'fp-ts/lib/Either.js'
import type { TaskEither } from 'fp-ts/lib/TaskEither.js'
import { answerOf } from '../../ports/answer.ts'
import type { Clock } from '../../ports/clock.ts'
import type {
  Access,
  Attempt,
  DeviceDriver,
  DeviceIdentity,
  OperationTraits,
  Performed,
  Rung,
} from '../../ports/device.ts'
import { DuramenError } from '../../ports/errors.ts'
import type { Logger } from '../../ports/logger.ts'
import { faultOf, forTheJournal } from './faults.ts'
import type { Connected } from './types.ts'

/** How long a call that was aborted may take to end, ms. */
const GRACE = 2000

/** A driver of whatever operations. */
export type AnyDriver = DeviceDriver<any>

export class Driving {
  readonly driver: AnyDriver
  readonly #clock: Clock
  /** How long a call may take that is no operation, ms. */
  readonly #limit: number
  readonly #logger: Logger
  /** The last good input of each setting. */
  readonly #settings = new Map<string, unknown>()
  /** Ends when the call under way has. */
  #turn: Promise<unknown> = Promise.resolve()
  #closed = false

  constructor(driver: AnyDriver, clock: Clock, limit: number, logger: Logger) {
    this.driver = driver
    this.#clock = clock
    this.#limit = limit
    this.#logger = logger
  }

  /** The traits of an operation, if the driver has it. */
  traits(op: string): OperationTraits | undefined {
    const { operations } = this.driver
    return Object.hasOwn(operations, op) ? (operations as Record<string, OperationTraits>)[op] : undefined
  }

  /** D6: is it there, and may it be opened? Beside any call that is under way. */
  async access(signal: AbortSignal): Promise<Access> {
    const access = await this.#limited('access', this.#limit, signal, (limited) => this.driver.access(limited))
    if (access.state === 'absent') return { state: 'absent' }
    const { node } = access
    if (access.state !== 'denied') return { state: 'granted', node }
    const { owner, mode, rule } = access
    return { state: 'denied', node: access.node, owner, mode, rule }
  }

  connect(signal: AbortSignal): Promise<Connected> {
    return this.#alone(signal, () => this.#connect(signal))
  }

  /** D2 */
  refresh(signal: AbortSignal): Promise<DeviceIdentity> {
    return this.#alone(signal, async () => {
      await this.#close(signal)
      return this.#open(signal)
    })
  }

  perform(op: string, input: unknown, attempt: Attempt): Promise<Performed<unknown>> {
    return this.#alone(attempt.signal, async () => {
      const performed = await this.#perform(op, input, attempt)
      if (this.traits(op)!.setting) this.#settings.set(op, input)
      return performed
    })
  }

  probe(signal: AbortSignal): Promise<void> {
    return this.#alone(signal, () => this.#probe(signal))
  }

  /** D5: climbs a rung, and has the device prove that it works. */
  recover(rung: Rung, signal: AbortSignal): Promise<DeviceIdentity | null> {
    return this.#alone(signal, async () => {
      try {
        const identity = await this.#limited(rung, this.#limit, signal, (limited) => this.driver.recover(rung, limited))
        await this.#probe(signal)
        await this.#give(signal)
        return identity ? known(identity) : null
      } catch (error) {
        await this.#whyGone(error, signal)
        throw error
      }
    })
  }

  /** Once the call under way has ended; none begins after it. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#turn
    await this.#close(new AbortController().signal)
  }

  #close(signal: AbortSignal): Promise<void> {
    return this.#limited('close', this.#limit, signal, () => this.driver.close())
  }

  async #connect(signal: AbortSignal): Promise<Connected> {
    const access = await this.access(signal)
    if (access.state !== 'granted') return refused(access)
    try {
      return { state: 'connected', identity: await this.#open(signal) }
    } catch (error) {
      const now = await this.#whyGone(error, signal)
      if (now) return refused(now)
      throw error
    }
  }

  /**
   * After an error that says that the device is gone or may not be opened: what is in its way, if that can be seen. Throws a
   * fault where nothing is: to connect again at once would be no remedy.
   */
  async #whyGone(error: unknown, signal: AbortSignal): Promise<Access | undefined> {
    const fault = faultOf(error)
    if (fault !== 'gone' && fault !== 'denied') return undefined
    const now = await this.access(signal)
    if (now.state !== 'granted') return now
    const { message, hint } = error as DuramenError
    throw new DuramenError('IO', message, { cause: error, retryable: true, ...(hint !== undefined && { hint }) })
  }

  async #open(signal: AbortSignal): Promise<DeviceIdentity> {
    const identity = await this.#limited('connect', this.#limit, signal, (limited) => this.driver.connect(limited))
    await this.#give(signal)
    return known(identity)
  }

  /** Gives the device its settings. */
  async #give(signal: AbortSignal): Promise<void> {
    for (const [op, input] of this.#settings) {
      try {
        await this.#perform(op, input, { key: `setting/${op}`, attempt: 1, signal })
      } catch (error) {
        if (signal.aborted || faultOf(error) !== 'answer') throw error
        this.#settings.delete(op)
        const { message } = forTheJournal(error, op)
        this.#logger.warn(`${this.driver.name} has refused its setting ${op}, and goes on without it: ${message}`)
      }
    }
  }

  #perform(op: string, input: unknown, { key, attempt, signal }: Attempt): Promise<Performed<unknown>> {
    const { timeout } = this.traits(op)!
    return this.#limited(op, timeout, signal, (limited) =>
      this.driver.perform(op, input as never, { key, attempt, signal: limited }),
    )
  }

  #probe(signal: AbortSignal): Promise<void> {
    return this.#limited('probe', this.#limit, signal, (limited) => this.driver.probe(limited))
  }

  /** One call after the other. */
  async #alone<A>(signal: AbortSignal, call: () => Promise<A>): Promise<A> {
    const before = this.#turn
    let done = () => {}
    this.#turn = new Promise<void>((resolve) => (done = resolve))
    try {
      await before
      signal.throwIfAborted()
      if (this.#closed) throw new DuramenError('DEVICE_CLOSED', `${this.driver.name} is closed`)
      return await call()
    } finally {
      done()
    }
  }

  /** An answer of the driver, within a limit; it is told by its signal when nobody wants it any more. */
  async #limited<A>(
    what: string,
    ms: number,
    signal: AbortSignal,
    call: (signal: AbortSignal) => TaskEither<DuramenError, A>,
  ): Promise<A> {
    signal.throwIfAborted()
    const limited = new AbortController()
    let hung = (_: unknown) => {}
    const late = new Promise<never>((_, reject) => (hung = reject))
    let callOff: () => void
    const end = (reason: unknown) => {
      callOff()
      callOff = this.#clock.after(GRACE, () => hung(reason))
      limited.abort(reason)
    }
    const overtime = timedOut(this.driver.name, what, ms)
    const aborted = () => end(signal.reason)
    callOff = this.#clock.after(ms, () => end(overtime))
    signal.addEventListener('abort', aborted)
    try {
      const answer = await Promise.race([attempted(`${this.driver.name}: ${what}`, call, limited.signal), late])
      if (isLeft(answer)) throw limited.signal.reason === overtime ? overtime : answer.left
      return answer.right
    } finally {
      callOff()
      signal.removeEventListener('abort', aborted)
    }
  }
}

/** Of what a driver answers, what goes into the journal (D9). */
const known = ({ name, serial, node }: DeviceIdentity): DeviceIdentity => ({ name, serial, node })

const refused = (access: Access): Connected =>
  access.state === 'denied' ? { state: 'denied', access } : { state: 'absent' }

/** A port's promise never rejects; one that does all the same has no answer but the error. */
async function attempted<A>(
  name: string,
  call: (signal: AbortSignal) => TaskEither<DuramenError, A>,
  signal: AbortSignal,
): Promise<Either<DuramenError, A>> {
  return answerOf(name, call(signal))
}

function timedOut(name: string, what: string, ms: number): DuramenError {
  return new DuramenError('USB_TIMEOUT', `${name}: ${what} has not ended within ${ms} ms`, {
    retryable: true,
    hint: 'The device is recovered by itself; where this is its usual time, give it a longer timeout.',
  })
}
