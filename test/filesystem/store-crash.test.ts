import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { nodeFiles } from '../../src/adapters/filesystem/files.ts'
import { fileSystemStore } from '../../src/adapters/filesystem/index.ts'
import { type CrashOptions, crashingFs, done, sha256, unitOf } from '../../src/testing/images/index.ts'
import { tempDir } from './worlds.ts'

const unit = unitOf('a.png', ['the first', 'the second'])

async function dieOnce(options: CrashOptions): Promise<number> {
  const root = await tempDir()
  try {
    const crash = crashingFs(nodeFiles, options)
    await Promise.race([done(fileSystemStore(root, crash.files).put(unit)), crash.crashed])
    await crash.bury()
    const published = (await readdir(join(root, 'units')).catch(() => [])).length > 0
    const store = fileSystemStore(root)
    const found = await done(store.find(unit.key))
    expect(found !== undefined).toBe(published)
    const stored = await done(store.put(unit))
    expect(stored.existed).toBe(published)
    expect(stored.outputs.map(({ sha256 }) => sha256)).toEqual(unit.outputs.map(({ sha256 }) => sha256))
    for (const { sha256 } of unit.outputs) {
      const content = await readFile(join(root, 'objects', sha256.slice(0, 2), sha256), 'utf8')
      expect(['the first', 'the second']).toContain(content)
    }
    return crash.count()
  } finally {
    await rm(root, { recursive: true })
  }
}

test('I1 I3 whatever operation a put dies at, the unit is there whole or not at all, and the next put mends it', async () => {
  const operations = await dieOnce({})
  expect(operations).toBeGreaterThan(30)
  for (let stopAt = 1; stopAt <= operations; stopAt++) {
    for (const when of ['before', 'after'] as const) await dieOnce({ stopAt, when })
  }
})

async function dieMending(options: CrashOptions): Promise<number> {
  const root = await tempDir()
  try {
    await done(fileSystemStore(root).put({ ...unitOf('b.png', ['damaged soon']), key: unit.key }))
    const damaged = sha256('damaged soon')
    await writeFile(join(root, 'objects', damaged.slice(0, 2), damaged), 'x')
    const crash = crashingFs(nodeFiles, options)
    await Promise.race([done(fileSystemStore(root, crash.files).put(unit)), crash.crashed])
    await crash.bury()
    const published = (await readdir(join(root, 'units'))).length === 2
    expect(await done(fileSystemStore(root).put(unit))).toMatchObject({ existed: published, name: 'a.png' })
    expect(await done(fileSystemStore(root).find(unit.key))).toMatchObject({ name: 'a.png' })
    return crash.count()
  } finally {
    await rm(root, { recursive: true })
  }
}

test('I5 whatever operation a put dies at that takes the place of a damaged unit: the damaged one counts, or it does', async () => {
  const operations = await dieMending({})
  for (let stopAt = 1; stopAt <= operations; stopAt++) {
    for (const when of ['before', 'after'] as const) await dieMending({ stopAt, when })
  }
})
