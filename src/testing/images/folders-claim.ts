import { createReadStream } from 'node:fs'
import { expect } from '../expect.ts'
import { test } from '../suite.ts'
import { collect, done, failed } from './results.ts'
import type { FoldersWorld } from './world.ts'
import { sha256 } from './world.ts'

/** Taking files from source/, and looking at them. */
export function claimSuite(world: () => FoldersWorld): void {
  test('I4 files wait in the order of their names, as many as are asked for', async () => {
    for (const name of ['b.png', 'a.png', 'C.png', '10.png', '9.png']) await world().drop('source', name, name)
    const waiting = await done(world().folders.waiting(4))
    expect(waiting.map((file) => file.name)).toEqual(['10.png', '9.png', 'C.png', 'a.png'])
    expect(waiting[0]?.size).toBe(6)
  })

  test('nothing waits in an empty folder', async () => {
    expect(await done(world().folders.waiting(10))).toEqual([])
  })

  test('I6 unfinished names are no candidates', async () => {
    for (const name of ['.a.png', 'a.png.part', 'a.tmp', 'a.CRDOWNLOAD', 'a.partial']) {
      await world().drop('source', name, 'x')
    }
    expect(await done(world().folders.waiting(10))).toEqual([])
    expect((await done(world().folders.count())).source).toBe(0)
  })

  test('I7 a claimed file is in images_sources only, with size and hash', async () => {
    await world().drop('source', 'a.png', 'hello')
    const claimed = await done(world().folders.claim('a.png'))
    expect(claimed).toEqual({ name: 'a.png', original: 'a.png', size: 5, sha256: sha256('hello') })
    expect(await world().names('source')).toEqual([])
    expect(await world().content('images_sources', 'a.png')).toBe('hello')
    expect(await done(world().folders.inspect('a.png'))).toEqual(claimed)
    expect(await done(world().folders.waiting(10))).toEqual([])
  })

  test('I5 a taken name gets a number, and nothing is overwritten', async () => {
    await world().drop('images_sources', 'a.png', 'old')
    await world().drop('source', 'a.png', 'new')
    const claimed = await done(world().folders.claim('a.png'))
    expect(claimed).toMatchObject({ name: 'a (2).png', original: 'a.png', sha256: sha256('new') })
    expect(await world().content('images_sources', 'a.png')).toBe('old')
    expect(await world().content('images_sources', 'a (2).png')).toBe('new')
  })

  test('I6 an empty file is refused', async () => {
    await world().drop('source', 'a.png', '')
    expect(await done(world().folders.claim('a.png'))).toMatchObject({ size: 0, refused: 'empty file' })
  })

  test('a file that vanished is FILE_GONE', async () => {
    expect((await failed(world().folders.claim('a.png'))).code).toBe('FILE_GONE')
    expect((await failed(world().folders.inspect('a.png'))).code).toBe('FILE_GONE')
    expect((await failed(world().folders.openImage('a.png', sha256('a')))).code).toBe('FILE_GONE')
    expect(await world().names('images_sources')).toEqual([])
  })

  test('a name that leads elsewhere is refused', async () => {
    for (const name of ['../a', 'a/b', '.', '..', '', 'a\0b']) {
      expect((await failed(world().folders.claim(name))).code).toBe('BAD_INPUT')
    }
  })

  test('files that nobody owns are found', async () => {
    await world().drop('images_sources', 'a.png', 'a')
    await world().drop('images_sources', 'b.png', 'b')
    expect(await done(world().folders.unowned(['a.png']))).toEqual(['b.png'])
  })

  test('an opened image is read through its path', async () => {
    await world().drop('images_sources', 'a.png', 'hello')
    const image = await done(world().folders.openImage('a.png', sha256('hello')))
    expect(String(await collect(createReadStream(image.path)))).toBe('hello')
    expect(image.size).toBe(5)
    await image.close()
  })

  test('an image whose content is another is FILE_CHANGED, not opened', async () => {
    await world().drop('source', 'a.png', 'hello')
    const { sha256: claimed } = await done(world().folders.claim('a.png'))
    await world().drop('images_sources', 'a.png', 'other')
    expect((await failed(world().folders.openImage('a.png', claimed))).code).toBe('FILE_CHANGED')
  })

  test('an aborted call says so, and the file is not lost', async () => {
    await world().drop('source', 'a.png', 'hello')
    expect(await failed(world().folders.claim('a.png', AbortSignal.abort()))).toMatchObject({
      code: 'ABORTED',
      retryable: true,
    })
    expect([...(await world().names('source')), ...(await world().names('images_sources'))]).toEqual(['a.png'])
  })
}
