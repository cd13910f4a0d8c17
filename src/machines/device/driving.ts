// A driver as the machine's work calls it: one call at a time, none without a limit, settings given again after each connection.
//
// D1 A call begins once the one before has ended, also one that was aborted. A driver that does not end an aborted call is not
//    waited for longer than GRACE: what comes next is a rung of the ladder.
// D2 D5 The last input of each setting is performed again on every new connection.
import { type Either, isLeft } from 'fp-ts/lib/Either.js'
import type { TaskEither } from 'fp-ts/lib/TaskEither.js'
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
  /** The last good input of each setting. */
  readonly #settings = new Map<string, unknown>()
  /** Ends when the call under way has. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(driver: AnyDriver, clock: Clock, limit: number) {
    this.driver = driver
    this.#clock = clock
    this.#limit = limit
  }

  /** The traits of an operation, if the driver has it. */
  traits(op: string): OperationTraits | undefined {
    const { operations } = this.driver
    return Object.hasOwn(operations, op) ? (operations as Record<string, OperationTraits>)[op] : undefined
  }

  /** D6: is it there, and may it be opened? Beside any call that is under way. */
  access(signal: AbortSignal): Promise<Access> {
    return this.#limited('access', this.#limit, signal, (limited) => this.driver.access(limited))
  }

  connect(signal: AbortSignal): Promise<Connected> {
    return this.#alone(signal, () => this.#connect(signal))
  }

  /** D2 */
  refresh(signal: AbortSignal): Promise<void> {
    return this.#alone(signal, async () => {
      await this.#limited('close', this.#limit, signal, () => this.driver.close())
      await this.#open(signal)
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
  recover(rung: Rung, signal: AbortSignal): Promise<void> {
    return this.#alone(signal, async () => {
      await this.#limited(rung, this.#limit, signal, (limited) => this.driver.recover(rung, limited))
      await this.#probe(signal)
      await this.#give(signal)
    })
  }

  async close(): Promise<void> {
    await this.#turn
    await must(this.driver.close())
  }

  async #connect(signal: AbortSignal): Promise<Connected> {
    const access = await this.access(signal)
    if (access.state === 'absent') return access
    if (access.state === 'denied') return { state: 'denied', access }
    try {
      return { state: 'connected', identity: await this.#open(signal) }
    } catch (error) {
      const { code } = error as DuramenError
      if (code !== 'USB_GONE' && code !== 'USB_ACCESS') throw error
      // it has changed meanwhile, or the driver sees more than `access` does: that is a fault
      const now = await this.access(signal)
      if (now.state === 'absent') return now
      if (now.state === 'denied') return { state: 'denied', access: now }
      const { message, hint } = error as DuramenError
      throw new DuramenError('IO', message, { cause: error, ...(hint !== undefined && { hint }) })
    }
  }

  async #open(signal: AbortSignal): Promise<DeviceIdentity> {
    const identity = await this.#limited('connect', this.#limit, signal, (limited) => this.driver.connect(limited))
    await this.#give(signal)
    return identity
  }

  /** Gives the device its settings. */
  async #give(signal: AbortSignal): Promise<void> {
    for (const [op, input] of this.#settings)
      await this.#perform(op, input, { key: `setting/${op}`, attempt: 1, signal })
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
    const late = new AbortController()
    const limited = AbortSignal.any([signal, late.signal])
    const callOff = this.#clock.after(ms, () => late.abort(timedOut(this.driver.name, what, ms)))
    try {
      const answer = await Promise.race([attempted(call, limited), this.#hung(limited)])
      if (isLeft(answer)) throw late.signal.aborted && !signal.aborted ? late.signal.reason : answer.left
      return answer.right
    } finally {
      callOff()
    }
  }

  /** Rejects GRACE after the signal has fired: the driver does not listen to it. */
  #hung(signal: AbortSignal): Promise<never> {
    return new Promise((_, reject) => {
      signal.addEventListener('abort', () => this.#clock.after(GRACE, () => reject(signal.reason)), { once: true })
    })
  }
}

/** A port's promise never rejects; one that does all the same has no answer but the error. */
async function attempted<A>(
  call: (signal: AbortSignal) => TaskEither<DuramenError, A>,
  signal: AbortSignal,
): Promise<Either<DuramenError, A>> {
  return call(signal)()
}

async function must<A>(task: TaskEither<DuramenError, A>): Promise<A> {
  const answer = await task()
  if (isLeft(answer)) throw answer.left
  return answer.right
}

function timedOut(name: string, what: string, ms: number): DuramenError {
  return new DuramenError('USB_TIMEOUT', `${name}: ${what} has not ended within ${ms} ms`, {
    retryable: true,
    hint: 'The device is recovered by itself; where this is its usual time, give it a longer timeout.',
  })
}
