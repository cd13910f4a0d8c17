// What OpenTelemetry sees of a host, and what a health check asks it.
//
// In a project of yours:   npm install duramen xstate rxjs pino @opentelemetry/api@1.9 @opentelemetry/context-async-hooks@2
//                          npm install @opentelemetry/sdk-trace-base@2 @opentelemetry/sdk-metrics@2
//                          node observing.mjs
// In a clone of duramen:   npm ci && npm run build && node examples/observing.mjs
import { createServer } from 'node:http'
import { context, metrics, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { durable, openHost } from 'duramen'
import { memoryJournal } from 'duramen/journal'
import { pino } from 'pino'
import { fromPromise, setup } from 'xstate'

// First the SDK, then the host: what is registered when a host is opened is what it tells. In production this is
// `new NodeSDK(…).start()` from @opentelemetry/sdk-node; here all that is told ends up in two lists.
const spans = new InMemorySpanExporter()
const figures = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
const reader = new PeriodicExportingMetricReader({ exporter: figures })
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }))
metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }))
const tracer = trace.getTracer('shop')

const order = durable(
  setup({
    actors: {
      // What your own instrumentation traces in here (HTTP, a database) becomes a child of the effect.
      charge: fromPromise(async () => tracer.startActiveSpan('POST /charges', async (span) => span.end())),
    },
  }).createMachine({
    id: 'order',
    initial: 'open',
    states: {
      open: { on: { PAY: 'paying' } },
      paying: { invoke: { id: 'charge', src: 'charge', onDone: 'paid' } },
      paid: {},
    },
  }),
)

const host = await openHost({ journal: memoryJournal(), machines: [order], logger: pino({ level: 'warn' }) })

// A health check: 503 only when another process might do better. What `degraded` names, an operator has to see to.
const server = createServer((_, response) => {
  const health = host.health()
  response.statusCode = health.status === 'ok' || health.status === 'degraded' ? 200 : 503
  response.end(JSON.stringify(health))
})
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))

await tracer.startActiveSpan('PUT /orders/17/payment', async (span) => {
  const actor = await host.actor(order, '17')
  await actor.send({ type: 'PAY' })
  await actor.waitFor((state) => state.matches('paid'))
  span.end()
})

const answer = await fetch(`http://127.0.0.1:${server.address().port}/`)
console.log(answer.status, (await answer.json()).status)
console.log(host.stats())

const show = (parent, indent) => {
  for (const span of spans.getFinishedSpans())
    if (span.parentSpanContext?.spanId === parent) {
      const { 'duramen.event.type': event, 'duramen.effect.src': effect } = span.attributes
      console.log(`${indent}${span.name} ${event ?? effect ?? ''}`.trimEnd())
      show(span.spanContext().spanId, `${indent}  `)
    }
}
show(undefined, '')

await reader.forceFlush()
for (const { descriptor, dataPoints } of figures.getMetrics().at(-1).scopeMetrics[0].metrics)
  console.log(descriptor.name, dataPoints.map(({ value }) => value.count ?? value).join(' '))

await host.close()
server.close()
await reader.shutdown()
