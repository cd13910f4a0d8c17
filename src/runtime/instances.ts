// The instances of a host: those in memory, those on their way there, and those at rest, of which the journal knows.
//
// K6: an instance at rest is woken when its first delayed transition is due.
// K9: idle instances leave memory once there are more than `maxActive`, instances at their end at once; all come back when
//     somebody asks for them or an input reaches them. A journal in trouble that may pass breaks none: it is asked again.
import type { StoredRecord } from '../journal/port.ts'
import { instanceOf, streamOf, urgencyOf } from '../journal/records.ts'
import { must } from '../ports/answer.ts'
import { type DuramenError, isDuramenError } from '../ports/errors.ts'
import { textOf } from '../ports/thrown.ts'
import { Alarms } from './alarms.ts'
import type { Head } from './decider.ts'
import type { DurableMachine } from './durable.ts'
import { encodeFor } from './events.ts'
import { asDuramenError, assertId, instanceExists, unknownInstance } from './failures.ts'
import { Instance } from './instance.ts'
import type { InstanceHost } from './instance-host.ts'
import { headOf, isPurge } from './listing.ts'
import { Resting } from './resting.ts'
import { dropBefore } from './retention.ts'

/** How often a journal that is in trouble is read before an instance counts as broken, and ms between. */
const READS = 3
const READ_AGAIN_AFTER = 1000
/** When those are tried again that had to be woken and could not be read, ms. */
const WAKE_AGAIN_AFTER = 5000
/** Instances that are looked at for rest at a time. */
const LOOKS = 16

export class Instances {
  /** In memory, or on their way there; the next to be looked at for rest first. */
  readonly live = new Map<string, Instance>()
  private readonly opening = new Map<string, Promise<Instance>>()
  private readonly resting = new Resting()
  private readonly alarms: Alarms
  readonly host: InstanceHost

  constructor(host: InstanceHost) {
    this.host = host
    this.alarms = new Alarms(host.clock, host.timers)
  }

  /** The last commits of all, one after the other, and who is in memory. */
  async *heads(): AsyncGenerator<[Head, Instance | undefined]> {
    for await (const record of this.host.journal.heads()) {
      const instance = this.live.get(record.stream)
      const head = instance?.last ?? headOf(record)
      if (head && !isPurge(head)) yield [head, instance]
    }
  }

  /**
   * Brings back those of these machines that a crash or a restart has left unfinished, and parked ones, so that health tells
   * of them; the others when they are due. What has nothing to do costs nothing (K9).
   */
  async takeUp(machines: readonly DurableMachine[]): Promise<void> {
    const byId = new Map(machines.map((m) => [m.id, m]))
    const left: Promise<unknown>[] = []
    for await (const record of this.host.journal.heads({ pending: true })) {
      const { stream, text } = record
      const { pending, purged } = urgencyOf(stream, text)
      if (!pending && !purged) continue
      const { machine, instance } = instanceOf(stream)!
      const known = byId.get(machine)
      if (purged) left.push(this.trimAgain(headOf(record)!, known)) // a crash may have come before
      if (known && pending && !this.live.has(stream))
        left.push(this.find(known, instance).catch((error) => this.missed(stream, error))) // it has said so itself
    }
    await this.watch((machine) => byId.get(machine))
    await Promise.all(left)
  }

  /** All that were on their way are there, or have failed. */
  async opened(): Promise<void> {
    await Promise.allSettled(this.opening.values())
  }

  /** The instance with this id, if it is there. */
  find(machine: DurableMachine, id: string): Promise<Instance> {
    if (typeof id !== 'string') assertId(machine.id, id)
    return this.open(machine, id, undefined, false)
  }

