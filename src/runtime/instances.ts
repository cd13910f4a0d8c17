// The instances of a host: those in memory, those on their way there, and the last commits of all others.
//
// K9: an instance at its end leaves memory, and comes back when somebody asks for it.
import { decodeCommit, instanceOf, streamOf } from '../journal/records.ts'
import { DuramenError, type ErrorPlace } from '../ports/errors.ts'
import type { Head } from './decider.ts'
import type { DurableMachine } from './durable.ts'
import { encodeFor } from './events.ts'
import { asDuramenError } from './failures.ts'
import { Instance } from './instance.ts'
import type { InstanceHost } from './instance-host.ts'

/** How often a journal that is in trouble is read before an instance counts as broken, and ms between. */
const READS = 3
const READ_AGAIN_AFTER = 1000

export class Instances {
  /** In memory. */
  readonly live = new Map<string, Instance>()
  private readonly opening = new Map<string, Promise<Instance>>()
  /** Last commits of those that are not in memory. */
  private readonly away = new Map<string, Head>()
  private readonly host: InstanceHost

  constructor(host: InstanceHost) {
    this.host = host
  }

  /** Learns from the journal which there are. */
  async scan(): Promise<void> {
    for await (const record of this.host.journal.heads()) {
      if (!instanceOf(record.stream)) continue
      const commit = decodeCommit(record)
      const { position, outcomeText: outcome } = commit
      this.away.set(record.stream, { header: commit, outcome, position })
    }
  }

  /** The last commits of all, by stream. */
  heads(): Map<string, Head> {
    const heads = new Map(this.away)
    for (const [stream, { last }] of this.live) if (last) heads.set(stream, last)
    return heads
  }

  /** Brings back those of these machines that a crash or a restart has left unfinished. */
  async takeUp(machines: readonly DurableMachine<any>[]): Promise<void> {
    const byId = new Map(machines.map((m) => [m.id, m]))
    const left: Promise<unknown>[] = []
    for (const [stream, head] of this.away) {
      const { machine, instance } = instanceOf(stream)!
      const known = byId.get(machine)
      const active = !head.outcome.includes('"status":') || JSON.parse(head.outcome).status === undefined
      if (known && (active || head.header.unfinished)) left.push(this.find(known, instance).catch(() => undefined)) // it has said so itself
    }
    await Promise.all(left)
  }

  /** All that were on their way are there, or have failed. */
  async opened(): Promise<void> {
    await Promise.allSettled(this.opening.values())
  }

  /** The instance with this id, if it is there. */
  find(machine: DurableMachine<any>, id: string): Promise<Instance> {
    return this.open(machine, id, undefined, false)
  }

  /** The instance with this id, or a new one that starts with `input`. `create`: false never, 'only' always. */
  open(machine: DurableMachine<any>, id: string, input: unknown, create: boolean | 'only'): Promise<Instance> {
    const stream = streamOf(machine.id, id)
    const where = { machine: machine.id, instance: id }
    const there = this.opening.get(stream) ?? this.live.get(stream)
    if (there || this.away.has(stream)) {
      if (create === 'only') return Promise.reject(exists(stream, where))
      if (!there) return this.load(machine, id)
      if (there instanceof Instance && there.phase === 'broken') return Promise.reject(there.problem)
      return Promise.resolve(there)
    }
    if (create === false) return this.load(machine, id) // another host may have made it
    return this.enter(stream, () => this.create(machine, id, input, create === 'only'))
  }

  private async create(machine: DurableMachine<any>, id: string, input: unknown, only: boolean): Promise<Instance> {
    const payload = encodeFor(
      input,
      { machine: machine.id, instance: id, event: 'start' },
      { name: 'input', maxBinary: this.host.limits.maxBinary },
    )
    const instance = new Instance(this.host, machine, id)
    const { duplicate } = await instance.create(payload)
    if (only && duplicate) throw exists(instance.stream, { machine: machine.id, instance: id }) // another host was first
    this.live.set(instance.stream, instance)
    this.host.finished(instance)
    return instance
  }

  private load(machine: DurableMachine<any>, id: string): Promise<Instance> {
    const stream = streamOf(machine.id, id)
    return this.enter(stream, async () => {
      const instance = new Instance(this.host, machine, id, this.away.get(stream))
      const asProblem = (error: unknown) => asDuramenError(error, { machine: machine.id, instance: id })
      this.live.set(stream, instance)
      try {
        for (let tries = 1; ; tries++) {
          const failed = await instance.recover().then(() => undefined, asProblem)
          if (!failed) break
          if (!failed.retryable || tries === READS) throw failed
          await new Promise<void>((resolve) => this.host.clock.after(READ_AGAIN_AFTER, resolve))
        }
      } catch (error) {
        const problem = asProblem(error)
        instance.broke(problem)
        throw problem
      }
      if (!instance.last) {
        this.live.delete(stream)
        throw new DuramenError('UNKNOWN_INSTANCE', `${stream} is not there`, {
          where: { machine: machine.id, instance: id },
          hint: 'Create it with host.actor(machine, id, { input }).',
        })
      }
      this.away.delete(stream)
      this.host.finished(instance)
      return instance
    })
  }

  /** One opening per instance at a time. */
  private enter(stream: string, open: () => Promise<Instance>): Promise<Instance> {
    const opened = open().finally(() => this.opening.delete(stream))
    this.opening.set(stream, opened)
    return opened
  }

  /** An instance at its end leaves memory; who holds it keeps its last state. */
  retire(instance: Instance): void {
    if (this.live.get(instance.stream) !== instance) return
    this.live.delete(instance.stream)
    this.away.set(instance.stream, instance.last!)
  }
}

const exists = (stream: string, where: ErrorPlace) =>
  new DuramenError('INSTANCE_EXISTS', `${stream} exists`, {
    where,
    hint: 'Open it without create, or choose another id.',
  })
