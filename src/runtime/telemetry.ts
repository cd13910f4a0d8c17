// OpenTelemetry: spans of sends and effects, figures of hosts.
//
// Who has not installed `@opentelemetry/api`, or has registered nothing with it when a host is opened, pays for one check
// of an undefined field a send. Counts are read when they are exported, not told when they change.
// An effect is a child of the send whose commit started it. What comes of an effect may go on for years, so that its
// consequences are traces of their own, linked to it.
import type * as Api from '@opentelemetry/api'
import { isDuramenError } from '../ports/errors.ts'
import { partOf, textOf } from '../ports/thrown.ts'
import { Counts, type EffectOutcome } from './counts.ts'
import type { CurrentEffect } from './effects.ts'
import type { Place } from './failures.ts'
import type { HostStats } from './health.ts'
import type { Input, Receipt } from './inputs.ts'
import type { Effect } from './turn.ts'
import type { EffectSpan, Telemetry, Watched } from './watching.ts'

/** What was the cause: a span that goes on in the effects, or one to be linked. */
interface Trace {
  readonly parent?: Api.Context
  readonly links?: Api.Link[]
}

const NAME = 'duramen'
const SPANS: Partial<Record<Input['kind'], string>> = { event: 'duramen.send', start: 'duramen.create' }
/** Seconds; a send takes as long as the disk, an effect as long as it likes. */
const SEND_BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const EFFECT_BUCKETS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600]

let loaded: Promise<typeof Api | undefined> | undefined

/** Undefined where nobody listens: the package is not installed, or nothing is registered with it yet. */
export async function openTelemetry(): Promise<Telemetry | undefined> {
  loaded ??= import('@opentelemetry/api').catch((error) => {
    if (error.code === 'ERR_MODULE_NOT_FOUND') return undefined
    throw error
  })
  const api = await loaded
  if (!api) return undefined
  const provider = api.trace.getTracerProvider() as Partial<Api.ProxyTracerProvider>
  const meter = api.metrics.getMeter(NAME)
  const traces = !provider.getDelegateTracer || provider.getDelegateTracer(NAME) !== undefined
  const measures = meter !== api.createNoopMeter()
  if (!traces && !measures) return undefined
  return new OpenTelemetry(api, measures ? instrumentsOf(meter) : undefined)
}

class OpenTelemetry implements Telemetry {
  private readonly api: typeof Api
  private readonly tracer: Api.Tracer
  private readonly instruments: Instruments | undefined
  /** Of effects that were wanted by a turn, until they are garbage. */
  private readonly causes = new WeakMap<Effect, Trace>()

  constructor(api: typeof Api, instruments: Instruments | undefined) {
    this.api = api
    this.tracer = api.trace.getTracer(NAME)
    this.instruments = instruments
  }

  asked({ machine, instance }: Place, input: Input): Input {
    const name = SPANS[input.kind]
    if (!name) return input
    const { api, instruments } = this
    const { caller } = input
    const span = this.tracer.startSpan(name, {
      attributes: {
        'duramen.machine': machine,
        'duramen.instance': instance,
        ...(input.kind === 'event' && { 'duramen.event.type': (input.payload.value as { type: string }).type }),
        ...(input.id !== undefined && { 'duramen.event.id': input.id }),
      },
    })
    const began = performance.now()
    const end = (errorType?: string) => {
      span.end()
      const attributes = { 'duramen.machine': machine, ...(errorType && { 'error.type': errorType }) }
      if (input.kind === 'event') instruments?.send.record((performance.now() - began) / 1000, attributes)
    }
    return {
      ...input,
      trace: { parent: api.trace.setSpan(api.context.active(), span) } satisfies Trace,
      caller: {
        resolve(receipt: Receipt) {
          span.setAttributes({
            'duramen.seq': receipt.seq,
            'duramen.position': receipt.position,
            'duramen.handled': receipt.handled,
            'duramen.duplicate': receipt.duplicate,
          })
          end()
          caller?.resolve(receipt)
        },
        reject(error) {
          span.setAttribute('error.type', error.code)
          span.setStatus({ code: api.SpanStatusCode.ERROR, message: error.message })
          end(error.code)
          caller?.reject(error)
        },
      },
    }
  }

  here(): Trace | undefined {
    const context = this.api.trace.getSpanContext(this.api.context.active())
    return context && { links: [{ context }] }
  }

  caused(effects: readonly Effect[], trace: Trace): void {
    for (const effect of effects)
      if (effect.kind === 'action' || effect.kind === 'start') this.causes.set(effect, trace)
  }

