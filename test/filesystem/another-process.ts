// The adapter in a process of its own, as JavaScript: the oldest Node that is supported doesn't run TypeScript.
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll } from 'vitest'

const project = join(import.meta.dirname, '..', '..')

export interface AnotherProcess {
  /** What the script gave to `say`, in order; waits for the next. */
  heard(): Promise<any>
  /** Kills it, as a crash would. */
  kill(): Promise<void>
}

/**
 * Compiles the adapter; the answer starts processes that run `script` with `fileSystemFolders`, `fileSystemStore`,
 * `root` and `say(value)`. To be called once per test file, outside of tests.
 */
export function compileAdapter(): (script: string, root: string, user?: number) => AnotherProcess {
  // Inside of the project, so that packages are found.
  const cache = join(project, 'node_modules', '.cache')
  mkdirSync(cache, { recursive: true })
  const out = mkdtempSync(join(cache, 'duramen-fs-'))
  afterAll(() => rmSync(out, { recursive: true }))
  const config = {
    extends: join(project, 'tsconfig.json'),
    compilerOptions: {
      noEmit: false,
      rootDir: join(project, 'src'),
      outDir: join(out, 'js'),
      types: [],
      noCheck: true,
    },
    files: [join(project, 'src/adapters/filesystem/index.ts')],
    include: [],
  }
  writeFileSync(join(out, 'tsconfig.json'), JSON.stringify(config))
  writeFileSync(join(out, 'package.json'), '{"type":"module"}')
  execFileSync(join(project, 'node_modules/.bin/tsc'), ['-p', out])
  execFileSync('chmod', ['-R', 'a+rX', out])

  return (script, root, user) => {
    const main = join(out, 'main.mjs')
    writeFileSync(
      main,
      `import { fileSystemFolders, fileSystemStore } from './js/adapters/filesystem/index.js'
       const root = ${JSON.stringify(root)}
       const say = (value) => new Promise((resolve) => process.send(value, resolve))
       ${script}`,
    )
    const child = spawn(process.execPath, [main], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      ...(user === undefined ? {} : { uid: user, gid: user }),
    })
    const messages: unknown[] = []
    let wake = () => {}
    let ended = false
    child.on('message', (message) => {
      messages.push(message)
      wake()
    })
    const exited = new Promise<void>((resolve) => {
      child.on('exit', () => {
        ended = true
        wake()
        resolve()
      })
    })
    return {
      heard: async () => {
        while (messages.length === 0) {
          if (ended) throw new Error('the process ended without a word')
          await new Promise<void>((resolve) => {
            wake = resolve
          })
        }
        return messages.shift()
      },
      kill: () => {
        child.kill('SIGKILL')
        return exited
      },
    }
  }
}
