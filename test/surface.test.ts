// Every public function, called with what it can't take: the answer is a DuramenError that says what, where and what to do,
// and nothing has changed.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { left, right } from 'fp-ts/lib/Either.js'
import { MongoClient } from 'mongodb'
import { expect, it } from 'vitest'
import { setup } from 'xstate'
import { fileSystemFolders, fileSystemStore } from '../src/adapters/filesystem/index.ts'
import { createLogger } from '../src/adapters/logging/index.ts'
import { mongoConnection, mongoImageStore } from '../src/adapters/mongodb/index.ts'
import { email, webhook } from '../src/adapters/notify/index.ts'
import { askControl, childRunner } from '../src/adapters/process/index.ts'
import { sharpProcessor } from '../src/adapters/sharp/index.ts'
import { systemd } from '../src/adapters/systemd/index.ts'
import { readerProtocol, simulatedDriver, usbDriver } from '../src/adapters/usb/index.ts'
import { type DurableActor, DuramenError, deliver, durable, type Host, isDuramenError, openHost } from '../src/index.ts'
import {
  aesGcm,
  backupJournal,
  checkJournal,
  exportJournal,
  type FileJournal,
  fileJournal,
  fileKeys,
  importJournal,
  memoryJournal,
  openJournal,
  repairJournal,
  restoreJournal,
} from '../src/journal/index.ts'
import {
  connection,
  createDevice,
  type Device,
  imagePipeline,
  loadOnce,
  reportLines,
  type Startup,
  schedule,
  startup,
  startups,
  supervisor,
  withConnection,
  worker,
} from '../src/machines/index.ts'
import { everyCrashPoint, given as sentence } from '../src/testing/index.ts'
import { database } from './connection/world.ts'
import { noUnhandledRejections, quiet, world } from './support/host.ts'
import { acting, counter } from './support/machines.ts'

noUnhandledRejections()

const JUNK: Record<string, unknown> = {
  undefined: undefined,
  null: null,
  5: 5,
  text: 'text',
  'empty text': '',
  object: {},
  array: [],
  function: () => {},
  symbol: Symbol('symbol'),
  NaN: Number.NaN,
  '-1': -1,
  bigint: 10n,
  'object without prototype': Object.create(null),
}

type Call = (value: any) => unknown
const by = { who: 'ann', why: 'a test' }
const end = async (stream: AsyncIterable<unknown>) => {
  for await (const _ of stream);
}