  effect({ machine, instance }: Place, effect: Extract<Effect, { src: string }>, attempt: CurrentEffect): EffectSpan {
    const { api, instruments } = this
    const { parent = api.ROOT_CONTEXT, links } = this.causes.get(effect) ?? {}
    const { src } = effect
    const kind = effect.kind === 'start' ? effect.logic : effect.kind
    const span = this.tracer.startSpan(
      'duramen.effect',
      {
        attributes: {
          'duramen.machine': machine,
          'duramen.instance': instance,
          'duramen.effect.src': src,
          'duramen.effect.kind': kind,
          'duramen.effect.key': attempt.key,
          'duramen.effect.attempt': attempt.attempt,
        },
        ...(links && { links }),
      },
      parent,
    )
    const inside = api.trace.setSpan(parent, span)
    const began = performance.now()
    return {
      run: (fn) => api.context.with(inside, fn),
      end(outcome, error) {
        span.setAttribute('duramen.effect.outcome', outcome)
        if (outcome === 'failed') {
          span.setAttribute('error.type', errorType(error))
          span.recordException(error instanceof Error ? error : textOf(error))
          span.setStatus({ code: api.SpanStatusCode.ERROR, message: textOf(error) })
        }
        span.end()
        instruments?.effect.record((performance.now() - began) / 1000, {
          'duramen.machine': machine,
          'duramen.effect.src': src,
          'duramen.effect.kind': kind,
          'duramen.effect.outcome': outcome,
        })
      },
    }
  }

  watch(host: Watched): void {
    this.instruments?.hosts.add(host)
  }

  unwatch(host: Watched): void {
    this.instruments?.leave(host)
  }
}

const errorType = (error: unknown): string =>
  isDuramenError(error) ? error.code : error instanceof Error ? String(partOf(error, 'name')) : typeof error

/** The instruments of one meter; all hosts of a process share them, and their figures are added up. */
class Instruments {
  readonly send: Api.Histogram
  readonly effect: Api.Histogram
  readonly hosts = new Set<Watched>()
  /** Counts of hosts that are closed: a counter never goes back. */
  private readonly ended = new Map<string, Counts>()

  constructor(meter: Api.Meter) {
    this.send = meter.createHistogram('duramen.send.duration', {
      description: 'From send to durable, or to its refusal',
      unit: 's',
      advice: { explicitBucketBoundaries: SEND_BUCKETS },
    })
    this.effect = meter.createHistogram('duramen.effect.duration', {
      description: 'Attempts at effects',
      unit: 's',
      advice: { explicitBucketBoundaries: EFFECT_BUCKETS },
    })
    this.countAll(meter)
    this.gaugeAll(meter)
  }

  leave(host: Watched): void {
    if (this.hosts.delete(host)) addAll(this.ended, host.tally.machines)
  }

  private countAll(meter: Api.Meter): void {
    const counter = (name: string, unit: string, description: string) =>
      meter.createObservableCounter(`duramen.${name}`, { unit, description })
    const events = counter('events', '{event}', 'Events from outside and deliveries that became durable')
    const duplicates = counter('duplicates', '{event}', 'Events that had been recorded before')
    const rejected = counter('rejected', '{event}', 'Events and creations that were rejected, by code')
    const commits = counter('commits', '{commit}', 'Records that became durable')
    const appends = counter('appends', '{append}', 'Appends that made them durable')
    const timers = counter('timers.fired', '{timer}', 'Delayed transitions that fired')
    const effects = counter('effects', '{effect}', 'Attempts at effects that have ended, by outcome')
    meter.addBatchObservableCallback(
      (result) => {
        const all = new Map<string, Counts>()
        addAll(all, this.ended)
        for (const { tally } of this.hosts) addAll(all, tally.machines)
        for (const [machine, counts] of all) {
          const of = { 'duramen.machine': machine }
          result.observe(events, counts.events, of)
          result.observe(duplicates, counts.duplicates, of)
          result.observe(commits, counts.commits, of)
          result.observe(appends, counts.appends, of)
          result.observe(timers, counts.timers, of)
          for (const outcome of ['completed', 'failed', 'stopped'] satisfies EffectOutcome[])
            result.observe(effects, counts[outcome], { ...of, 'duramen.effect.outcome': outcome })
          for (const [code, times] of counts.rejected) result.observe(rejected, times, { ...of, 'error.type': code })
        }
      },
      [events, duplicates, rejected, commits, appends, timers, effects],
    )
  }

  private gaugeAll(meter: Api.Meter): void {
    const gauges: [keyof HostStats, Api.ObservableUpDownCounter][] = (
      [
        ['live', 'instances.live', '{instance}', 'Instances in memory'],
        ['mailbox', 'mailbox.waiting', '{event}', 'Events that wait to be decided'],
        ['timersWaiting', 'timers.waiting', '{timer}', 'Delayed transitions that wait'],
        ['effectsRunning', 'effects.running', '{effect}', 'Effects that are under way'],
      ] as const
    ).map(([figure, name, unit, description]) => [
      figure,
      meter.createObservableUpDownCounter(`duramen.${name}`, { unit, description }),
    ])
    meter.addBatchObservableCallback(
      (result) => {
        const all = [...this.hosts].map((host) => host.stats())
        for (const [figure, gauge] of gauges)
          result.observe(
            gauge,
            all.reduce((sum, stats) => sum + stats[figure], 0),
          )
      },
      gauges.map(([, gauge]) => gauge),
    )
  }
}

function addAll(to: Map<string, Counts>, from: ReadonlyMap<string, Counts>): void {
  for (const [machine, counts] of from) {
    const sum = to.get(machine) ?? new Counts()
    sum.add(counts)
    to.set(machine, sum)
  }
}

const shared = new WeakMap<Api.Meter, Instruments>()

function instrumentsOf(meter: Api.Meter): Instruments {
  let instruments = shared.get(meter)
  if (!instruments) shared.set(meter, (instruments = new Instruments(meter)))
  return instruments
}
