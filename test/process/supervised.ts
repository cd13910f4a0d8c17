// Supervisors in processes of their own: the built command, with programs that leave traces in a folder.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readFile, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach } from 'vitest'
import { askControl } from '../../src/adapters/process/control.ts'
import { type Process, processTable } from '../../src/adapters/process/table.ts'
import type { SupervisorStatus } from '../../src/ports/child.ts'

export const MAIN = resolve('dist/cli/main.js')

export interface Supervised {
  readonly pid: number
  readonly process: ChildProcess
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null }>
  readonly output: { stdout: string; stderr: string }
  /** Resolves once this is in what it has said; rejects when it ends without. */
  says(text: string): Promise<void>
}

const folders: string[] = []
const running: Supervised[] = []

afterEach(async () => {
  for (const { process } of running.splice(0)) if (process.exitCode === null) process.kill('SIGKILL')
  for (const folder of folders.splice(0)) {
    for (const { pid } of await ownIn(folder)) kill(pid)
    await rm(folder, { recursive: true, force: true })
  }
})

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {} // it has ended meanwhile
}

/** What lives and works in this folder: all that a test has begun there, and did not end. */
async function ownIn(folder: string): Promise<Process[]> {
  const found: Process[] = []
  for (const one of await processTable().all())
    if (!one.ended && (await realpath(`/proc/${one.pid}/cwd`).catch(() => '')).startsWith(folder)) found.push(one)
  return found
}

export async function newFolder(): Promise<string> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'duramen-supervise-')))
  folders.push(folder)
  return folder
}

/** Short times, so that what takes minutes takes none. */
const SHORT = ['--restart-delay', '20ms', '--stop-timeout', '500ms']

export function supervise(cwd: string, options: readonly string[], command: readonly string[], env = {}): Supervised {
  const child = spawn(process.execPath, [MAIN, 'supervise', ...SHORT, ...options, '--', ...command], {
    cwd,
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  return watched(child)
}

export function watched(child: ChildProcess): Supervised {
  const output = { stdout: '', stderr: '' }
  let over = false
  let changed = () => {}
  for (const name of ['stdout', 'stderr'] as const)
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      output[name] += text
      changed()
    })
  const ended = new Promise<{ code: number | null; signal: string | null }>((resolve, reject) => {
    child.on('error', reject).on('close', (code, signal) => {
      over = true
      changed()
      resolve({ code, signal })
    })
  })
  const one: Supervised = {
    pid: child.pid!,
    process: child,
    ended,
    output,
    async says(text) {
      while (!output.stdout.includes(text) && !output.stderr.includes(text)) {
        if (over) throw new Error(`it ended without "${text}":\n${output.stdout}${output.stderr}`)
        await new Promise<void>((resolve) => (changed = resolve))
      }
    },
  }
  running.push(one)
  return one
}

/** The lines of a file, once there are so many. */
export async function lines(file: string, count: number): Promise<string[]> {
  for (;;) {
    const found = (await readFile(file, 'utf8').catch(() => '')).split('\n').slice(0, -1)
    if (found.length >= count) return found
    await sleep(5)
  }
}

/** Those that live of all that have written their pid into this file. */
export async function livingOf(file: string): Promise<number[]> {
  const pids = (await readFile(file, 'utf8').catch(() => '')).split('\n').map(Number)
  return (await processTable().all()).filter(({ pid, ended }) => !ended && pids.includes(pid)).map(({ pid }) => pid)
}

/** What the supervisor with this state folder tells, once it answers. */
export async function statusIn(state: string): Promise<SupervisorStatus> {
  for (;;) {
    const status = await askControl(state, { do: 'status' }).catch(() => undefined)
    if (status !== undefined) return status
    await sleep(10)
  }
}