/** What is called, with each of JUNK; and the names of those of JUNK that are right there. */
function calls(
  host: Host,
  machine: ReturnType<typeof counter>,
  actor: DurableActor<any>,
  device: Device<any>,
  app: Startup,
): [string, Call, string][] {
  const { machine: plain } = machine
  const acts = acting(() => {}).machine
  const nothing = 'undefined,null'
  const event = { type: 'INC' }
  const options = (name: string, call: Call, right = ''): [string, Call, string][] => [
    [name, call, `${nothing},object,object without prototype${right}`],
  ]
  const operators = (['pause', 'park', 'resume', 'stop', 'trim', 'purge'] as const).flatMap(
    (op): [string, Call, string][] => [
      [`host.${op} machine`, (v) => host[op](v, 'x', by), ''],
      [`host.${op} id`, (v) => host[op](machine, v, by), ''],
      [`host.${op} by`, (v) => host[op](machine, 'x', v), ''],
      [`host.${op} who`, (v) => host[op](machine, 'x', { who: v, why: '' }), ''],
    ],
  )
  const onEffects = (['retry', 'skip', 'cancel'] as const).flatMap((op): [string, Call, string][] => [
    [`host.${op} key`, (v) => host[op](machine, 'x', v, by), ''],
    [`host.${op} by`, (v) => host[op](machine, 'x', '1/0', v), ''],
    [`host.${op} who`, (v) => host[op](machine, 'x', '1/0', { who: v, why: v }), ''],
  ])
  const policy = ['attempts', 'timeout', 'heartbeat', 'crashes'].map((name): [string, Call, string] => [
    `retry.act.${name}`,
    (v) => durable(acts, { retry: { act: { [name]: v } } }),
    'undefined,5',
  ])
  const limits = ['mailbox', 'pipeline', 'dedupe', 'maxBinary', 'maxActive', 'maxEffects', 'snapshotEvery'].map(
    (name): [string, Call, string] => [
      `openHost ${name}`,
      (v) => openHost({ journal: memoryJournal(), logger: quiet, [name]: v }),
      `${nothing},5`,
    ],
  )
  const driver = simulatedDriver()
  const { driver: db } = database()
  const noDb = new MongoClient('mongodb://127.0.0.1:1').db('never') // connects to nothing by itself
  const connected = connection(host, { driver: db, id: 'connected' })
  const usb = (given: object) => usbDriver({ vendor: 1, product: 2, protocol: readerProtocol, ...given })
  // each is refused for what is looked at last, where its value is right
  const withDriver = (parts: object, options: object = {}) =>
    createDevice(host, { driver: { ...driver, name: '', ...parts }, ...options })
  const counts = ['maxOperationsBeforeRefresh', 'attempts', 'queue'].map((name): [string, Call, string] => [
    `createDevice ${name}`,
    (v) => withDriver({}, { [name]: v }),
    'undefined,5',
  ])
  // likewise
  const wrongNeed = { id: 'needy', needs: ['nothing'], run: () => {} }
  const durations = ['deviceHealthThreshold', 'patience', 'callTimeout', 'poll', 'accessEvery'].map(
    (name): [string, Call, string] => [`createDevice ${name}`, (v) => withDriver({}, { [name]: v }), 'undefined,5'],
  )
  const order = { command: 'node', args: [], cwd: '.', env: {} }
  const runner = {
    clear: () => async () => right(0),
    start: () => async () => left(new DuramenError('CHILD_FAILED', 'no')),
  }
  // likewise
  const images = (given: object) =>
    imagePipeline(host, {
      folders: fileSystemFolders(tmpdir()),
      store: fileSystemStore(tmpdir()),
      process: async () => ({ outputs: [], codes: [] }),
      ...given,
    })
  // each is refused for its notifier at the latest
  const supervised = (given: object) => supervisor(host, { runner, order, notifier: 5 as never, ...given })
  return [
    ['durable', (v) => durable(v), ''],
    ...options('durable options', (v) => durable(plain, v)),
    ['durable id', (v) => durable(plain, { id: v }), `${nothing},text`],
    ['durable version', (v) => durable(plain, { version: v }), `${nothing},5`],
    ['durable timers', (v) => durable(plain, { timers: v }), 'undefined'],
    ['durable attributes', (v) => durable(plain, { attributes: v }), 'undefined,function'],
    ['durable events', (v) => durable(plain, { events: { INC: v } }), 'undefined'],
    ...options('durable retry', (v) => durable(acts, { retry: v })),
    ['retry.act', (v) => durable(acts, { retry: { act: v } }), 'undefined,object,object without prototype'],
    [
      'retry.act.backoff',
      (v) => durable(acts, { retry: { act: { backoff: v } } }),
      'undefined,object,object without prototype',
    ],
    ['retry.act.rate', (v) => durable(acts, { retry: { act: { rate: v } } }), 'undefined'],
    ['retry.act.concurrency', (v) => durable(acts, { retry: { act: { concurrency: v } } }), 'undefined'],
    ['retry.act.retryable', (v) => durable(acts, { retry: { act: { retryable: v } } }), 'undefined,function'],
    ...policy,
    ['openHost', (v) => openHost(v), ''],
    ['openHost journal', (v) => openHost({ journal: v }), ''],
    ['openHost machines', (v) => openHost({ journal: memoryJournal(), machines: v }), 'undefined,array'],
    ['openHost logger', (v) => openHost({ journal: memoryJournal(), logger: v }), nothing],
    ['openHost clock', (v) => openHost({ journal: memoryJournal(), clock: v }), 'undefined'],
    ['openHost closeTimeout', (v) => openHost({ journal: memoryJournal(), closeTimeout: v }), `${nothing},5`],
    ...limits,
    ['host.register', (v) => host.register(v), ''],
    ['host.actor machine', (v) => host.actor(v, 'x'), ''],
    ['host.actor id', (v) => host.actor(machine, v, { create: false }), ''],
    ...options('host.actor options', (v) => host.actor(machine, 'x', v)),
    ['host.actor create', (v) => host.actor(machine, 'x', { create: v }), 'undefined'],
    ['host.actor input', (v) => host.actor(machine, `new ${typeof v}`, { input: v, create: false } as never), ''],
    ['host.send machine', (v) => host.send(v, 'x', event), ''],
    ['host.send id', (v) => host.send(machine, v, event), ''],
    ['host.send event', (v) => host.send(machine, 'x', v), ''],
    ['actor.send', (v) => actor.send(v), ''],
    ['actor.send type', (v) => actor.send({ type: v, x: Symbol('never kept') } as never), ''],
    ['actor.send id', (v) => actor.send({ ...event, x: Symbol('never kept') } as never, { id: v }), ''],
    ['actor.subscribe', (v) => actor.subscribe(v).unsubscribe(), 'object,array,function,object without prototype'],
    ['actor.on type', (v) => actor.on(v, () => {}).unsubscribe(), 'text,empty text'],
    ['actor.on handler', (v) => actor.on('*', v).unsubscribe(), 'function'],
    ['actor.waitFor', (v) => actor.waitFor(v, { timeout: 0 }), 'function'],
    ...options('actor.waitFor options', (v) => actor.waitFor(() => true, v)),
    ['actor.waitFor timeout', (v) => actor.waitFor(() => true, { timeout: v }), 'undefined,5'],
    ['actor.waitFor signal', (v) => actor.waitFor(() => true, { signal: v }), 'undefined'],
    ['actor.ask options', (v) => actor.ask(event, v), ''],
    ['actor.ask reply', (v) => actor.ask(event, { reply: v }), 'text'],
    ['actor.ask match', (v) => actor.ask(event, { reply: 'R', match: v }), 'undefined,function'],
    ['actor.ask timeout', (v) => actor.ask(event, { reply: 'R', timeout: v }), 'undefined,5'],
    ['actor.snapshotAt', (v) => actor.snapshotAt(v), ''],
    ...options('actor.history', (v) => end(actor.history(v))),
    ['actor.history from', (v) => end(actor.history({ from: v })), 'undefined,5'],
    ['host.records to', (v) => end(host.records({ to: v })), 'undefined,5'],
    ...options('host.records$', (v) => host.records$(v)),
    ['host.records$ from', (v) => host.records$({ from: v }), 'undefined,5'],
    ...options('host.list', (v) => host.list(v)),
    ['host.list machine', (v) => host.list({ machine: v }), 'undefined,text,empty text'],
    ['host.list status', (v) => host.list({ status: v }), 'undefined'],
    [
      'host.list state',
      (v) => host.list({ state: v }),
      'undefined,text,empty text,object,array,object without prototype',
    ],
    ['host.snapshotAt id', (v) => host.snapshotAt(machine, v, 1), ''],
    ['host.snapshotAt seq', (v) => host.snapshotAt(machine, 'x', v), ''],
    ...options('host.verify', (v) => host.verify(v)),
    ['host.verify against', (v) => host.verify({ against: v }), 'undefined,array'],
    ['host.verify each', (v) => host.verify({ each: v }), 'undefined,function'],
    ['host.complete', (v) => host.complete(v), ''],
    ['host.fail', (v) => host.fail(v, new Error('no')), ''],
    ...operators,
    ...onEffects,
    ['host.fork actor', (v) => host.fork(v, 1, { id: 'f', ...by }), ''],
    ['host.fork seq', (v) => host.fork(actor, v, { id: 'f', ...by }), ''],
    ['host.fork options', (v) => host.fork(actor, 1, v), ''],
    ['host.fork effects', (v) => host.fork(actor, 0, { id: 'f', effects: v, ...by }), ''],
    ['deliver', (v) => deliver(v, 'x', event as never), ''],
    ['fileJournal', (v) => fileJournal(v), 'text'],
    ['checkJournal', (v) => checkJournal(v), 'text'],
    ['checkJournal options', (v) => checkJournal(join(tmpdir(), 'never-made'), v), ''],
    ['checkJournal onProgress', (v) => checkJournal(join(tmpdir(), 'never-made'), { onProgress: v }), ''],
    ['repairJournal', (v) => repairJournal(v, { how: 'cut' }), 'text'],
    ['repairJournal options', (v) => repairJournal(join(tmpdir(), 'never-made'), v), ''],
    ['repairJournal how', (v) => repairJournal(join(tmpdir(), 'never-made'), { how: v }), ''],
    ['repairJournal confirm', (v) => repairJournal(join(tmpdir(), 'never-made'), { how: 'cut', confirm: v }), ''],
    [
      'fileJournal options',
      (v) => fileJournal(join(tmpdir(), 'never-made'), v),
      `${nothing},object,object without prototype`,
    ],
    ['fileJournal segmentBytes', (v) => fileJournal(join(tmpdir(), 'never-made'), { segmentBytes: v }), 'undefined'],
    ['openJournal', (v) => openJournal(v, { readOnly: true }), ''],
    ['openJournal options', (v) => openJournal(tmpdir(), v), ''],
    ['openJournal readOnly', (v) => openJournal(tmpdir(), { readOnly: v }), ''],
    ['openJournal poll', (v) => openJournal(tmpdir(), { readOnly: true, poll: v }), ''],
    ['openJournal logger', (v) => openJournal(tmpdir(), { readOnly: true, logger: v }), ''],
    ['backup dir', (v) => backupJournal(v, join(tmpdir(), 'never-made')), ''],
    ['backup to', (v) => backupJournal(join(tmpdir(), 'not-there'), v), ''],
    ...options('backup options', (v) => backupJournal(join(tmpdir(), 'not-there'), join(tmpdir(), 'never-made'), v)),
    ['restore from', (v) => restoreJournal(v, join(tmpdir(), 'never-made')), ''],
    ['restore dir', (v) => restoreJournal(tmpdir(), v), ''],
    ...options('restore options', (v) => restoreJournal(join(tmpdir(), 'not-there'), join(tmpdir(), 'never-made'), v)),
    ['restore until', (v) => restoreJournal(tmpdir(), join(tmpdir(), 'never-made'), { until: v }), ''],
    ['host.backup', (v) => host.backup(v), ''],
    ['exportJournal', (v) => exportJournal(v), ''],
    ...options('exportJournal options', (v) => exportJournal(memoryJournal(), v)),
    ['exportJournal machine', (v) => exportJournal(memoryJournal(), { machine: v }), 'undefined,text'],
    ['exportJournal instance', (v) => exportJournal(memoryJournal(), { machine: 'm', instance: v }), 'undefined,text'],
    ['importJournal source', (v) => importJournal(v, memoryJournal()), ''],
    ['importJournal journal', (v) => importJournal([], v), ''],
    ['fileJournal codec', (v) => fileJournal(join(tmpdir(), 'never-made'), { codec: v }), 'undefined'],
    ['fileJournal chain', (v) => fileJournal(join(tmpdir(), 'never-made'), { chain: v }), 'undefined'],
    ['aesGcm options', (v) => aesGcm(v), ''],
    ['aesGcm keys', (v) => aesGcm({ keys: v }), 'function'],
    ['fileKeys', (v) => fileKeys(v), 'text'],
    ['schedule host', (v) => schedule(v, machine, 's', { every: '1h' }), ''],
    ['schedule machine', (v) => schedule(host, v, 's', { every: '1h' }), ''],
    ['schedule id', (v) => schedule(host, machine, v, { every: '1h' }), 'text'],
    ['schedule options', (v) => schedule(host, machine, 's', v), ''],
    ['schedule every', (v) => schedule(host, machine, 's', { every: v }), ''],
    ['schedule anchor', (v) => schedule(host, machine, 's', { every: '1h', anchor: v }), 'undefined'],
    ['schedule cron', (v) => schedule(host, machine, 's', { cron: v }), ''],
    ['schedule grace', (v) => schedule(host, machine, 's', { every: '1h', grace: v }), `${nothing},5`],
    ['startups host', (v) => startups(v), ''],
    ['app.result', (v) => app.result(v), ''],
    ...options('app.shutdown', (v) => app.shutdown(v)),
    ['app.shutdown why', (v) => app.shutdown({ why: v }), 'undefined,text,empty text'],
    ['startup host', (v) => startup(v, []), ''],
    ['startup tasks', (v) => startup(host, v), 'array'],
    ['startup task', (v) => startup(host, [v]), ''],
    ['startup task.id', (v) => startup(host, [wrongNeed, { id: v, run: () => {} }]), ''],
    ...[
      'run',
      'needs',
      'once',
      'critical',
      'heavy',
      'version',
      'timeout',
      'stopTimeout',
      'says',
      'stop',
      'ready',
      'retry',
    ].map((name): [string, Call, string] => [
      `startup task.${name}`,
      (v) => startup(host, [{ id: 'a', run: () => {}, [name]: v } as never, wrongNeed]),
      '',
    ]),
    ...['id', 'grace', 'signals', 'service', 'process', 'env', 'schema'].map((name): [string, Call, string] => [
      `startup ${name}`,
      (v) => startup(host, [wrongNeed], { [name]: v }),
      '',
    ]),
    ...options('startup options', (v) => startup(host, [wrongNeed], v)),
    ['connection host', (v) => connection(v, { driver: db }), ''],
    ['connection options', (v) => connection(host, v), ''],
    ['connection driver', (v) => connection(host, { driver: v }), ''],
    ...(['name', 'connect', 'watch', 'close'] as const).map((name): [string, Call, string] => [
      `connection driver.${name}`,
      (v) => connection(host, { driver: { ...db, [name]: v } }),
      name === 'name' ? 'text,empty text' : 'function',
    ]),
    ['connection id', (v) => connection(host, { driver: db, id: v }), 'undefined,text'],
    ['connection attempts', (v) => connection(host, { driver: db, attempts: v }), 'undefined,5'],
    ...(['timeout', 'openFor', 'maxOpenFor', 'closeTimeout'] as const).map((name): [string, Call, string] => [
      `connection ${name}`,
      (v) => connection(host, { driver: db, [name]: v }),
      `${nothing},5`,
    ]),
    ['withConnection', (v) => withConnection(v, () => 1), ''],
    ['withConnection work', (v) => withConnection(connected, v), 'function'],
    ...options('withConnection options', (v) => withConnection(connected, () => 1, v)),
    ['withConnection patience', (v) => withConnection(connected, () => 1, { patience: v }), `${nothing},5`],
    ['withConnection rollback', (v) => withConnection(connected, () => 1, { rollback: v }), 'undefined,function'],
    ['withConnection signal', (v) => withConnection(connected, () => 1, { signal: v }), 'undefined'],
    ['mongoConnection', (v) => mongoConnection(v), ''],
    ['mongoConnection uri', (v) => mongoConnection({ uri: v }), ''],
    ['mongoConnection client', (v) => mongoConnection({ client: v }), ''],
    ['mongoConnection db', (v) => mongoConnection({ uri: 'mongodb://x', db: v }), 'undefined,text'],
    [
      'mongoConnection options',
      (v) => mongoConnection({ uri: 'mongodb://x', options: v }),
      `${nothing},object,object without prototype`,
    ],
    ['mongoImageStore', (v) => mongoImageStore(v), ''],
    ['mongoImageStore db', (v) => mongoImageStore({ db: v }), ''],
    ['mongoImageStore collection', (v) => mongoImageStore({ db: noDb, collection: v }), 'undefined,text'],
    ['mongoImageStore inline', (v) => mongoImageStore({ db: noDb, inline: v }), 'undefined,5'],
    ...(['timeout', 'abandoned'] as const).map((name): [string, Call, string] => [
      `mongoImageStore ${name}`,
      (v) => mongoImageStore({ db: noDb, [name]: v }),
      'undefined,5',
    ]),
    ['imagePipeline host', (v) => imagePipeline(v, {} as never), ''],
    ['imagePipeline connection', (v) => images({ connection: v }), 'undefined'],
    ['imagePipeline mode', (v) => images({ mode: v }), 'undefined'],
    ['imagePipeline id', (v) => images({ id: v, slots: 0 }), 'undefined,text'],
    ...options('imagePipeline retry', (v) => images({ retry: v, slots: 0 })),
    ...['slots', 'processAttempts', 'crashes'].map((name): [string, Call, string] => [
      `imagePipeline ${name}`,
      (v) => images({ [name]: v }),
      'undefined,5',
    ]),
    ['imagePipeline options', (v) => imagePipeline(host, v), ''],
    ['createDevice host', (v) => createDevice(v, { driver: simulatedDriver() }), ''],
    ['createDevice options', (v) => createDevice(host, v), ''],
    ['createDevice driver', (v) => createDevice(host, { driver: v }), ''],
    ['createDevice operations', (v) => withDriver({ operations: v }), 'object,array,object without prototype'],
    ['createDevice traits', (v) => withDriver({ operations: { capture: v } }), ''],
    ['createDevice id', (v) => withDriver({}, { id: v }), 'text'],
    ...counts,
    ...durations,
    ...options('createDevice ladder', (v) => withDriver({}, { ladder: v })),
    ...options('createDevice unavailable', (v) => withDriver({}, { unavailable: v })),
    ['device.perform', (v) => device.perform(v), ''],
    ...options('device.perform options', (v) => device.perform('capture', undefined, v)),
    ['worker host', (v) => worker(v, { id: 'w', every: '1m', run() {} }), ''],
    ['worker options', (v) => worker(host, v), ''],
    ['worker id', (v) => worker(host, { id: v, every: '1m', run: 5 as never }), ''],
    ['worker run', (v) => worker(host, { id: 'w', every: 0, run: v }), ''],
    ['worker every', (v) => worker(host, { id: 'w', every: v, run() {} }), '5'],
    ['worker backoff', (v) => worker(host, { id: 'w', every: 0, run() {}, backoff: v }), ''],
    ['worker stopTimeout', (v) => worker(host, { id: 'w', every: 0, run() {}, stopTimeout: v }), ''],
    ['supervisor host', (v) => supervisor(v, { runner, order }), ''],
    ['supervisor options', (v) => supervisor(host, v), ''],
    ['supervisor runner', (v) => supervised({ runner: v }), ''],
    ['supervisor order', (v) => supervised({ order: v }), ''],
    ['supervisor command', (v) => supervised({ order: { ...order, command: v } }), ''],
    ['supervisor args', (v) => supervised({ order: { ...order, args: v } }), ''],
    ['supervisor env', (v) => supervised({ order: { ...order, env: v } }), ''],
    ['supervisor id', (v) => supervised({ id: v }), ''],
    ['supervisor notifier', (v) => supervised({ notifier: v }), 'undefined'],
    ...['restartDelay', 'maxRestarts', 'window', 'stable', 'stopTimeout', 'backoff'].map(
      (name): [string, Call, string] => [`supervisor ${name}`, (v) => supervised({ [name]: v }), ''],
    ),
    ['simulatedDriver serial', (v) => simulatedDriver({ serial: v }), 'undefined,text'],
    ['usbDriver', (v) => usbDriver(v), ''],
    ['usbDriver vendor', (v) => usb({ vendor: v }), '5'],
    ['usbDriver product', (v) => usb({ product: v }), '5'],
    ['usbDriver serial', (v) => usb({ serial: v }), 'undefined,text'],
    ['usbDriver protocol', (v) => usb({ protocol: v }), ''],
    ['usbDriver interface', (v) => usb({ interface: v }), `${nothing},5`],
    ['usbDriver configuration', (v) => usb({ configuration: v }), 'undefined,5'],
    ['usbDriver lockFolder', (v) => usb({ lockFolder: v }), 'undefined,text'],
    ['usbDriver whenLocked', (v) => usb({ whenLocked: v }), 'undefined'],
    ['usbDriver poll', (v) => usb({ poll: v }), `${nothing},5`],
    ['reportLines', (v) => reportLines(v), ''],
    ['loadOnce id', (v) => loadOnce(v, () => 1), 'text'],
    ['loadOnce load', (v) => loadOnce('never-loaded', v), 'function'],
    ['fileSystemFolders', (v) => fileSystemFolders(v), 'text'],
    ...options('fileSystemFolders options', (v) => fileSystemFolders('never-made', v)),
    ['fileSystemStore', (v) => fileSystemStore(v), 'text'],
    ...options('sharpProcessor', (v) => sharpProcessor(v)),
    ['createLogger', (v) => createLogger(v), ''],
    ['createLogger name', (v) => createLogger({ name: v }), 'text'],
    ['createLogger level', (v) => createLogger({ name: 'x', level: v }), 'undefined'],
    ['createLogger format', (v) => createLogger({ name: 'x', format: v }), 'undefined'],
    ['createLogger utc', (v) => createLogger({ name: 'x', utc: v }), 'undefined'],
    ['createLogger console', (v) => createLogger({ name: 'x', console: v }), 'undefined'],
    ['createLogger file', (v) => createLogger({ name: 'x', file: v }), 'undefined,text'],
    ...options('createLogger rotate', (v) => createLogger({ name: 'x', rotate: v })),
    ['createLogger size', (v) => createLogger({ name: 'x', rotate: { size: v } }), `${nothing},5`],
    ['createLogger keep', (v) => createLogger({ name: 'x', rotate: { keep: v } }), `${nothing},5`],
    ['createLogger redact', (v) => createLogger({ name: 'x', redact: v }), 'undefined,array'],
    ['webhook', (v) => webhook(v), ''],
    ['webhook url', (v) => webhook({ url: v }), ''],
    ['webhook timeout', (v) => webhook({ url: 'https://x.org', timeout: v }), `${nothing},5`],
    ['webhook format', (v) => webhook({ url: 'https://x.org', format: v }), 'undefined'],
    [
      'webhook headers',
      (v) => webhook({ url: 'https://x.org', headers: v }),
      'undefined,object,array,function,object without prototype',
    ],
    ['webhook retries', (v) => webhook({ url: 'https://x.org', retries: v }), 'undefined,5'],
    ['email', (v) => email(v), ''],
    ['email from', (v) => email({ from: v, to: 'a@b.org', url: 'smtp://x' }), ''],
    ['email to', (v) => email({ from: 'a@b.org', to: v, url: 'smtp://x' }), ''],
    ['email url', (v) => email({ from: 'a@b.org', to: 'a@b.org', url: v }), ''],
    ['email transport', (v) => email({ from: 'a@b.org', to: 'a@b.org', transport: v }), ''],
    ['email timeout', (v) => email({ from: 'a@b.org', to: 'a@b.org', url: 'smtp://x', timeout: v }), `${nothing},5`],
    ['childRunner', (v) => childRunner(v), 'text'],
    ...options('childRunner options', (v) => childRunner(join(tmpdir(), 'never-made'), v)),
    ['childRunner stdout', (v) => childRunner(join(tmpdir(), 'never-made'), { stdout: v }), 'undefined'],
    ['childRunner logDir', (v) => childRunner(join(tmpdir(), 'never-made'), { logDir: v }), 'undefined,text'],
    ['childRunner logSize', (v) => childRunner(join(tmpdir(), 'never-made'), { logSize: v }), 'undefined,5'],
    ['childRunner logKeep', (v) => childRunner(join(tmpdir(), 'never-made'), { logKeep: v }), 'undefined,5'],
    ['childRunner logger', (v) => childRunner(join(tmpdir(), 'never-made'), { logger: v }), nothing],
    ['askControl', (v) => askControl(v, { do: 'status' }), ''],
    ['askControl request', (v) => askControl(join(tmpdir(), 'not-there'), v), ''],
    ['askControl why', (v) => askControl(join(tmpdir(), 'not-there'), { do: 'stop', why: v }), ''],
    ...options('askControl options', (v) => askControl(join(tmpdir(), 'not-there'), { do: 'stop' }, v)),
    ...options('systemd', (v) => systemd(v)),
    ['systemd env', (v) => systemd({ env: v }), `${nothing},object,array,object without prototype`],
    ['systemd logger', (v) => systemd({ logger: v }), nothing],
  ]
}