  /** The instance with this id, or a new one that starts with `input`. `create`: false never, 'only' always. */
  open(machine: DurableMachine, id: string, input: unknown, create: boolean | 'only'): Promise<Instance> {
    const stream = streamOf(machine.id, id)
    const where = { machine: machine.id, instance: id }
    const again = (error: unknown) => (passes(error) ? rejected(error) : this.open(machine, id, input, create))
    const opening = this.opening.get(stream)
    if (opening)
      return create === 'only' ? opening.then(() => rejected(instanceExists(where)), again) : opening.catch(again)
    const there = this.live.get(stream) ?? this.resting.get(stream)
    if (there) {
      if (create === 'only') return rejected(instanceExists(where))
      return there.phase === 'broken' ? rejected(there.problem!) : Promise.resolve(there)
    }
    return this.enter(stream, async () => {
      const record = await this.host.journal.head(stream)
      const head = record && headOf(record)
      const known = head && !isPurge(head)
      if (known && create === 'only') throw instanceExists(where)
      if (known) return this.bring(new Instance(this.host, machine, id, head))
      if (create !== false) return this.create(machine, id, input, create === 'only')
      throw unknownInstance(where)
    })
  }

  private async create(machine: DurableMachine, id: string, input: unknown, only: boolean): Promise<Instance> {
    const payload = encodeFor(
      input,
      { machine: machine.id, instance: id, event: 'start' },
      { name: 'input', maxBinary: this.host.limits.maxBinary },
    )
    const instance = new Instance(this.host, machine, id)
    const { stream } = instance
    this.live.set(stream, instance) // before its first timers are set: they are looked for here
    this.host.entered(instance)
    try {
      const { duplicate } = await instance.create(payload)
      this.host.finished(instance)
      if (only && duplicate) throw instanceExists(instance.where) // another host was first
    } catch (error) {
      if (!instance.last) this.live.delete(stream)
      throw error
    }
    return instance
  }

  /** Rebuilds an instance from the journal. */
  private async bring(instance: Instance): Promise<Instance> {
    const { stream, where } = instance
    const slept = instance.phase === 'resting'
    this.live.set(stream, instance)
    this.host.entered(instance)
    this.alarms.clear(stream)
    try {
      for (let tries = 1; ; tries++) {
        const failed = await instance.loading.recover().then(
          () => undefined,
          (error: unknown) => asDuramenError(error, where),
        )
        if (!failed) break
        if (!failed.retryable || tries === READS) throw failed
        await new Promise<void>((resolve) => this.host.clock.after(READ_AGAIN_AFTER, resolve))
        if (instance.phase === 'closed') return instance
      }
    } catch (error) {
      const problem = asDuramenError(error, where)
      if (problem.retryable) this.later(instance, problem, slept)
      else instance.trouble.broke(problem)
      throw problem
    }
    if (instance.phase === 'purged') throw instance.problem
    this.host.finished(instance)
    return instance
  }

  /** The journal is in trouble that may pass: who asks now is told so. Later it is tried again, for those that nobody asks for. */
  private later(instance: Instance, problem: DuramenError, slept: boolean): void {
    if (instance.phase === 'closed') return
    const { stream } = instance
    this.host.logger.warn(`${stream} can't be loaded for now: ${problem.message}`, problem)
    this.live.delete(stream)
    if (slept) {
      instance.sleepOn(problem)
      this.resting.add(instance)
    }
    this.missed(stream, problem)
  }

  /** It could not be woken. */
  private missed(stream: string, error: unknown): void {
    const at = this.host.clock.now() + WAKE_AGAIN_AFTER
    if (stream === '') this.alarms.lookAgain(at)
    else if (passes(error) && !this.live.has(stream)) this.alarms.set(stream, at)
  }

  /** One opening per instance at a time. */
  private enter(stream: string, open: () => Promise<Instance>): Promise<Instance> {
    const opened = open().finally(() => this.opening.delete(stream))
    this.opening.set(stream, opened)
    return opened
  }

  // ---- rest ----------------------------------------------------------------------------------------------------------

  /** Somebody has something for an instance that is at rest. */
  wake(instance: Instance): void {
    this.resting.delete(instance)
    this.enter(instance.stream, () => this.bring(instance)).catch(() => {}) // it has said so to those who wait
  }

  /** Resolves once those instances are in memory that are due; the empty name stands for those beyond the horizon. */
  async wakeAll(streams: readonly string[]): Promise<void> {
    const woken = streams.map(async (stream) => {
      if (stream === '') return this.lookAhead()
      const { machine, instance } = instanceOf(stream)!
      const known = this.host.machine(machine)
      const there = known && (await this.find(known, instance))
      if (there?.phase !== 'resting') return
      this.wake(there)
      await this.opening.get(stream)
    })
    await Promise.all(woken.map((one, nth) => one.catch((error) => this.missed(streams[nth]!, error))))
  }

