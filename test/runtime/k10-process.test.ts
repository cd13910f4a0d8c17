// Needs `npm run build`.
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

it('K10: after close nothing keeps the process: no timer of an effect, a wait, a heartbeat or a schedule', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'duramen-exit-'))
  try {
    const script = fileURLToPath(new URL('../support/exit-child.mjs', import.meta.url))
    const child = spawn(process.execPath, [script, dir], { stdio: ['ignore', 'pipe', 'inherit'] })
    const told = await text(child.stdout)
    expect(told.trim().split('\n')).toEqual(['records$ has completed', 'closed; timers: 0', 'ended by itself'])
  } finally {
    await rm(dir, { recursive: true })
  }
})
