// Starts image pipelines in processes of their own.
import { execFileSync, spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, onTestFinished } from 'vitest'

const top = join(import.meta.dirname, '../..')

/** Compiles the sources for the tests of a file: a child can't run TypeScript in Node 20. The answer: the folder. */
export function compiledSources(): string {
  const out = join(top, `node_modules/.cache/duramen-images-${process.pid}`)
  beforeAll(() => {
    const tsc = join(top, 'node_modules/.bin/tsc')
    execFileSync(tsc, ['-p', 'tsconfig.build.json', '--outDir', out], { cwd: top, stdio: 'inherit' })
  })
  afterAll(() => rmSync(out, { recursive: true, force: true }))
  return out
}

export interface Child {
  readonly pid: number
  /** What it has printed, line by line. */
  readonly lines: readonly string[]
  /** Resolves once a line begins with this, with the line, or with undefined when it has ended without. */
  until(beginning: string): Promise<string | undefined>
  /** Resolves once so many lines were printed, or it has ended. */
  printed(lines: number): Promise<void>
  kill(): Promise<void>
  readonly ended: Promise<void>
}

/** Runs test/support/image-child.mjs, as the user `uid`, with a store in a folder or at the URI `store`; it is killed at the end of the test. */
export function imageChild(
  compiled: string,
  root: string,
  what: 'run' | 'watch' | 'hold' | 'copy',
  { uid = '', store = '' }: { uid?: number | string | undefined; store?: string | undefined } = {},
): Child {
  const script = join(import.meta.dirname, 'image-child.mjs')
  const child = spawn(process.execPath, [script, compiled, root, what, String(uid), store], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines: string[] = []
  const watchers = new Set<() => void>()
  let rest = ''
  child.stdout.on('data', (chunk) => {
    const parts = (rest + chunk).split('\n')
    rest = parts.pop()!
    lines.push(...parts)
    for (const watcher of watchers) watcher()
  })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const when = async (condition: () => boolean) => {
    let watcher = () => {}
    const met = new Promise<void>((resolve) => {
      watcher = () => void (condition() && resolve())
    })
    watchers.add(watcher)
    watcher()
    await Promise.race([met, ended])
    watchers.delete(watcher)
  }
  const found = (beginning: string) => lines.find((line) => line.startsWith(beginning))
  const kill = async () => {
    child.kill('SIGKILL')
    await ended
  }
  onTestFinished(kill)
  return {
    pid: child.pid!,
    lines,
    until: async (beginning) => {
      await when(() => found(beginning) !== undefined)
      return found(beginning)
    },
    printed: (count) => when(() => lines.length >= count),
    kill,
    ended,
  }
}
