// Needs `npm run build`.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import sharp from 'sharp'
import { expect, onTestFinished, test } from 'vitest'

test('examples/reader.mjs --simulate without a terminal: one capture, the path of its picture, and it ends', async () => {
  const cwd = await mkdtemp(join(tmpdir(), 'duramen-reader-'))
  onTestFinished(() => rm(cwd, { recursive: true }))
  for (let round = 1; round <= 2; round++) {
    const child = spawn(process.execPath, [resolve('examples/reader.mjs'), '--simulate'], {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
    expect({ err, code: child.exitCode }).toEqual({ err: '', code: 0 })
    expect(out).toMatch(/^reader\/[\dTZ-]+\.png\n$/)
    const { data, info } = await sharp(await readFile(join(cwd, out.trim())))
      .raw()
      .toBuffer({ resolveWithObject: true })
    expect(info).toMatchObject({ width: 260, height: 300 })
    expect(new Set(data).size).toBeGreaterThan(100)
    expect((await readdir(join(cwd, 'reader'))).filter((name) => name.endsWith('.png'))).toHaveLength(round)
  }
})