it('every public function refuses what it can not take by a DuramenError with a hint, and nothing has changed', async () => {
  const { open, journal } = world()
  const machine = counter()
  const host = await open([machine])
  const actor = await host.actor(machine, 'x')
  const device = await createDevice(await open([], { journal: memoryJournal() }), { driver: simulatedDriver() })
  const app = await startup(await open([], { journal: memoryJournal() }), [], { signals: [] })
  const before = await host.list()
  const wrong: string[] = []
  let count = 0
  for (const [name, call, right] of calls(host, machine, actor, device, app))
    for (const [kind, value] of Object.entries(JUNK)) {
      if (right.split(',').includes(kind)) continue
      count++
      const error: unknown = await Promise.resolve()
        .then(() => call(value))
        .then(
          () => 'was taken',
          (thrown) => thrown,
        )
      const well = isDuramenError(error) && error.message.length > 10 && (error.hint?.length ?? 0) > 5
      if (!well) wrong.push(`${name}(${kind}): ${error}${isDuramenError(error) ? ', without a hint' : ''}`)
    }
  expect(wrong).toEqual([])
  expect(count).toBeGreaterThan(1000)
  expect(await host.list()).toEqual(before)
  expect((await journal.head('counter/x'))!.seq).toBe(1)
  expect(app.report().state).toBe('ready')
  await app.shutdown()
  await device.close()
  await host.close()
})

