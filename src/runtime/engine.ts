// What runs the instances of a host: the things that they share, and what they need to be told and done.
//
// K5: what has finished is on record within half a second.
// K9: instances leave memory once they are at their end, or too many.
import { randomBytes } from 'node:crypto'
import type { Journal } from '../journal/port.ts'
import type { Clock } from '../ports/clock.ts'
import { DuramenError } from '../ports/errors.ts'
import { type Logger, loggerOf } from '../ports/logger.ts'
import { systemClock } from './clock.ts'
import { Closing } from './closing.ts'
import { Tally } from './counts.ts'
import { recordDefinition } from './definitions.ts'
import type { DurableMachine } from './durable.ts'
import { milliseconds } from './duration.ts'
import { encodeEvent } from './events.ts'
import { type HostStats, statsOf } from './health.ts'
import type { HostOptions } from './host.ts'
import type { Receipt, Sender } from './inputs.ts'
import type { Instance } from './instance.ts'
import type { InstanceHost } from './instance-host.ts'
import { Instances } from './instances.ts'
import { type Limits, limitsOf } from './limits.ts'
import { Pulse } from './pulse.ts'
import { Tail } from './records-stream.ts'
import { Registry } from './registry.ts'
import { Rota } from './rota.ts'
import { Slots } from './slots.ts'
import { Timers } from './timers.ts'
import { effectiveDue } from './uptime.ts'
import type { Telemetry, Watched } from './watching.ts'

/** Within this time, ms, what has finished is recorded, if no commit of its instance comes first (K5). */
const MARK_AFTER = 500

export class Engine implements InstanceHost, Watched {
  readonly journal: Journal
  readonly clock: Clock
  readonly logger: Logger
  readonly limits: Limits
  readonly name = randomBytes(6).toString('base64url')
  readonly tally = new Tally()
  readonly telemetry: Telemetry | undefined
  readonly tail = new Tail()
  readonly rota = new Rota()
  readonly slots: Slots
  readonly timers: Timers
  readonly pulse: Pulse
  readonly instances: Instances
  readonly registry = new Registry((machines) => this.takeOn(machines))
  /** What else ends with the host, once no effect runs any more. None of them rejects, and each has an end. */
  readonly endings = new Set<() => Promise<void>>()
  private readonly closeTimeout: number
  private readonly unmarked = new Set<Instance>()
  private readonly deliveries = new Map<string, Promise<unknown>>()
  private cancelMark: (() => void) | undefined
  private closing: Closing | undefined
  private closed: Promise<void> | undefined

  constructor(options: HostOptions, telemetry?: Telemetry) {
    this.journal = options.journal
    this.clock = options.clock ?? systemClock
    this.logger = loggerOf(options.logger ?? console)
    this.telemetry = telemetry
    this.closeTimeout = milliseconds(options.closeTimeout ?? '10s', 'closeTimeout')
    this.limits = limitsOf(options)
    this.pulse = new Pulse(this.journal, this.clock, this.logger, this.name)
    this.slots = new Slots(this.clock, this.limits.maxEffects)
    this.timers = new Timers(this.clock, {
      waits: (stream, key, entry) =>
        key === ''
          ? this.instances.waits(stream, entry)
          : (this.instances.live.get(stream)?.waits(key, entry) ?? false),
      due: (stream, key) => this.instances.live.get(stream)?.due(key),
      wake: (streams) => this.instances.wakeAll(streams),
    })
    this.instances = new Instances(this)
  }

  private async takeOn(machines: readonly DurableMachine[]): Promise<void> {
    await Promise.all(machines.map((machine) => recordDefinition(this.journal, this.clock, machine)))
    if (machines.some(({ options }) => options.timers === 'resume')) await this.pulse.begin()
    await this.instances.takeUp(machines)
  }

  /** Figures since it began. */
  stats(): HostStats {
    return statsOf(this.instances.live.values(), this.tally.total())
  }

  close(): Promise<void> {
    if (!this.closed) {
      this.timers.close()
      this.cancelMark?.()
      this.closing = new Closing(this, this.closeTimeout)
      this.closed = this.closing.end()
    }
    return this.closed
  }

  /** Throws CLOSED. */
  assertOpen(): void {
    if (this.closing) throw new DuramenError('CLOSED', 'the host is closed', { hint: 'Open it again with openHost().' })
  }

  // ---- what instances call -------------------------------------------------------------------------------------------

  get accepting(): boolean {
    return this.closing === undefined
  }

  entered(instance: Instance): void {
    this.closing?.tell(instance)
  }

  finished(instance: Instance): void {
    if (this.closing) return this.closing.changed()
    if (instance.decidedToEnd && instance.canRest) return this.instances.rest(instance)
    if (this.instances.live.size > this.limits.maxActive) this.instances.makeRoom()
    if (instance.runner.unsaid) {
      this.unmarked.add(instance)
      this.cancelMark ??= this.clock.after(MARK_AFTER, () => {
        this.cancelMark = undefined
        for (const i of this.unmarked) i.mark()
        this.unmarked.clear()
      })
    }
  }

  purged({ stream }: Instance): void {
    this.instances.forget(stream)
  }

  broken(stream: string): boolean {
    return this.instances.live.get(stream)?.phase === 'broken'
  }

  wake(instance: Instance): void {
    this.instances.wake(instance)
  }

  listened(instance: Instance): void {
    this.instances.listened(instance)
  }

  machine(id: string): DurableMachine | undefined {
    return this.registry.machines.get(id)
  }

  dueOf({ options: { timers = 'absolute' } }: DurableMachine, timer: { at: number; due: number }): number {
    return timers === 'absolute' ? timer.due : effectiveDue(timers, timer, this.pulse)
  }

  async deliver(machine: DurableMachine, id: string, event: object, line: string, from?: Sender): Promise<Receipt> {
    this.registry.assertKnown(machine)
    const pair = `${line}\n${machine.id}\n${id}`
    const send = async () => {
      const instance = await this.instances.find(machine, id)
      const payload = encodeEvent(machine, id, event, this.limits.maxBinary)
      return instance.ask({ kind: 'event', payload, from, keep: true })
    }
    const turn = (this.deliveries.get(pair) ?? Promise.resolve()).then(send, send)
    const settled = turn.catch(() => undefined)
    this.deliveries.set(pair, settled)
    void settled.then(() => {
      if (this.deliveries.get(pair) === settled) this.deliveries.delete(pair)
    })
    return turn
  }
}
