// A host with a virtual clock, start-ups on it, and a process that is told what real ones are told.
import { onTestFinished } from 'vitest'
import { type Host, type HostOptions, openHost } from '../../src/index.ts'
import { memoryJournal } from '../../src/journal/index.ts'
import type { Journal } from '../../src/journal/port.ts'
import {
  type OnceTask,
  type Startup,
  type StartupOptions,
  type StartupTask,
  startup,
} from '../../src/machines/index.ts'
import type { HostProcess, SignalName } from '../../src/ports/process.ts'
import type { ServiceManager } from '../../src/ports/service.ts'
import { kept, type VirtualClock, virtualClock } from '../../src/testing/index.ts'
import { quiet, settle } from '../support/host.ts'

export type AnyTask = StartupTask | OnceTask

/** A process that can be sent signals, and only notes that it ends. */
export interface TestProcess extends HostProcess {
  readonly exits: number[]
  signal(name: SignalName): void
  /** How many listeners wait for signals. */
  readonly listening: number
}

export function testProcess(): TestProcess {
  const listeners: [SignalName, () => void][] = []
  const exits: number[] = []
  return {
    pid: 1,
    env: {},
    exits,
    on: (name, listener) => void listeners.push([name, listener]),
    off: (name, listener) => {
      const at = listeners.findIndex((one) => one[0] === name && one[1] === listener)
      if (at >= 0) listeners.splice(at, 1)
    },
    exit: (code) => void exits.push(code),
    memoryUsage: () => ({ rss: 1, heapUsed: 1, external: 1 }),
    signal: (name) => {
      for (const [of, listener] of [...listeners]) if (of === name) listener()
    },
    get listening() {
      return listeners.length
    },
  }
}

/** Notes all that it is told. */
export function recordingService(): ServiceManager & { readonly told: string[] } {
  const told: string[] = []
  const tell =
    (name: string) =>
    (what?: unknown): void =>
      void told.push(what === undefined ? name : `${name} ${what}`)
  return {
    told,
    ready: tell('ready'),
    status: tell('status'),
    extend: tell('extend'),
    stopping: tell('stopping'),
    close: async () => void told.push('close'),
  }
}

export interface Place {
  readonly journal: Journal
  readonly clock: VirtualClock
  readonly process: TestProcess
  /** What tasks did, in order: `a`, `stop a`. */
  readonly log: string[]
  open(options?: Partial<HostOptions>): Promise<Host>
  start(host: Host, tasks: readonly AnyTask[], options?: StartupOptions): Promise<Startup>
  /** A task that says in the log that it ran, and was stopped. */
  task(id: string, needs?: readonly string[], more?: Partial<StartupTask>): StartupTask
  seed(id: string, needs?: readonly string[], more?: Partial<OnceTask>): OnceTask
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

export function place(inner: Journal = memoryJournal()): Place {
  const clock = virtualClock()
  const process = testProcess()
  const log: string[] = []
  return {
    journal: inner,
    clock,
    process,
    log,
    async open(options = {}) {
      const host = await openHost({ journal: kept(inner), clock, logger: quiet, closeTimeout: 100, ...options })
      onTestFinished(async () => {
        const closing = host.close()
        closing.catch(() => {})
        await clock.advance(1000)
      })
      return host
    },
    async start(host, tasks, options) {
      const app = await startup(host, tasks, { process, ...options })
      app.ready().catch(() => {}) // else a failure that the test looks at later ends it
      await settle(12)
      return app
    },
    task: (id, needs = [], more = {}) => ({
      id,
      needs,
      run: () => {
        log.push(id)
        return `value of ${id}`
      },
      stop: () => void log.push(`stop ${id}`),
      ...more,
    }),
    seed: (id, needs = [], more = {}) => ({ id, needs, once: true, run: () => void log.push(id), ...more }),
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        const cancel = clock.after(ms, resolve)
        signal?.addEventListener('abort', () => {
          cancel()
          reject(signal.reason)
        })
      }),
  }
}