/** Each heading of OPTIONS.md: the call with these options, beside those that it can't do without. */
function callsByHeading(world: {
  host: Host
  machine: ReturnType<typeof counter>
  actor: DurableActor<any>
  device: Device<any>
  app: Startup
  journal: FileJournal
  dir: string
}): Record<string, (given: object) => unknown> {
  const { host, machine, actor, device, app, journal, dir } = world
  const absent = join(dir, 'absent')
  const acts = acting(() => {}).machine
  const plain = () => durable(setup({}).createMachine({ id: 'plain' }))
  const runner = { clear: () => async () => right(0), start: () => async () => left(new DuramenError('IO', 'no')) }
  const task = (given: object) => startup(host, [{ id: 'a', run: () => {}, ...given } as never], { signals: [] })
  const withOptions = (given: object) => startup(host, [], { signals: [], ...given })
  const images = {
    folders: fileSystemFolders(absent),
    store: fileSystemStore(absent),
    process: async () => ({ outputs: [], codes: [] }),
  }
  const connected = connection(host, { driver: database().driver, id: 'by heading' })
  const read = async (given: object) => {
    const reader = await openJournal(join(dir, 'journal'), { readOnly: true })
    await end(reader.follow(given)).finally(() => reader.close()())
  }
  return {
    'openHost(options)': (given) => openHost({ journal: memoryJournal(), ...given }),
    'durable(machine, options)': (given) => durable(acts, given),
    'durable: a policy of retry': (given) => durable(acts, { retry: { act: given } }),
    'host.actor(machine, id, options)': (given) => host.actor(machine, 'x', given),
    'actor.send(event, options), host.send(machine, id, event, options)': (given) => actor.send({ type: 'INC' }, given),
    'actor.ask(event, options)': (given) => actor.ask({ type: 'INC' }, { reply: 'R', timeout: 0, ...given }),
    'actor.waitFor(predicate, options)': (given) => actor.waitFor(() => true, given),
    'actor.history(range), host.records(range)': (given) => end(host.records(given)),
    'host.list(filter)': (given) => host.list(given),
    'host.verify(options)': (given) => host.verify(given),
    'Operators: by': (given) => host.pause(machine, 'x', { ...by, ...given }),
    'host.fork(actor, seq, { who, why, …options })': (given) => host.fork(actor, 1, { id: 'f', ...by, ...given }),
    'fileJournal(dir, options)': (given) => fileJournal(absent, given),
    'journal.reclaim(options)': (given) => journal.reclaim(given),
    'openJournal(dir, options)': (given) => openJournal(join(dir, 'journal'), { readOnly: true, ...given }),
    'reader.follow(options)': read,
    'checkJournal(dir, options)': (given) => checkJournal(join(dir, 'journal'), given),
    'repairJournal(dir, options)': (given) => repairJournal(absent, { how: 'cut', ...given }),
    'backupJournal(dir, to, options)': (given) => backupJournal(join(dir, 'journal'), absent, given),
    'restoreJournal(from, dir, options)': (given) => restoreJournal(absent, absent, given),
    'exportJournal(journal, options)': (given) => exportJournal(journal, given),
    'aesGcm(options)': (given) => aesGcm({ keys: () => undefined as never, ...given }),
    'connection(host, options)': (given) => connection(host, { driver: database().driver, id: 'wrong', ...given }),
    'withConnection(connection, work, options)': (given) => withConnection(connected, () => 1, given),
    'createDevice(host, options)': (given) => createDevice(host, { driver: simulatedDriver(), id: 'wrong', ...given }),
    'device.perform(op, input, options)': (given) => device.perform('capture', undefined, given),
    'schedule(host, machine, id, options)': (given) => schedule(host, plain(), 's', { every: '1h', ...given }),
    'worker(host, options)': (given) => worker(host, { id: 'w', every: '1m', run() {}, ...given }),
    'supervisor(host, options)': (given) => supervisor(host, { runner, order: { command: 'x', args: [] }, ...given }),
    'startup(host, tasks, options)': withOptions,
    'startup: the environment': withOptions,
    'startup: a task': task,
    'startup: a task, what runs each time': task,
    'startup: a task that runs once': (given) => task({ once: true, ...given }),
    'startup: retry of a task': (given) => task({ retry: given }),
    'startup: retry.backoff of a task': (given) => task({ retry: { backoff: given } }),
    'app.shutdown(options)': (given) => app.shutdown(given),
    'imagePipeline(host, options)': (given) => imagePipeline(host, { ...images, ...given }),
    'fileSystemFolders(root, options)': (given) => fileSystemFolders(absent, given),
    'mongoImageStore(options)': (given) => mongoImageStore(given as never),
    'mongoConnection(options)': (given) => mongoConnection({ uri: 'mongodb://127.0.0.1:1/x', ...given }),
    'sharpProcessor(options)': (given) => sharpProcessor(given),
    'usbDriver(options)': (given) => usbDriver({ vendor: 1, product: 2, protocol: readerProtocol, ...given }),
    'simulatedDriver(options)': (given) => simulatedDriver(given),
    'createLogger(options)': (given) => createLogger({ name: 'x', ...given }),
    'webhook(options)': (given) => webhook({ url: 'https://x.org', ...given }),
    'email(options)': (given) => email({ from: 'a@b.org', to: 'a@b.org', url: 'smtp://x', ...given }),
    'childRunner(folder, options)': (given) => childRunner(absent, given),
    'askControl(folder, request, options)': (given) => askControl(absent, { do: 'status' }, given),
    'systemd(options)': (given) => systemd(given),
    'given(machine, history, options)': (given) => sentence(plain(), [], given),
    'everyCrashPoint(scenario, check, options)': (given) =>
      everyCrashPoint(
        async () => {},
        () => {},
        given,
      ),
  }
}

