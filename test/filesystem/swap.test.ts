import { createReadStream } from 'node:fs'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { collect, done, sha256 } from '../../src/testing/images/index.ts'
import { type DiskWorld, foldersWorld, tempDir } from './worlds.ts'

// Somebody who may write in our folders changes names while they are used. What lies outside must never be read or moved.
let world: DiskWorld
let outside: string
let attacker: Worker | undefined

beforeEach(async () => {
  outside = await tempDir()
  await writeFile(join(outside, 'secret.png'), 'secret')
  world = await foldersWorld()
  await done(world.folders.open())
})

afterEach(async () => {
  await attacker?.terminate()
  await done(world.folders.close())
  expect(await readFile(join(outside, 'secret.png'), 'utf8')).toBe('secret')
  await world.dispose()
  await rm(outside, { recursive: true })
})

/** Runs the statements over and over in another thread, with node:fs as `fs`; each may fail. */
async function keepDoing(...statements: string[]): Promise<void> {
  const loop = `
    const fs = require('node:fs')
    require('node:worker_threads').parentPort.postMessage('started')
    for (;;) { ${statements.map((statement) => `try { ${statement} } catch {}`).join('\n')} }`
  attacker = new Worker(loop, { eval: true })
  await new Promise((resolve) => attacker?.once('message', resolve))
}

const quoted = (...path: string[]): string => JSON.stringify(join(...path))

/** Puts a file and a link to the secret under the same name, in turn. */
function swapFileAndLink(folder: string, name: string): string[] {
  const draft = quoted(world.root, 'draft')
  const target = quoted(world.root, folder, name)
  return [
    `fs.writeFileSync(${draft}, 'inside'); fs.renameSync(${draft}, ${target})`,
    `fs.symlinkSync(${quoted(outside, 'secret.png')}, ${draft}); fs.renameSync(${draft}, ${target})`,
  ]
}

test('a file in source/ that becomes a link while it is claimed is refused', async () => {
  await keepDoing(...swapFileAndLink('source', 'a.png'))
  const seen = new Set<string>()
  for (let i = 0; i < 400 || seen.size < 2; i++) {
    const result = await world.folders.claim('a.png')()
    if (result._tag === 'Left') {
      expect(['FILE_GONE', 'FILE_CHANGED']).toContain(result.left.code)
      continue
    }
    const { sha256: hash, refused } = result.right
    expect([`${sha256('inside')} undefined`, ' a symbolic link']).toContain(`${hash} ${refused}`)
    seen.add(hash)
  }
})

test('a file in images_sources/ that becomes a link is never opened', async () => {
  await keepDoing(...swapFileAndLink('images_sources', 'a.png'))
  const seen = new Set<string>()
  for (let i = 0; i < 400 || seen.size < 2; i++) {
    const opened = await world.folders.openImage('a.png', sha256('inside'))()
    if (opened._tag === 'Left') {
      expect(['NOT_A_FILE', 'FILE_GONE']).toContain(opened.left.code)
      seen.add('refused')
      continue
    }
    seen.add(String(await collect(createReadStream(opened.right.path))))
    await opened.right.close()
    const inspected = await world.folders.inspect('a.png')()
    if (inspected._tag === 'Right') expect(['', sha256('inside')]).toContain(inspected.right.sha256)
  }
  expect([...seen].sort()).toEqual(['inside', 'refused'])
})

test.runIf(process.platform === 'linux')('a folder that becomes a link takes nothing elsewhere', async () => {
  await mkdir(join(outside, 'trap'))
  const folder = quoted(world.root, 'images_old')
  const aside = quoted(world.root, 'aside')
  await keepDoing(
    `fs.renameSync(${folder}, ${aside}); fs.symlinkSync(${quoted(outside, 'trap')}, ${folder})`,
    `fs.unlinkSync(${folder}); fs.renameSync(${aside}, ${folder})`,
  )
  const seen = new Set<string>()
  for (let i = 0; i < 400 || seen.size < 2; i++) {
    await world.drop('images_sources', 'a.png', `${i}`)
    const result = await world.folders.archive('a.png', sha256(`${i}`))()
    seen.add(result._tag === 'Left' ? result.left.code : 'archived')
  }
  expect([...seen].sort()).toEqual(['FOLDER_MISSING', 'archived'])
  expect(await readdir(join(outside, 'trap'))).toEqual([])
})