  private lookAhead(): Promise<void> {
    this.alarms.moveOn()
    return this.watch((machine) => this.host.machine(machine))
  }

  /** Sees to it that those who are not in memory are woken in time; who is due beyond the horizon is not even looked at. */
  private async watch(machineOf: (id: string) => DurableMachine | undefined): Promise<void> {
    const awake = (stream: string) => this.live.has(stream) || this.opening.has(stream) || this.alarms.has(stream)
    for await (const { stream, due } of this.host.journal.due(this.alarms.until)) {
      const machine = machineOf(instanceOf(stream)!.machine)
      if (!machine || awake(stream)) continue
      const here = await this.dueHere(machine, stream, due)
      if (!awake(stream)) this.alarms.set(stream, here)
    }
  }

  /** By the machine's policy: its last commit is no earlier than what set the timer. One that can't be read is woken to say so. */
  private async dueHere(machine: DurableMachine, stream: string, due: number): Promise<number> {
    if ((machine.options.timers ?? 'absolute') === 'absolute') return due
    const head = await this.host.journal.head(stream).then(headOrNone, () => undefined)
    return head ? this.host.dueOf(machine, { at: head.header.at, due }) : due
  }

  /** The alarm is the one that counts. */
  waits(stream: string, entry: number): boolean {
    return this.alarms.waits(stream, entry)
  }

  /** Gives back an instance's memory, if nothing is lost by it; who holds it goes on holding it. */
  rest(instance: Instance): void {
    if (this.live.get(instance.stream) !== instance || !instance.canRest) return
    const due = instance.nextDue
    const { active } = instance
    this.live.delete(instance.stream)
    instance.rest()
    this.resting.add(instance)
    if (active && due !== undefined && !instance.last?.header.held) this.alarms.set(instance.stream, due)
  }

  /** Sees to it that not more than `maxActive` are in memory, if that many are idle: those first that were not used since the last look. */
  makeRoom(): void {
    const { maxActive } = this.host.limits
    let looks = LOOKS
    for (const [stream, instance] of this.live) {
      if (looks-- <= 0 || this.live.size <= maxActive) return
      if (!instance.used) this.rest(instance)
      instance.used = false
      if (!this.live.delete(stream)) continue
      this.live.set(stream, instance) // to the end
    }
  }

  /** Somebody listens to an instance now, or nobody any more. */
  listened(instance: Instance): void {
    this.resting.listened(instance)
  }

  /** It was purged: its id may be taken again. */
  forget(stream: string): void {
    this.live.delete(stream)
    this.alarms.clear(stream)
  }

  /** Drops what is before a purge; what fails is tried again at the next opening. */
  async trim(stream: string, seq: number): Promise<void> {
    try {
      for await (const _ of this.host.journal.read(stream, { to: seq - 1 })) {
        await must('journal.trim', this.host.journal.trim(stream, seq))
        return
      }
    } catch (error) {
      this.host.logger.warn(`${stream} was purged, its records are still there: ${textOf(error)}`, error as object)
    }
  }

  /** Drops what is before a purge, or a checkpoint of a known machine. */
  private async trimAgain(head: Head, machine: DurableMachine | undefined): Promise<void> {
    const { stream, seq } = head.header
    if (isPurge(head)) return this.trim(stream, seq)
    if (machine)
      await dropBefore(this.host, machine, instanceOf(stream)!.instance, seq).catch((error) =>
        this.host.logger.warn(`${stream} has a checkpoint, what was before is still there: ${textOf(error)}`, error),
      )
  }

  /** Those that are not in memory and that somebody holds. */
  get held(): Iterable<Instance> {
    return this.resting
  }
}

const headOrNone = (record: StoredRecord | undefined) => record && headOf(record)

/** The same may succeed later. */
const passes = (error: unknown) => isDuramenError(error) && error.retryable

const rejected = (error: unknown): Promise<never> => Promise.reject(error)
