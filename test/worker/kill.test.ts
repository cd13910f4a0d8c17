// W1b with a real process: killed in the middle of a run.
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { openHost } from '../../src/index.ts'
import { fileJournal } from '../../src/journal/index.ts'
import { worker } from '../../src/machines/index.ts'
import { quiet } from '../support/host.ts'

test('W1b a process is killed in mid-run: the next one counts it as interrupted, and goes on', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'duramen-worker-'))
  try {
    const script = fileURLToPath(new URL('./child.mjs', import.meta.url))
    const child = spawn(process.execPath, [script, folder], { stdio: ['ignore', 'pipe', 'inherit'] })
    let killed = ''
    for await (const line of createInterface(child.stdout))
      if (line.startsWith('running')) {
        killed = line.slice('running '.length)
        child.kill('SIGKILL')
      }
    const host = await openHost({ journal: await fileJournal(folder, { logger: quiet }), logger: quiet })
    let key = ''
    const it = await worker(host, {
      id: 'sync',
      every: 50,
      backoff: { first: 10 },
      run: (run) => {
        key ||= run.key
      },
    })
    const story: string[] = []
    await new Promise<void>((resolve) => {
      it.events$.subscribe(({ type }) => {
        story.push(type)
        if (type === 'done') resolve()
      })
    })
    expect(story).toEqual(['interrupted', 'done'])
    expect(it.status().runs).toBeGreaterThanOrEqual(4)
    expect(killed).toMatch(/^worker\/sync@/)
    expect(key).not.toBe(killed)
    await it.stop()
    await host.close()
  } finally {
    await rm(folder, { recursive: true })
  }
})
