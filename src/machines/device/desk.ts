// Where callers wait for a device: what they gave and what they get stays here, in the process (D9); the machine knows only
// that somebody has asked.
//
// D1 Requests enter the queue in the order of the calls; there are at most `queue` of them.
// D9 Inputs, outputs and what errors carry beside code, message and hint go to the caller only.
// D4 A caller is answered once the machine has let go of the request, and that is on disk (K1): by the result of its last
//    attempt, by its error, or by what stood in the way for longer than `patience`. Nobody's patience counts while the device
//    works; but once it has, the machine may be held, or the journal in trouble: then there is an answer, too.
import { createHash, randomUUID } from 'node:crypto'
import type { SnapshotFrom } from 'xstate'
import type { Clock } from '../../ports/clock.ts'
import { DuramenError } from '../../ports/errors.ts'
import { shown } from '../../ports/given.ts'
import type { DurableActor } from '../../runtime/actor.ts'
import type { Driving } from './driving.ts'
import { forTheJournal } from './faults.ts'
import type { deviceMachine } from './machine.ts'
import { stateOf } from './status.ts'
import type { DeviceContext, Done, Requested } from './types.ts'

export type DeviceActor = DurableActor<typeof deviceMachine>
type DeviceSnapshot = SnapshotFrom<typeof deviceMachine>

/** How long a device that is online may do nothing for those who wait, ms: as long as a commit may take. */
const STANDSTILL = 2000

/** A caller who waits. */
interface Waiting {
  readonly input: unknown
  /** Its request is on disk. */
  requested: boolean
  /** What its last attempt has come to. */
  result: { readonly output: unknown } | undefined
  failure: unknown
  /** Why it is taken back. */
  withdrawn: DuramenError | undefined
  /** Calls off the end of its patience. */
  patient: (() => void) | undefined
  readonly resolve: (output: unknown) => void
  readonly reject: (error: unknown) => void
}

export class Desk {
  readonly driving: Driving
  readonly #clock: Clock
  readonly #actor: DeviceActor
  readonly #limits: { readonly queue: number; readonly patience: number }
  readonly #waiting = new Map<string, Waiting>()
  /** How many calls are under way that are part of working: more than one where one that was aborted has not ended yet. */
  #busy = 0

  constructor(
    driving: Driving,
    clock: Clock,
    actor: DeviceActor,
    limits: { readonly queue: number; readonly patience: number },
  ) {
    this.driving = driving
    this.#clock = clock
    this.#actor = actor
    this.#limits = limits
  }

  get waiting(): number {
    return this.#waiting.size
  }

