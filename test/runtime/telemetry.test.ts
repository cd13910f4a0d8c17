// The real SDK of OpenTelemetry; only where spans and figures end up is in memory.
import { context, metrics, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import { beforeEach, describe, expect, it } from 'vitest'
import { fromCallback, fromPromise, setup } from 'xstate'
import { currentEffect, durable } from '../../src/index.ts'
import { noUnhandledRejections, refused, settle, world } from '../support/host.ts'
import { acting, counter } from '../support/machines.ts'

noUnhandledRejections()

const spans = new InMemorySpanExporter()
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }))
const measured = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
const reader = new PeriodicExportingMetricReader({ exporter: measured, exportIntervalMillis: 2 ** 30 })
metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }))
const user = trace.getTracer('user')

beforeEach(() => spans.reset())

const ended = (name: string) => spans.getFinishedSpans().filter((span) => span.name === name)
const parentOf = (span: ReadableSpan | undefined) => span?.parentSpanContext?.spanId
const idOf = (span: ReadableSpan | undefined) => span!.spanContext().spanId

/** The figures of one instrument: value by attributes. */
async function figures(name: string) {
  measured.reset()
  await reader.forceFlush()
  const all = measured.getMetrics().flatMap((r) => r.scopeMetrics.flatMap((s) => s.metrics))
  return all
    .filter((m) => m.descriptor.name === name)
    .flatMap((m) => m.dataPoints.map((p) => [p.attributes, p.value] as const))
}

describe('spans', () => {
  it('a send: a child of what its caller does, with what the receipt says', async () => {
    const machine = counter()
    const host = await world().open([machine])
    const actor = await host.actor(machine, 'x')
    expect(ended('duramen.create')).toMatchObject([
      { attributes: { 'duramen.machine': 'counter', 'duramen.instance': 'x', 'duramen.seq': 1 } },
    ])
    const receipt = await user.startActiveSpan('POST /inc', async (span) => {
      const sent = await actor.send({ type: 'INC' }, { id: 'evt-1' })
      span.end()
      return sent
    })
    await actor.send({ type: 'INC' }, { id: 'evt-1' })
    const [first, again] = ended('duramen.send')
    expect(first).toMatchObject({
      kind: SpanKind.INTERNAL,
      status: { code: SpanStatusCode.UNSET },
      attributes: {
        'duramen.machine': 'counter',
        'duramen.instance': 'x',
        'duramen.event.type': 'INC',
        'duramen.event.id': 'evt-1',
        'duramen.seq': 2,
        'duramen.position': receipt.position,
        'duramen.handled': true,
        'duramen.duplicate': false,
      },
    })
    expect(parentOf(first)).toBe(idOf(ended('POST /inc')[0]))
    expect(again!.attributes).toMatchObject({ 'duramen.seq': 2, 'duramen.duplicate': true })
    await host.close()
  })

  it('a refused send: an error with the code', async () => {
    const machine = counter()
    const host = await world().open([machine])
    const actor = await host.actor(machine, 'x')
    const { message } = await refused(actor.send({ type: 'BOOM' }))
    expect(ended('duramen.send')).toMatchObject([
      { attributes: { 'error.type': 'MACHINE_THREW' }, status: { code: SpanStatusCode.ERROR, message } },
    ])
    await host.close()
  })

  it('an effect: a child of the send whose commit began it, and what its code does are its children', async () => {
    const machine = acting(async () => {
      await Promise.resolve()
      user.startSpan('GET /paper').end()
    })
    const host = await world().open([machine])
    const actor = await host.actor(machine, 'x')
    await Promise.all([actor.send({ type: 'INC' }), actor.send({ type: 'GO' }), actor.send({ type: 'INC' })])
    await settle()
    const [effect] = ended('duramen.effect')
    const sent = ended('duramen.send').find((span) => span.attributes['duramen.event.type'] === 'GO')
    expect(effect!.attributes).toEqual({
      'duramen.machine': 'acting',
      'duramen.instance': 'x',
      'duramen.effect.src': 'act',
      'duramen.effect.kind': 'action',
      'duramen.effect.key': 'acting/x/3/0',
      'duramen.effect.attempt': 1,
      'duramen.effect.outcome': 'completed',
    })
    expect(parentOf(effect)).toBe(idOf(sent))
    expect(parentOf(ended('GET /paper')[0])).toBe(idOf(effect))
    await host.close()
  })

  it('what comes of an effect is a trace of its own, linked to it; what comes of a timer a trace without links', async () => {
    const machine = durable(
      setup({
        actions: { print: () => {}, late: () => {} },
        actors: { charge: fromPromise(async () => {}) },
      }).createMachine({
        id: 'order',
        initial: 'a',
        states: {
          a: { invoke: { src: 'charge', id: 'charge', onDone: { target: 'b', actions: 'print' } } },
          b: { after: { 1000: { actions: 'late' } } },
        },
      }),
    )
    const { clock, open } = world()
    const host = await open([machine])
    await host.actor(machine, 'x')
    await settle()
    clock.advance(1000)
    await settle()
    const [charge, print, late] = ended('duramen.effect')
    expect(charge!.attributes).toMatchObject({ 'duramen.effect.src': 'charge', 'duramen.effect.kind': 'promise' })
    expect(parentOf(charge)).toBe(idOf(ended('duramen.create')[0]))
    expect(print!.attributes).toMatchObject({ 'duramen.effect.src': 'print' })
    expect(parentOf(print)).toBeUndefined()
    expect(print!.links).toMatchObject([{ context: { spanId: idOf(charge) } }])
    expect(late!.attributes).toMatchObject({ 'duramen.effect.src': 'late' })
    expect([parentOf(late), late!.links]).toEqual([undefined, []])
    await host.close()
  })

  it('a failed effect: an error; one whose state was left: stopped', async () => {
    const machine = durable(
      setup({
        actors: {
          pay: fromPromise(async () => {
            throw new TypeError('no card')
          }),
          listen: fromCallback(() => {}),
        },
      }).createMachine({
        id: 'order',
        initial: 'a',
        states: {
          a: {
            invoke: [
              { src: 'pay', id: 'pay', onError: 'b' },
              { src: 'listen', id: 'listen' },
            ],
          },
          b: {},
        },
      }),
    )
    const host = await world().open([machine])
    await host.actor(machine, 'x')
    await settle()
    expect(ended('duramen.effect')).toMatchObject([
      {
        attributes: { 'duramen.effect.src': 'pay', 'duramen.effect.outcome': 'failed', 'error.type': 'TypeError' },
        status: { code: SpanStatusCode.ERROR, message: 'no card' },
        events: [{ name: 'exception' }],
      },
      {
        attributes: { 'duramen.effect.src': 'listen', 'duramen.effect.outcome': 'stopped' },
        status: { code: SpanStatusCode.UNSET },
      },
    ])
    await host.close()
  })

  it('taken up again after a restart: a trace of its own', async () => {
    const { open } = world()
    let runs = 0
    const machine = acting(() => {
      const { signal } = currentEffect()
      if (++runs === 1) return new Promise((_, reject) => signal.addEventListener('abort', reject))
    })
    const host = await open([machine])
    await (await host.actor(machine, 'x')).send({ type: 'GO' })
    await host.close()
    const next = await open([machine])
    await settle()
    const [first, again] = ended('duramen.effect')
    expect(first!.attributes).toMatchObject({ 'duramen.effect.outcome': 'stopped' })
    expect(again!.attributes).toMatchObject({ 'duramen.effect.outcome': 'completed' })
    expect(again!.attributes['duramen.effect.key']).toBe(first!.attributes['duramen.effect.key'])
    expect(again!.spanContext().traceId).not.toBe(first!.spanContext().traceId)
    expect(parentOf(again)).toBeUndefined()
    await next.close()
  })
})