/** Not calls of ours: an error that is made, and what a protocol of the caller's own is called with. */
const NO_CALLS = ['new DuramenError(code, message, options)', 'a transfer of a protocol: { signal, … }']

it('every option of OPTIONS.md has its name checked, also within another: one that is none is refused, never ignored', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'duramen-surface-'))
  const { open } = world()
  const machine = counter()
  const host = await open([machine])
  const actor = await host.actor(machine, 'x')
  const device = await createDevice(await open([], { journal: memoryJournal() }), { driver: simulatedDriver() })
  const app = await startup(await open([], { journal: memoryJournal() }), [], { signals: [] })
  const journal = await fileJournal(join(dir, 'journal'))
  const before = await host.list()
  const calls = callsByHeading({ host, machine, actor, device, app, journal, dir })
  const sections = (await readFile('docs/OPTIONS.md', 'utf8')).split('\n### ').slice(1)
  const headings = sections.map((section) => section.split('\n')[0]!.replaceAll('`', ''))
  expect(headings.filter((heading) => !NO_CALLS.includes(heading))).toEqual(Object.keys(calls))

  const wrong: string[] = []
  const refuses = async (heading: string, given: object, name: string) => {
    const error: unknown = await Promise.resolve()
      .then(() => calls[heading]!(given))
      .then(
        () => 'was taken',
        (thrown) => thrown,
      )
    const codes = heading.startsWith('durable') ? ['BAD_OPTION', 'BAD_MACHINE'] : ['BAD_OPTION']
    const well = isDuramenError(error) && codes.includes(error.code) && (error.hint?.length ?? 0) > 5
    if (!well || !error.message.includes(name)) wrong.push(`${heading} ${JSON.stringify(given)}: ${error}`)
  }
  for (const [at, section] of sections.entries()) {
    const heading = headings[at]!
    if (NO_CALLS.includes(heading)) continue
    await refuses(heading, { nonesuch: 1 }, 'nonesuch')
    for (const [, name] of section.matchAll(/^\| `(\w+)` \| {2}\|/gm)) {
      await refuses(heading, { [name!]: 7 }, name!)
      await refuses(heading, { [name!]: [7] }, name!)
      await refuses(heading, { [name!]: { nonesuch: 1 } }, 'nonesuch')
    }
  }
  expect(wrong).toEqual([])
  expect(await host.list()).toEqual(before)
  expect(await readdir(dir)).toEqual(['journal'])
  await journal.close()()
  await app.shutdown()
  await device.close()
  await host.close()
  await rm(dir, { recursive: true })
})

it('refuses options that are none, by name, with those that there are', async () => {
  const { open } = world()
  const machine = durable(setup({}).createMachine({ id: 'plain' }))
  const misspelled = await open([machine], { maxActiv: 5 } as never).catch((error) => error)
  expect(misspelled).toMatchObject({ code: 'BAD_OPTION', message: "openHost: 'maxActiv' is no option" })
  expect(misspelled.hint).toContain('maxActive')
  expect(() => durable(setup({}).createMachine({ id: 'plain' }), { verison: 2 } as never)).toThrow(
    "'verison' is no option",
  )
})

it('the hint for a wrong option of a start-up names only those that are documented', async () => {
  const host = await openHost({ journal: memoryJournal(), logger: quiet })
  const error = await startup(host, [], { nonesuch: 1 } as never).catch((thrown) => thrown)
  expect(error.hint).toBe('There are id, grace, signals, service, env, schema; docs/OPTIONS.md says what they mean.')
  await host.close()
})
