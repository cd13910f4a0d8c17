// A contender in a process of its own: measured, and killed while it acknowledges events.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, openSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { scratch } from '../side-by-side.mjs'

const WORKER = fileURLToPath(new URL('worker.mjs', import.meta.url))
const LIMIT_MS = 240_000

/** Under that Node. Rejects what does not end, or acknowledge anything, within four minutes. */
export function contestOf(node) {
  /** The process leads a group of its own, so that what it starts is killed with it. */
  function start(dir, file, args) {
    const child = spawn(node, [WORKER, ...args], {
      stdio: ['ignore', openSync(file, 'w'), openSync(join(dir, 'stderr'), 'a')],
      detached: true,
    })
    const kill = () => {
      try {
        process.kill(-child.pid, 'SIGKILL')
      } catch (error) {
        if (error.code !== 'ESRCH') throw error
      }
    }
    const failed = (what) => new Error(`${args[0]} ${what}: ${readFileSync(join(dir, 'stderr'), 'utf8').slice(-2000)}`)
    return { kill, failed, ended: once(child, 'exit') }
  }

  async function inFolder(work) {
    const dir = mkdtempSync(join(scratch(), 'peers-'))
    try {
      return await work(dir)
    } finally {
      rmSync(dir, { recursive: true, force: true })
    }
  }

  /** What it prints in that mode. */
  async function printed(dir, name, mode, ms = 0) {
    const file = join(dir, `${mode}.out`)
    const { kill, failed, ended } = start(dir, file, [name, mode, dir, `${ms}`])
    const limit = setTimeout(kill, LIMIT_MS)
    await ended
    clearTimeout(limit)
    kill()
    const text = readFileSync(file, 'utf8')
    if (text === '') throw failed(`has not told its ${mode}`)
    return JSON.parse(text)
  }

  return {
    /** Events a second, one after the other and together. */
    rates: (name, ms) => inFolder((dir) => printed(dir, name, 'rates', ms)),

    /** Sends until killed at a random moment: how many events were acknowledged, and how many of those are gone. */
    killed: (name, instances) =>
      inFolder(async (dir) => {
        const file = join(dir, 'acknowledged')
        const { kill, failed, ended } = start(dir, file, [name, 'prove', dir])
        const begun = performance.now()
        while (statSync(file).size === 0 && performance.now() - begun < LIMIT_MS) await sleep(20)
        await sleep(200 + Math.random() * 1000)
        kill()
        await ended
        const acknowledged = Array(instances).fill(0)
        // the last line may be cut by the kill
        for (const line of readFileSync(file, 'utf8').split('\n').slice(0, -1)) acknowledged[Number(line)]++
        const all = acknowledged.reduce((sum, count) => sum + count)
        if (all === 0) throw failed('has acknowledged nothing')
        const kept = await printed(dir, name, 'kept')
        return { all, gone: acknowledged.reduce((sum, count, n) => sum + Math.max(0, count - kept[n]), 0) }
      }),
  }
}