  /** Asks for an operation; settles once the machine has let go of it. */
  perform(op: string, input: unknown, signal: AbortSignal | undefined): Promise<unknown> {
    const { name } = this.#actor.getSnapshot().context
    const traits = typeof op === 'string' ? this.driving.traits(op) : undefined
    if (!traits) return Promise.reject(noOperation(name, op, Object.keys(this.driving.driver.operations)))
    if (signal?.aborted) return Promise.reject(aborted(name, op, signal))
    if (this.#waiting.size >= this.#limits.queue) return Promise.reject(full(name, this.#limits.queue))
    const id = randomUUID()
    const answered = new Promise((resolve, reject) => {
      this.#waiting.set(id, {
        input,
        requested: false,
        result: undefined,
        failure: undefined,
        withdrawn: undefined,
        patient: undefined,
        resolve,
        reject,
      })
    })
    const cancel = () => this.#withdraw(id, aborted(name, op, signal!))
    signal?.addEventListener('abort', cancel)
    this.#actor.send({ type: 'REQUEST', id, op, repeatable: traits.repeatable }).then(
      () => this.#requested(id),
      (error) => this.#reject(id, error),
    )
    return answered.finally(() => signal?.removeEventListener('abort', cancel))
  }

  #requested(id: string): void {
    const waiting = this.#waiting.get(id)
    if (!waiting) return
    waiting.requested = true
    if (waiting.withdrawn !== undefined) this.#withdraw(id, waiting.withdrawn) // taken back meanwhile
    this.seen(this.#actor.getSnapshot())
  }

  /** One attempt at an operation; what it answers goes to whoever waits, what is kept of it into the journal (D9). */
  async attempt({ id, op, tries }: Requested, signal: AbortSignal): Promise<Done> {
    const waiting = this.#waiting.get(id)
    if (!waiting) {
      throw new DuramenError('INTERRUPTED', `${op} was asked for by a process that has ended`, {
        hint: 'Ask for it again.',
      })
    }
    const begun = this.#clock.now()
    waiting.failure = undefined
    const attempt = { key: id, attempt: tries + 1, signal }
    try {
      const { output, bytes } = await this.busy(() => this.driving.perform(op, waiting.input, attempt))
      signal.throwIfAborted() // the machine has gone on without it
      waiting.result = { output }
      const sha256 = bytes ? createHash('sha256').update(bytes).digest('hex') : null
      return { op, ms: Math.round(this.#clock.now() - begun), size: bytes?.byteLength ?? null, sha256 }
    } catch (error) {
      waiting.failure = error
      throw forTheJournal(error, op)
    }
  }

  /** The device works, as long as the call takes. */
  async busy<A>(call: () => Promise<A>): Promise<A> {
    this.#busy++
    for (const waiting of this.#waiting.values()) this.#calm(waiting)
    try {
      return await call()
    } finally {
      this.#busy--
      this.seen(this.#actor.getSnapshot())
    }
  }

  /** A committed state of the machine. */
  seen({ context, value }: DeviceSnapshot): void {
    const kept = new Set(context.queue.map(({ id }) => id))
    const online = stateOf(value) === 'online'
    const { patience } = this.#limits
    for (const [id, waiting] of this.#waiting) {
      if (!waiting.requested) continue
      if (!kept.has(id)) this.#answer(id, waiting, context)
      else if (!online) this.#impatient(id, waiting, patience)
      else {
        this.#calm(waiting)
        if (this.#busy === 0) this.#impatient(id, waiting, Math.max(patience, STANDSTILL))
      }
    }
  }

  #impatient(id: string, waiting: Waiting, ms: number): void {
    waiting.patient ??= this.#clock.after(ms, () => this.#lost(id))
  }

  #answer(id: string, waiting: Waiting, context: DeviceContext): void {
    this.#forget(id, waiting)
    const { result, withdrawn, failure } = waiting
    const state = stateOf(this.#actor.getSnapshot().value)
    if (result) waiting.resolve(result.output)
    else
      waiting.reject(
        withdrawn ?? (state === 'closed' ? closed(this.#actor.id) : (failure ?? unavailable(context, state))),
      )
  }

  /** Its patience is at an end. */
  #lost(id: string): void {
    const snapshot = this.#actor.getSnapshot()
    this.#withdraw(id, unavailable(snapshot.context, stateOf(snapshot.value)))
  }

  /** Takes a request back; it is answered with that error, unless it has been performed by then. */
  #withdraw(id: string, error: DuramenError): void {
    const waiting = this.#waiting.get(id)
    if (!waiting) return
    waiting.withdrawn ??= error
    if (!waiting.requested) return
    this.#actor.send({ type: 'CANCEL', ids: [id] }).catch((trouble) => {
      this.#reject(id, error.code === 'ABORTED' ? error : trouble)
      // held: what waits behind it waits for the same
      if (trouble.code === 'PARKED' || trouble.code === 'PAUSED') this.#rejectAll(trouble)
    })
  }

  /** The device is closed, or its host: nobody is answered any more. */
  close(): void {
    this.#rejectAll(closed(this.#actor.id))
  }

  #rejectAll(error: DuramenError): void {
    for (const [id] of this.#waiting) this.#reject(id, error)
  }

  #reject(id: string, error: unknown): void {
    const waiting = this.#waiting.get(id)
    if (!waiting) return
    this.#forget(id, waiting)
    waiting.reject(error)
  }

  #forget(id: string, waiting: Waiting): void {
    this.#calm(waiting)
    this.#waiting.delete(id)
  }

  #calm(waiting: Waiting): void {
    waiting.patient?.()
    waiting.patient = undefined
  }
}

export const closed = (id: string) =>
  new DuramenError('DEVICE_CLOSED', `the device '${id}' is closed`, { hint: 'Open it again with createDevice().' })

const noOperation = (name: string, op: unknown, known: readonly string[]) =>
  new DuramenError('BAD_OPTION', `${name} has no operation ${shown(op)}`, { hint: `It has ${known.join(', ')}.` })

const full = (name: string, limit: number) =>
  new DuramenError('QUEUE_FULL', `${limit} operations wait for ${name} already`, {
    retryable: true,
    hint: 'Wait for some of them, or raise the option queue.',
  })

const aborted = (name: string, op: string, { reason }: AbortSignal) =>
  new DuramenError('ABORTED', `${op} of ${name} was called off`, { cause: reason })

/** D6 D7: what stands in the way. */
function unavailable({ name, access, problem }: DeviceContext, state: string): DuramenError {
  if (access?.state === 'denied') {
    const { node, owner, mode, rule } = access
    const missing = mode === null
    const why = missing
      ? 'is missing'
      : `belongs to ${owner}, its mode is ${mode}${rule === null ? ', but the system refuses it' : ''}`
    const cgroup = 'device_cgroup_rules "c 189:* rmw"'
    const mend = missing
      ? `give the container all of /dev/bus/usb as a volume, and ${cgroup}`
      : rule === null
        ? `give the container ${cgroup}`
        : `put ${rule} into /etc/udev/rules.d/70-duramen.rules`
    return new DuramenError('DEVICE_DENIED', `${name} may not be opened: ${node} ${why}`, {
      retryable: true,
      where: { file: node },
      hint: `It goes on by itself once it may. For good: ${mend}.`,
    })
  }
  const why = problem ? `: ${problem.message}` : ''
  return new DuramenError('DEVICE_UNAVAILABLE', `${name} is ${state}${why}`, {
    retryable: true,
    cause: problem,
    hint: problem?.hint ?? 'It goes on by itself once the device is there.',
  })
}