describe('metrics', () => {
  it('counters, gauges and durations by machine; hosts of a process are added up, and a closed one stays counted', async () => {
    const machine = counter()
    const act = acting(() => {})
    const mine = (of: object) => (of as Record<string, unknown>)['duramen.machine'] === 'counter'
    const events = async () => (await figures('duramen.events')).find(([of]) => mine(of))?.[1] ?? 0
    const before = (await events()) as number
    const one = await world().open([machine, act])
    const two = await world().open([machine])
    const actors = [await one.actor(machine, 'x'), await two.actor(machine, 'x')]
    for (const actor of actors) await actor.send({ type: 'INC' })
    await refused(actors[0]!.send({ type: 'BOOM' }))
    await (await one.actor(act, 'y')).send({ type: 'GO' })
    expect(await events()).toBe(before + 2)
    expect(await figures('duramen.instances.live')).toEqual([[{}, 3]])
    expect(await figures('duramen.rejected')).toContainEqual([
      { 'duramen.machine': 'counter', 'error.type': 'MACHINE_THREW' },
      expect.any(Number),
    ])
    expect(await figures('duramen.effects')).toContainEqual([
      { 'duramen.machine': 'acting', 'duramen.effect.outcome': 'completed' },
      expect.any(Number),
    ])
    await one.close()
    await two.close()
    expect(await events()).toBe(before + 2)
    expect(await figures('duramen.instances.live')).toEqual([[{}, 0]])
    for (const name of ['duramen.commits', 'duramen.appends', 'duramen.duplicates', 'duramen.timers.fired'])
      expect(await figures(name), name).not.toEqual([])
    for (const name of ['duramen.mailbox.waiting', 'duramen.timers.waiting', 'duramen.effects.running'])
      expect(await figures(name), name).toEqual([[{}, 0]])
    expect(await figures('duramen.send.duration')).toContainEqual([
      { 'duramen.machine': 'counter', 'error.type': 'MACHINE_THREW' },
      expect.objectContaining({ count: 2 }), // one here, one in the test of a refused send
    ])
    expect(await figures('duramen.effect.duration')).toContainEqual([
      {
        'duramen.machine': 'order',
        'duramen.effect.src': 'pay',
        'duramen.effect.kind': 'promise',
        'duramen.effect.outcome': 'failed',
      },
      expect.objectContaining({ count: 1 }),
    ])
  })
})
