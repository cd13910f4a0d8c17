// What the snippets of README.md and docs/*.md take as given: imports that they don't print, a host, an order. It is compiled
// together with them, against dist, by snippets.test.ts.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as core from 'duramen'
import * as journals from 'duramen/journal'
import type { CreatedLogger } from 'duramen/logging'
import {
  type Notifier,
  type Schedule,
  type Startup,
  type StartupOptions,
  type StartupTask,
  startup,
  task,
} from 'duramen/machines'
import * as testing from 'duramen/testing'
import * as xstate from 'xstate'

const orderMachine = xstate
  .setup({
    types: {} as {
      context: { total: number }
      events: { type: 'PAY' } | { type: 'SHIP' } | { type: 'QUOTE' }
      input: { total: number }
      emitted: { type: 'QUOTED'; order: number; total: number }
    },
    actors: { charge: xstate.fromPromise<string, { total: number; bank: string }>(async () => 'receipt') },
    actions: { mail: () => {} },
  })
  .createMachine({
    id: 'order',
    context: ({ input }) => ({ total: input.total }),
    initial: 'open',
    states: { open: { on: { PAY: 'paid' }, after: { 86400000: 'expired' } }, paid: {}, expired: {} },
  })
const order = core.durable(orderMachine)
const report = core.durable(xstate.createMachine({ id: 'report' }))

declare const host: core.Host
declare const actor: core.DurableActor<typeof orderMachine>
declare const nightly: Schedule
declare const app: Startup
declare const tasks: StartupTask[]
declare const schema: NonNullable<StartupOptions['schema']>
declare const notifier: Notifier
declare const keys: journals.FileKeys
declare const text: string
declare const number: number

declare const logger: CreatedLogger
declare function saveUser(user: { name: string }): Promise<void>

declare class CardRefused extends Error {}
declare function mail(to: string, token: string): Promise<void>
declare function project(entry: core.JournalEntry): void
declare function orderThatCharges(charged: Map<string, number>): typeof order
declare function myJournal(place: string): Promise<journals.Journal>
declare function emptyPlace(): string
declare function placeOf(journal: journals.Journal): string

declare function connect(): Promise<{ execute(sql: string, values: unknown[]): Promise<void>; close(): Promise<void> }>
declare function connectMetrics(options: { signal: AbortSignal }): Promise<void>
declare function seed(database: unknown, key: string): Promise<void>
declare function act(): Promise<void>

export const given = {
  ...core,
  ...journals,
  ...testing,
  ...xstate,
  assert,
  test,
  orderMachine,
  order,
  order2: order,
  report,
  host,
  actor,
  nightly,
  app,
  startup,
  task,
  tasks,
  schema,
  connect,
  connectMetrics,
  seed,
  loadModel: act,
  listen: connect,
  openRoutes: act,
  closeRoutes: act,
  notifier,
  keys,
  logger,
  saveUser,
  token: text,
  who: text,
  why: text,
  last: number,
  CardRefused,
  mail,
  project,
  orderThatCharges,
  myJournal,
  emptyPlace,
  placeOf,
}
export type { Health } from 'duramen'
