import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Files, nodeFiles } from '../../src/adapters/filesystem/files.ts'
import { isNumberedFrom, numbered, numberedForReason, reasonOf } from '../../src/adapters/filesystem/names.ts'
import { done, sha256 } from '../../src/testing/images/index.ts'
import { type DiskWorld, foldersWorld } from './worlds.ts'

let world: DiskWorld

beforeEach(async () => {
  world = await foldersWorld()
  await done(world.folders.open())
})

afterEach(async () => {
  await done(world.folders.close())
  await world.dispose()
})

const odd = [
  ' spaces in  it .png',
  '-rf',
  '--help.png',
  'line\nbreak\t.png',
  'e\u0301 nfd.png',
  '\u00e9 nfc.png',
  '日本語 🖼.png',
  'a\\b"c\'d$HOME`x`.png',
  '%2e%2e%2f.png',
  'no extension',
  'a (2).png',
  'a (2) (2).png',
  '~',
  `${'x'.repeat(251)}.png`,
  '🖼'.repeat(63),
  `a.${'y'.repeat(253)}`,
  'CON.png',
]

test.each(odd)('%j goes all the way, twice, and to quarantine', async (name) => {
  for (const content of ['one', 'two', 'three']) {
    await writeFile(join(world.root, 'source', name), content)
    expect((await done(world.folders.waiting(1)))[0]?.name).toBe(name)
    const claimed = await done(world.folders.claim(name))
    expect(claimed).toMatchObject({ name, original: name, sha256: sha256(content) })
    const image = await done(world.folders.openImage(name, sha256(content)))
    await image.close()
    await done(world.folders.workDir(claimed.sha256, name))
    await done(world.folders.saveOutputs(claimed.sha256, name, [{ bytes: Buffer.from('x') }]))
    if (content === 'three') {
      const given = await done(world.folders.quarantine(name, claimed.sha256, 'bad'))
      expect(await world.content('quarantined', given)).toBe('three')
      expect(await world.names('quarantined')).toContain(reasonOf(given))
    } else {
      expect(await done(world.folders.archive(name, claimed.sha256))).toBe(numbered(name, content === 'one' ? 1 : 2))
      expect(await done(world.folders.archive(name, claimed.sha256))).toBe(numbered(name, content === 'one' ? 1 : 2))
    }
  }
})

test('I5 names that differ only in case or Unicode form are taken where the disk says so', async () => {
  // As on macOS and Windows.
  const folded = (path: unknown) => String(path).normalize('NFC').toLowerCase()
  const there = new Set<string>()
  const files: Files = {
    ...nodeFiles,
    lstat: (async (path: string) => {
      if (/\/fd\/|images_old/.test(path) && there.has(folded(path))) return nodeFiles.lstat('/')
      return nodeFiles.lstat(path)
    }) as typeof nodeFiles.lstat,
    symlink: async (target, path) => {
      if (there.has(folded(path))) throw Object.assign(new Error('EEXIST'), { code: 'EEXIST' })
      there.add(folded(path))
      await nodeFiles.symlink(target, path)
    },
  }
  const other = await foldersWorld({}, files)
  await done(other.folders.open())
  const given: string[] = []
  for (const name of ['Photo.png', 'photo.PNG', 'caf\u00e9.png', 'cafe\u0301.png']) {
    await other.drop('images_sources', name, name)
    given.push(await done(other.folders.archive(name, sha256(name))))
  }
  expect(given).toEqual(['Photo.png', 'photo (2).PNG', 'caf\u00e9.png', 'cafe\u0301 (2).png'])
  await done(other.folders.close())
  await other.dispose()
})

test('a thousand files of one name find theirs without a thousand tries', async () => {
  for (let n = 2; n <= 1000; n++) await world.drop('images_old', numbered('a.png', n), '')
  await world.drop('images_old', 'a.png', '')
  await world.drop('images_sources', 'a.png', 'x')
  expect(await done(world.folders.archive('a.png', sha256('x')))).toBe('a (1001).png')
})

test('numbered names fit, differ, and are known again', () => {
  const name = fc
    .string({ unit: 'binary', minLength: 1, maxLength: 250 })
    .filter((text) => Buffer.byteLength(text) <= 255)
  fc.assert(
    fc.property(name, fc.integer({ min: 1, max: 99_999 }), (name, n) => {
      const given = numbered(name, n)
      expect(Buffer.byteLength(given)).toBeLessThanOrEqual(255)
      expect(given === name).toBe(n === 1)
      expect(isNumberedFrom(name, given, numbered)).toBe(true)
      expect(Buffer.byteLength(reasonOf(numberedForReason(name, n)))).toBeLessThanOrEqual(255)
    }),
  )
})
