// A system with processes, which outlives whoever supervises, and a runner that keeps the contract of its port.
import { left, right } from 'fp-ts/lib/Either.js'
import { onTestFinished } from 'vitest'
import { DuramenError, type HostOptions } from '../../src/index.ts'
import {
  type Child,
  type ChildRunner,
  type Exit,
  type Supervisor,
  type SupervisorMessage,
  type SupervisorOptions,
  supervisor,
} from '../../src/machines/index.ts'
import { recording, settle, type World, world } from '../support/host.ts'

/** A system with at most one program. */
export interface System {
  readonly runner: ChildRunner
  /** What was asked of the runner, and what happened, in order. */
  readonly log: string[]
  /** Pids of what lives. */
  readonly alive: ReadonlySet<number>
  /** Most that lived at once. */
  readonly most: number
  /** The program that lives ends by itself. */
  exit(code: number | null, signal?: string | null): void
  /** What a start answers instead, from now on. */
  refuse: DuramenError | undefined
  /** What a clear answers instead, from now on. */
  unclear: DuramenError | undefined
  /** What the end of the program answers instead, from now on. */
  endless: DuramenError | undefined
  /** The program takes no notice of being asked to end: only the limit ends it. */
  stubborn: boolean
  starts(): number
}

export const missing = new DuramenError('CHILD_FAILED', 'server was not found', {
  cause: Object.assign(new Error('spawn server ENOENT'), { code: 'ENOENT' }),
  hint: 'Install it.',
})

export function system(clock: World['clock']): System {
  const processes = new Map<number, (exit: Exit) => void>()
  const log: string[] = []
  let pids = 100
  let most = 0
  const end = (pid: number, exit: Exit) => {
    processes.get(pid)?.(exit)
    processes.delete(pid)
  }
  const system: System = {
    log,
    alive: {
      has: (pid: number) => processes.has(pid),
      get size() {
        return processes.size
      },
      [Symbol.iterator]: () => processes.keys(),
    } as never,
    get most() {
      return most
    },
    refuse: undefined,
    unclear: undefined,
    endless: undefined,
    stubborn: false,
    starts: () => log.filter((line) => line.startsWith('start')).length,
    exit(code, signal = null) {
      for (const pid of [...processes.keys()]) end(pid, { code, signal })
    },
    runner: {
      clear: () => async () => {
        if (system.unclear) return left(system.unclear)
        log.push(processes.size ? 'clear leftovers' : 'clear')
        const left_ = [...processes.keys()]
        for (const pid of left_) end(pid, { code: null, signal: 'SIGKILL' })
        return right(left_.length)
      },
      start: () => async () => {
        if (system.refuse) return left(system.refuse)
        if (processes.size) return left(new DuramenError('CHILD_FAILED', 'one still lives', { retryable: true }))
        const pid = ++pids
        log.push(`start ${pid}`)
        const exited = new Promise<Exit>((resolve) => processes.set(pid, resolve))
        most = Math.max(most, processes.size)
        const child: Child = {
          pid,
          exited,
          signal: (name) => void log.push(`signal ${name}`),
          async end(limit) {
            if (system.endless) throw system.endless
            if (processes.has(pid)) log.push(`end ${pid}`)
            if (system.stubborn) clock.after(limit, () => end(pid, { code: null, signal: 'SIGKILL' }))
            else end(pid, { code: null, signal: 'SIGTERM' })
            return exited
          },
        }
        return right(child)
      },
    },
  }
  return system
}

export interface Place extends World {
  readonly system: System
  /** A process that supervises. */
  start(options?: Partial<SupervisorOptions> & { host?: Partial<HostOptions> }): Promise<Started>
  /** Lets time go by, and all that comes of it settle. */
  pass(ms: number): Promise<void>
  /** The program ends by itself, and all that comes of it settles. */
  fail(code?: number | null, signal?: string | null): Promise<void>
}

interface Started {
  readonly it: Supervisor
  readonly host: Awaited<ReturnType<World['open']>>
  readonly said: SupervisorMessage[]
  readonly logged: string[]
  state(): string
}

export const order = { command: 'node', args: ['server.js'], cwd: '/srv', env: {} }

export function place(): Place {
  const here = world()
  const outside = system(here.clock)
  const pass = async (ms: number) => {
    await here.clock.advance(ms)
    await settle(12)
  }
  return {
    ...here,
    system: outside,
    pass,
    async fail(code = 1, signal = null) {
      outside.exit(code, signal)
      await settle(12)
    },
    async start({ host: hostOptions, ...options } = {}) {
      const logger = recording()
      const host = await here.open([], { logger, ...hostOptions })
      onTestFinished(() => void host.close().catch(() => {}))
      const it = await supervisor(host, { id: 'server', runner: outside.runner, order, ...options })
      const said: SupervisorMessage[] = []
      it.events$.subscribe((message) => said.push(message))
      await settle(12)
      return { it, host, said, logged: logger.lines, state: () => it.status().state }
    },
  }
}
