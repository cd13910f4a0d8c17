// Runs the built command in processes of its own.
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll } from 'vitest'

const MAIN = resolve('dist/cli/main.js')
const { FORCE_COLOR: _, ...env } = process.env

const folders: string[] = []
afterAll(() => Promise.all(folders.map((path) => rm(path, { recursive: true, force: true }))))

/** A new folder, removed after the tests of the file. */
export async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'duramen-cli-'))
  folders.push(path)
  return path
}

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly pid: number
  readonly ended: Promise<Ended>
  kill(signal: NodeJS.Signals): void
  /** Resolves with its output once this is in it; rejects when it ends without. */
  says(text: string): Promise<string>
}

/** `more`: what its environment has beside this process's. */
export function start(args: readonly string[], { main = MAIN, cwd = '.', more = {} } = {}): Running {
  const child = spawn(process.execPath, [main, ...args], {
    cwd,
    env: { ...env, ...more },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  let over = false
  let changed = () => {}
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
    changed()
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject).on('close', (code) => {
      over = true
      changed()
      resolve({ code, stdout, stderr })
    })
  })
  return {
    pid: child.pid!,
    ended,
    kill: (signal) => void child.kill(signal),
    async says(text) {
      while (!stdout.includes(text)) {
        if (over) throw new Error(`it ended without "${text}":\n${stdout}${stderr}`)
        await new Promise<void>((resolve) => (changed = resolve))
      }
      return stdout
    },
  }
}

export const duramen = (...args: string[]): Promise<Ended> => start(args).ended
