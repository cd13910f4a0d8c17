// A real socket of the kind that NOTIFY_SOCKET is, held by python: node has none.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** Why nothing can be received here; undefined where it can. */
export const cannot = ['python3', 'systemd-notify'].find((name) => spawnSync(name, ['--version']).status !== 0)

export interface Receiver {
  readonly socket: string
  /** The messages so far, each as its lines. */
  readonly messages: string[][]
  /** All assignments so far, in order. */
  lines(): string[]
  /** Resolves once a message holds this line. */
  heard(line: string): Promise<void>
  close(): Promise<void>
}

export async function receiver(): Promise<Receiver> {
  const folder = await mkdtemp(join(tmpdir(), 'duramen-systemd-'))
  const socket = join(folder, 'notify')
  const script = fileURLToPath(new URL('receiver.py', import.meta.url))
  const child = spawn('python3', [script, socket], { stdio: ['ignore', 'pipe', 'inherit'] })
  const messages: string[][] = []
  let wake: () => void = () => {}
  const reader = createInterface(child.stdout)
  const open = once(reader, 'line')
  await open
  reader.on('line', (line) => {
    messages.push((JSON.parse(line) as string).split('\n'))
    wake()
  })
  return {
    socket,
    messages,
    lines: () => messages.flat(),
    async heard(line) {
      while (!messages.flat().includes(line))
        await new Promise<void>((resolve) => {
          wake = resolve
        })
    },
    async close() {
      child.kill()
      await once(child, 'exit')
      await rm(folder, { recursive: true })
    },
  }
}
